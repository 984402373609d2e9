"""The same small sources on every machine: whole numbers as voxels, fixed identifiers, no module of ours."""

import json

import nibabel as nib
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

SHAPE = (6, 24, 20)
SPACING = (5.0, 4.0, 3.5)  # slices, rows, columns; mm
CORNER = (-30.0, -45.0, 12.5)  # LPS, mm
_ROOT = "1.2.826.0.1.3680043.8.498.19"
_LEVELS = {0: (4, 600, 900), 50: (4, 554, 865), 500: (3, 270, 603), 1000: (2, 121, 404)}
"""Of air, body and tumour at each b-value (s/mm²): ADC 1.6 and 0.8."""


def images(seed, b_values):
    """Shape (b-values, slices, rows, columns)."""
    slices, rows, columns = np.indices(SHAPE)
    body = (rows - 11.5) ** 2 * 4 + (columns - 9.5) ** 2 * 5 < 4 * 100
    kind = np.where(tumour(seed), 2, body.astype(int))
    grain = (slices * 7 + rows * rows * (3 + seed) + columns * (5 + 2 * seed) + rows * columns) % 9
    return np.stack([np.array(_LEVELS[b])[kind] + grain for b in b_values]).astype(np.int16)


def tumour(seed):
    slices, rows, columns = np.indices(SHAPE)
    row, column = 9 + seed % 5, 8 + seed % 3
    return (slices > 1) & (slices < 5) & ((rows - row) ** 2 + (columns - column) ** 2 < 10)


def write_sources(root):
    """Write them below a folder; the arguments of `uteroseg ingest` for each, in their order."""
    dicom, table = _dicom(root / "scans")
    nifti, masks = _nifti(root / "converted")
    return [
        [dicom, "--annotations", table],
        [nifti, "--annotations", masks],
        [_nnunet(root / "Dataset007_Womb")],
        [_decathlon(root / "Task11_Womb")],
    ]


def _dicom(root):
    """Two dates of one patient, two acquisitions of another, one in two series, one without id and date."""
    _examination(root / "a1", patient="VP-1", exam=1, date="20200102", series={11: ((0, 500, 1000), 1)})
    _examination(root / "a2", patient="VP-1", exam=2, date="20200731", series={21: ((0, 1000), 2)})
    twice = {31: ((0, 1000), 3), 32: ((0, 1000), 4)}
    _examination(root / "b", patient="VP-2", exam=3, date="20210101", series=twice)
    parts = {41: ((50,), 5), 42: ((500, 1000), 5)}
    _examination(root / "c", patient="VP-3", exam=4, date="20190909", series=parts, adc=5)
    _examination(root / "d", patient="", exam=5, date="", series={51: ((0, 1000), 6)})
    _label_map(root.parent / "masks" / "a2.nii.gz", tumour(2))
    table = root.parent / "masks.csv"
    table.write_text("study,mask,label\na2,masks/a2.nii.gz,\n")
    return root, table


def _examination(folder, *, patient, exam, date, series, adc=None):
    for number, (b_values, seed) in series.items():
        for b, volume in zip(b_values, images(seed, b_values), strict=True):
            _series(folder, volume, exam, number, patient, date, b=b)
    if adc:
        levels = np.where(tumour(adc), 800, 1600)
        _series(folder, levels, exam, 90 + exam, patient, date, b=None)


def _series(folder, volume, exam, number, patient, date, *, b):
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(volume):
        instance = index + 1 + (b or 0) * 100
        uid = f"{_ROOT}.{exam}.{number}.{instance}"
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, uid
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, uid
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{_ROOT}.{exam}", f"{_ROOT}.{exam}.{number}"
        ds.FrameOfReferenceUID = f"{_ROOT}.{exam}.0"
        ds.PatientID, ds.PatientName, ds.StudyDate, ds.StudyID = patient, "Virtual^Patient", date, "1"
        ds.PatientBirthDate = ds.PatientSex = ds.StudyTime = ds.AccessionNumber = (
            ds.ReferringPhysicianName
        ) = ""
        ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "MR", "SIEMENS", "Skyra"
        ds.SeriesNumber, ds.InstanceNumber = number, instance
        ds.SeriesDescription = "ep2d_diff" if b is not None else "ep2d_diff_ADC"
        kind = ("DIFFUSION", "TRACEW") if b is not None else ("DIFFUSION", "ADC")
        ds.ImageType = ["DERIVED", "PRIMARY", *kind]
        ds.EchoTime, ds.RepetitionTime, ds.MagneticFieldStrength = 63, 2700, 3
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "EP", "SK", "", "2D"
        ds.SliceThickness, ds.PixelSpacing = SPACING[0], list(SPACING[1:])
        ds.ImagePositionPatient = [CORNER[0], CORNER[1], CORNER[2] + index * SPACING[0]]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.Rows, ds.Columns = pixels.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
        if b is not None:
            ds.DiffusionBValue = float(b)
        ds.PixelData = pixels.astype("<u2").tobytes()
        ds.save_as(folder / f"{number}-{instance:06d}.dcm", enforce_file_format=True)


def _nifti(root):
    """Folders of sessions, a BIDS name, a patient in one folder, a patient who is one file."""
    places = {
        "p1/ses-01/dwi": (7, (0, 500, 1000)),
        "p1/ses-b/dwi/sub-p1_ses-b_acq-2_dwi": (8, (1000, 0)),
        "p2/scan": (9, (0, 1000)),
        "p3_dwi": (10, (50, 1000)),
    }
    for place, (seed, b_values) in places.items():
        path = root / f"{place}.nii.gz"
        _write(path, images(seed, b_values))
        bval = path.with_name(path.name.replace(".nii.gz", ".bval"))
        bval.write_text(" ".join(map(str, b_values)) + "\n")
    _label_map(root.parent / "masks" / "p2.nii.gz", tumour(9))
    table = root.parent / "converted.csv"
    table.write_text("study,mask,label\np2,masks/p2.nii.gz,1\n")
    return root, table


def _nnunet(root):
    """Cases that are patients, and two of one patient, named as ours are."""
    cases = {"Tr/womb_1": 11, "Tr/sub-7_ses-01": 12, "Tr/sub-7_ses-02": 13, "Ts/womb_2": 14}
    for place, seed in cases.items():
        ending, name = place.split("/")
        for index, image in enumerate(images(seed, (0, 1000))):
            _write(root / f"images{ending}" / f"{name}_{index:04d}.nii.gz", image)
        _label_map(root / f"labels{ending}" / f"{name}.nii.gz", tumour(seed))
    about = {
        "channel_names": {"0": "b0", "1": "DWI_b1000"},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(about))
    return root


def _decathlon(root):
    for place, seed in {"Tr/womb_1": 15, "Ts/womb_2": 16}.items():
        ending, name = place.split("/")
        _write(root / f"images{ending}" / f"{name}.nii.gz", images(seed, (1000, 0)))
        if ending == "Tr":
            _label_map(root / "labelsTr" / f"{name}.nii.gz", tumour(seed))
    about = {"modality": {"0": "DWI b-value 1000", "1": "b=0"}, "labels": {"0": "background", "1": "cancer"}}
    (root / "dataset.json").write_text(json.dumps(about))
    return root


def _label_map(path, data):
    _write(path, data.astype(np.uint8))


def _write(path, data):
    """NIfTI, both forms alike: x and y of its coordinates run against DICOM's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    affine[:3, 3] = -CORNER[0], -CORNER[1], CORNER[2]
    image = nib.Nifti1Image(data.T, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    nib.save(image, path)
