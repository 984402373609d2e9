"""Virtual patients as a Siemens scanner would send them: classic single-frame MR files.

References
----------
DICOM PS3.3 A.4 (MR Image IOD), C.7.6.2 (Image Plane), C.8.3.1 (MR Image). The b-value lies in Siemens's
private (0019,100C), in Sequence Name and in the standard Diffusion b-value (0018,9087).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from uteroseg.files import staged_folder
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import DwiStudy

_DATE, _TIME = "20200101", "120000"
_LARGEST = 4095


def write_dicom(patient_study: DwiStudy, folder: Path, *, patient_id: str, seed: int) -> None:
    """Write a study as one series, a file per slice and b-value; the same arguments give the same bytes.

    Parameters
    ----------
    patient_study : DwiStudy
        Whole numbers of at most 4095 are kept exactly; otherwise all images share one factor.
    folder : Path
        New or empty; it appears whole or not at all.
    patient_id : str
        Patient ID, and with the seed the source of every UID.
    seed : int

    Raises
    ------
    UserError
        If the folder holds something.
    """
    common = _common(patient_study, patient_id, seed)
    pixels = _pixels(patient_study.signal)
    number = 0
    with staged_folder(folder) as stage:
        for b_value, volume in zip(patient_study.b_values, pixels, strict=True):
            for index, image in enumerate(volume):
                number += 1
                dataset = _instance(common, patient_study, index, b_value, number)
                dataset.SOPInstanceUID = _uid(patient_id, seed, f"image {number}")
                dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
                _set_pixels(dataset, image)
                dataset.save_as(stage / f"MR{number:04d}.dcm", enforce_file_format=True)


def _pixels(signal: Array) -> Array:
    """Unsigned 12-bit values; one factor for all b-values, only if they do not fit as they are."""
    largest = float(signal.max(initial=0))
    whole = np.array_equal(signal, np.rint(signal))
    factor = 1.0 if whole and largest <= _LARGEST else _LARGEST / max(largest, 1e-9)
    return np.rint(np.clip(signal * factor, 0, _LARGEST)).astype(np.uint16)


def _uid(patient_id: str, seed: int, what: str) -> str:
    return generate_uid(entropy_srcs=["uteroseg virtual patient", patient_id, str(seed), what])


def _common(study: DwiStudy, patient_id: str, seed: int) -> dict[str, Any]:
    """Attributes that every file of the study shares."""
    slice_mm, row_mm, column_mm = study.geometry.spacing
    orientation = np.concatenate(
        [study.geometry.affine[:3, 2] / column_mm, study.geometry.affine[:3, 1] / row_mm]
    )
    _, rows, columns = study.geometry.shape
    name = study.geometry.plane
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": MRImageStorage,
        "StudyDate": _DATE,
        "SeriesDate": _DATE,
        "AcquisitionDate": _DATE,
        "ContentDate": _DATE,
        "StudyTime": _TIME,
        "SeriesTime": _TIME,
        "AcquisitionTime": _TIME,
        "ContentTime": _TIME,
        "AccessionNumber": "",
        "Modality": "MR",
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "Virtual Skyra",
        "DeviceSerialNumber": "0",
        "SoftwareVersions": "uteroseg virtual patients",
        "ReferringPhysicianName": "",
        "StudyDescription": "Virtual patient, not a person",
        "SeriesDescription": f"virtual ep2d_diff_{name[:3]}_TRACEW",
        "ProtocolName": f"virtual ep2d_diff_{name[:3]}",
        "PatientName": "Virtual^Patient",
        "PatientID": patient_id,
        "PatientBirthDate": "",
        "PatientSex": "F",
        "BodyPartExamined": "PELVIS",
        "PatientPosition": "HFS",
        "ScanningSequence": "EP",
        "SequenceVariant": ["SK", "SP"],
        "ScanOptions": ["PFP", "FS"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": "4000",
        "EchoTime": _decimal(float(study.acquisition.get("EchoTime", 0.07)) * 1000),
        "NumberOfAverages": "4",
        "EchoTrainLength": "64",
        "MagneticFieldStrength": _decimal(float(study.acquisition.get("MagneticFieldStrength", 3))),
        "ImagedNucleus": "1H",
        "EchoNumbers": "1",
        "FlipAngle": "90",
        "InPlanePhaseEncodingDirection": "ROW",
        "SliceThickness": _decimal(slice_mm),
        "SpacingBetweenSlices": _decimal(slice_mm),
        "PixelSpacing": [_decimal(row_mm), _decimal(column_mm)],
        "ImageOrientationPatient": [_decimal(v) for v in orientation],
        "StudyInstanceUID": _uid(patient_id, seed, "study"),
        "SeriesInstanceUID": _uid(patient_id, seed, "series"),
        "FrameOfReferenceUID": _uid(patient_id, seed, "frame of reference"),
        "PositionReferenceIndicator": "",
        "StudyID": "1",
        "SeriesNumber": "5",
        "AcquisitionNumber": "1",
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
    }


def _instance(
    common: dict[str, Any], study: DwiStudy, index: int, b_value: float, number: int
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in common.items():
        setattr(dataset, keyword, value)
    position = study.geometry.to_patient((index, 0, 0))
    dataset.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND"]
    dataset.SequenceName = f"*ep_b{b_value:.0f}t"
    dataset.InstanceNumber = str(number)
    dataset.ImagePositionPatient = [_decimal(v) for v in position]
    dataset.SliceLocation = _decimal(float(position @ study.geometry.normal))
    dataset.DiffusionBValue = float(b_value)
    private = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    private.add_new(0x0C, "IS", f"{b_value:.0f}")
    private.add_new(0x0D, "CS", "ISOTROPIC")
    return dataset


def _set_pixels(dataset: Dataset, image: Array) -> None:
    dataset.SmallestImagePixelValue = int(image.min())
    dataset.LargestImagePixelValue = int(image.max())
    dataset.WindowCenter = str(int(image.max()) // 2)
    dataset.WindowWidth = str(max(int(image.max()), 1))
    dataset.PixelData = image.astype("<u2").tobytes()


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2); −0 becomes 0."""
    return f"{value + 0.0:.10g}" if abs(value) > 1e-9 else "0"
