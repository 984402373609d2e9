"""DICOM segmentations, built element by element, so that any of them can be left out or be wrong."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from tests.annotations.drawn import IDS, item
from uteroseg.dicom.classify import LABEL_MAP_SEGMENTATION


def write_seg(
    path,
    segments,
    geometry,
    *,
    frames=None,
    kind="BINARY",
    ids=IDS,
    spacing=True,
    thickness=True,
    per_frame=False,
    algorithm="MANUAL",
    instances=(),
    series="",
    change=lambda ds: None,
):
    """Write segments, (name, data) each on a grid, with the frames (segment number, slice) asked for.

    By default every slice of every segment, those without voxels too.
    """
    label_map = kind == "LABELMAP"
    numbers = [0] if label_map else range(1, len(segments) + 1)
    frames = [(n, s) for n in numbers for s in range(geometry.shape[0])] if frames is None else frames
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = LABEL_MAP_SEGMENTATION if label_map else SegmentationStorage
    meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID = ExplicitVRLittleEndian, generate_uid()
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = ids.patient, ids.study, generate_uid()
    ds.FrameOfReferenceUID, ds.StudyDate, ds.Modality = ids.frame, ids.date, "SEG"
    ds.SegmentationType = kind
    if series:
        ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=series)]
    ds.SegmentSequence = [
        item(
            SegmentNumber=number,
            SegmentLabel=name,
            SegmentAlgorithmType=algorithm,
            SegmentAlgorithmName="" if algorithm == "MANUAL" else "net-7",
        )
        for number, (name, _) in enumerate(segments, 1)
    ]
    mm = geometry.spacing
    measures = item(PixelSpacing=list(mm[1:]))
    if spacing:
        measures.SpacingBetweenSlices = f"{mm[0]:.6f}"
    if thickness:
        measures.SliceThickness = f"{mm[0]:.6f}"
    axes = geometry.affine[:3, 2] / mm[2], geometry.affine[:3, 1] / mm[1]
    orientation = item(ImageOrientationPatient=[f"{v:.8f}" for v in np.concatenate(axes)])
    common = {"PixelMeasuresSequence": [measures], "PlaneOrientationSequence": [orientation]}
    ds.SharedFunctionalGroupsSequence = [item(**({} if per_frame else common))]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(geometry, number, s, instances, common if per_frame else {}) for number, s in frames
    ]
    ds.Rows, ds.Columns, ds.NumberOfFrames = *geometry.shape[1:], len(frames)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    if label_map:
        values = sum(number * data.astype("u1") for number, (_, data) in enumerate(segments, 1))
        planes = np.array([values[s] for _, s in frames], "u1")
    else:
        planes = np.array([segments[number - 1][1][s] for number, s in frames], "u1")
    if kind == "FRACTIONAL":
        ds.MaximumFractionalValue, ds.SegmentationFractionalType = 200, "OCCUPANCY"
        planes = np.where(planes, 100, 99).astype("u1")
    pixels = np.packbits(planes.ravel(), bitorder="little") if bits == 1 else planes
    raw = pixels.tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OB"
    change(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def _frame(geometry, number, s, instances, groups):
    frame = item(**groups)
    place = item(ImagePositionPatient=[f"{v:.6f}" for v in geometry.to_patient((s, 0, 0))])
    frame.PlanePositionSequence = [place]
    if number:
        frame.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=number)]
    if instances:
        image = item(ReferencedSOPInstanceUID=instances[s])
        frame.DerivationImageSequence = [item(SourceImageSequence=[image])]
    return frame
