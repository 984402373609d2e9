"""A study on disk as a scanner sends it, and a tumour that was drawn on its T2 images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage, generate_uid
from skimage.measure import find_contours

from tests.grids import grid
from uteroseg.imaging.geometry import Geometry

CYAN, RED = (0, 235, 235), (255, 0, 0)
DWI_GRID = grid("sagittal", (9, 28, 28), (5.0, 2.5, 2.5), (20.0, -34.0, 34.0))
T2_GRID = grid("sagittal", (12, 100, 100), (4.0, 0.8, 0.8), (23.0, -40.5, 39.0))


@dataclass(frozen=True)
class Ids:
    """Whose examination it is."""

    patient: str = "P1"
    study: str = "1.2.3.1"
    frame: str = "1.2.3.9"
    date: str = "20200102"


IDS = Ids()


def ball(geometry, middle=(0.0, 0.0, 0.0), radius=12.0):
    """Whether voxel centres lie in a ball."""
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return np.linalg.norm((points - middle) / (1, 1.2, 0.9), axis=-1) < radius


def write_images(folder, geometry, images, ids, *, description, number, b_values=(None,)):
    """Write a series, one file per image and slice; returns (series UID, SOP Instance UIDs by slice)."""
    folder.mkdir(parents=True, exist_ok=True)
    series, instances = generate_uid(), []
    spacing = geometry.spacing
    for b, image in zip(b_values, images, strict=True):
        instances = []
        for s, plane in enumerate(image):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
            meta.MediaStorageSOPInstanceUID = generate_uid()
            ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
            ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
            ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = ids.patient, ids.study, series
            ds.FrameOfReferenceUID, ds.StudyDate, ds.Modality = ids.frame, ids.date, "MR"
            ds.SeriesDescription, ds.SeriesNumber, ds.InstanceNumber = description, number, s + 1
            ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
            if b is not None:
                ds.DiffusionBValue, ds.AcquisitionNumber = float(b), 1
            ds.ImagePositionPatient = [f"{v:.6f}" for v in geometry.to_patient((s, 0, 0))]
            axes = geometry.affine[:3, 2] / spacing[2], geometry.affine[:3, 1] / spacing[1]
            ds.ImageOrientationPatient = [f"{v:.8f}" for v in np.concatenate(axes)]
            ds.PixelSpacing, ds.SliceThickness = list(spacing[1:]), spacing[0]
            ds.Rows, ds.Columns = plane.shape
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
            ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
            ds.PixelData = np.rint(plane).astype("<u2").tobytes()
            ds.save_as(folder / f"{b or 0:04g}_{s:03d}", enforce_file_format=True)
            instances.append(ds.SOPInstanceUID)
    return series, instances


def anatomy(geometry, *, t2, shift=(0.0, 0.0, 0.0)):
    """Body, bladder, bone and tumour, of other brightness on T2 than at b 0."""
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1)) - shift
    image = np.zeros(geometry.shape)
    shapes = [((0, 0, 0), (60, 35, 36), 400, 300), ((0, -15, 12), (14, 10, 9), 1500, 900)]
    shapes += [((-8, 20, -14), (9, 7, 10), 120, 500), ((12, 12, 18), (8, 9, 6), 900, 200)]
    shapes += [((0, 0, 0), (12, 14.4, 10.8), 700, 420)]
    for middle, axes, bright_t2, bright_b0 in shapes:
        image[(((points - middle) / axes) ** 2).sum(axis=-1) < 1] = bright_t2 if t2 else bright_b0
    return image + np.random.default_rng(3).uniform(0, 20, geometry.shape)


def write_examination(folder, ids=IDS, *, shift=(0.0, 0.0, 0.0), dwi=DWI_GRID, t2=T2_GRID):
    """Write DWI (b 0 and 1000) and T2; with a shift, the anatomy lies elsewhere in the DWI.

    Returns the series UID and the SOP Instance UIDs of the T2 and of the DWI.
    """
    b0 = anatomy(dwi, t2=False, shift=shift)
    b1000 = b0 * 0.3 + 200 * ball(dwi, shift)
    images, b_values = [b0, b1000], (0, 1000)
    on_t2 = write_images(folder / "t2", t2, [anatomy(t2, t2=True)], ids, description="t2_tse", number=2)
    on_dwi = write_images(folder / "dwi", dwi, images, ids, description="DWI", number=3, b_values=b_values)
    return {"T2": on_t2, "DWI": on_dwi}


def contours_of(data, geometry: Geometry):
    """Outlines of a mask in patient coordinates, by slice."""
    return [
        (s, geometry.to_patient(np.column_stack([np.full(len(line) - 1, s), line[:-1] - 1])))
        for s, plane in enumerate(data)
        for line in find_contours(np.pad(plane, 1).astype(float), 0.5)
    ]


def write_rtstruct(path: Path, rois, ids=IDS, *, series="", instances=(), change=lambda ds: None):
    """Write a structure set: ``rois`` are (name, colour, [(slice or None, points)])."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = RTStructureSetStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = ids.patient, ids.study, generate_uid()
    ds.StudyDate, ds.Modality, ds.StructureSetLabel = ids.date, "RTSTRUCT", "test"
    images = [item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID=uid) for uid in instances]
    referenced = item(SeriesInstanceUID=series, ContourImageSequence=images)
    study = item(ReferencedSOPInstanceUID=ids.study, RTReferencedSeriesSequence=[referenced])
    frame = item(FrameOfReferenceUID=ids.frame, RTReferencedStudySequence=[study] if series else [])
    ds.ReferencedFrameOfReferenceSequence = [frame]
    ds.StructureSetROISequence = [
        item(
            ROINumber=n,
            ROIName=name,
            ReferencedFrameOfReferenceUID=ids.frame,
            ROIGenerationAlgorithm="MANUAL",
        )
        for n, (name, _, _) in enumerate(rois, 1)
    ]
    ds.ROIContourSequence = [
        item(
            ReferencedROINumber=n,
            ROIDisplayColor=list(colour),
            ContourSequence=[_contour(s, points, instances) for s, points in contours],
        )
        for n, (_, colour, contours) in enumerate(rois, 1)
    ]
    change(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def _contour(s, points, instances):
    contour = item(
        ContourGeometricType="POINT" if len(points) == 1 else "CLOSED_PLANAR",
        NumberOfContourPoints=len(points),
        ContourData=[f"{v:.4f}" for v in np.ravel(points)],
    )
    if s is not None and instances:
        image = item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID=instances[s])
        contour.ContourImageSequence = [image]
    return contour


def item(**values):
    """A data set of the given elements."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, pydicom.Sequence(value) if keyword.endswith("Sequence") else value)
    return ds
