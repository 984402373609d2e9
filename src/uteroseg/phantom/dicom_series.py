"""What the files of a simulated series share, classic or enhanced: patient, study, series, scanner, grid.

References
----------
DICOM PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.3.1 (General Series), C.7.5.1 (General Equipment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from uteroseg.dicom.acquisition import manufacturer_name
from uteroseg.dicom.virtual import mark_virtual
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.dialects import Dialect, Stored

DATE, TIME = "20200101", "120000"

_T2_NAME = "virtual t2_tse_{}"
_NUMBERS = {"t2": "4", "dwi": "5", "adc": "6"}


@dataclass(frozen=True)
class Identity:
    """What every UID is made of, so that the same patient has the same ones again.

    Parameters
    ----------
    patient_id : str
    study_id : str
        What tells this study from others of the patient.
    seed : int
    writer : str
        Vendor and encoding.
    """

    patient_id: str
    study_id: str
    seed: int
    writer: str

    def uid(self, what: str) -> UID:
        """The UID of something in this study."""
        names = [self.patient_id, self.study_id, str(self.seed), self.writer, what]
        sources = ["uteroseg virtual patient", *names]
        return generate_uid(entropy_srcs=sources)


@dataclass(frozen=True, eq=False)
class ImageSeries:
    """One series to write.

    Parameters
    ----------
    geometry : Geometry
    acquisition : mapping
        Scanner fields of the study, under their BIDS names.
    identity : Identity
    dialect : Dialect
    name : {"dwi", "adc", "t2"}
    volumes : tuple of Stored
    """

    geometry: Geometry
    acquisition: Mapping[str, Any]
    identity: Identity
    dialect: Dialect
    name: str
    volumes: tuple[Stored, ...]

    @property
    def is_map(self) -> bool:
        """Whether it is the ADC map."""
        return self.name == "adc"

    @property
    def is_t2(self) -> bool:
        """Whether it is the T2 series."""
        return self.name == "t2"

    def position(self, index: int) -> list[str]:
        """Image Position (Patient) of a slice."""
        return [decimal(float(v)) for v in self.geometry.to_patient((index, 0, 0))]

    def orientation(self) -> list[str]:
        """Image Orientation (Patient)."""
        _, row_mm, column_mm = self.geometry.spacing
        affine = self.geometry.affine
        cosines = np.concatenate([affine[:3, 2] / column_mm, affine[:3, 1] / row_mm])
        return [decimal(float(v)) for v in cosines]

    def measures(self) -> Dataset:
        """Pixel Spacing, Slice Thickness and Spacing Between Slices."""
        slice_mm, row_mm, column_mm = self.geometry.spacing
        measures = Dataset()
        measures.SliceThickness = measures.SpacingBetweenSlices = decimal(slice_mm)
        measures.PixelSpacing = [decimal(row_mm), decimal(column_mm)]
        return measures

    def echo_time_ms(self) -> float:
        """The simulated echo time of the diffusion images, 70 ms where none was."""
        return float(self.acquisition.get("EchoTime", 0.07)) * 1000

    def new_file(self, sop_class: UID) -> FileDataset:
        """Start a file: everything but the image, its type, its number and its place."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = sop_class
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID = sop_class
        self._describe(dataset)
        self._describe_pixels(dataset)
        mark_virtual(dataset)
        return dataset

    def instance_uid(self, number: int) -> UID:
        """SOP Instance UID of the file of this number."""
        return self.identity.uid(f"{self.name} {number}")

    def set_instance(self, dataset: FileDataset, number: int) -> None:
        """Give a file its number and its UID."""
        uid = self.instance_uid(number)
        dataset.InstanceNumber, dataset.SOPInstanceUID = str(number), uid
        dataset.file_meta.MediaStorageSOPInstanceUID = uid

    def examination(self) -> dict[str, str]:
        """Patient and study."""
        return {
            "SpecificCharacterSet": "ISO_IR 100",
            "StudyDate": DATE,
            "StudyTime": TIME,
            "AccessionNumber": "",
            "ReferringPhysicianName": "",
            "StudyDescription": "Virtual patient, not a person",
            "PatientName": "Virtual^Patient",
            "PatientID": self.identity.patient_id,
            "PatientBirthDate": "",
            "PatientSex": "F",
            "StudyInstanceUID": self.identity.uid("study"),
            "StudyID": "1",
        }

    def _describe(self, dataset: Dataset) -> None:
        names = {"dwi": self.dialect.dwi_name, "adc": self.dialect.adc_name, "t2": _T2_NAME}
        uid, dialect, plane = self.identity.uid, self.dialect, self.geometry.plane[:3]
        field_strength = float(self.acquisition.get("MagneticFieldStrength", 3))
        values: dict[str, str] = {
            **self.examination(),
            **{f"{what}Date": DATE for what in ("Series", "Content")},
            **{f"{what}Time": TIME for what in ("Series", "Content")},
            "Modality": "MR",
            "Manufacturer": dialect.manufacturer,
            "ManufacturerModelName": self._model(),
            "DeviceSerialNumber": "0",
            "SoftwareVersions": "uteroseg virtual patients",
            "SeriesDescription": names[self.name].format(plane),
            "ProtocolName": names["t2" if self.is_t2 else "dwi"].format(plane),
            "BodyPartExamined": "PELVIS",
            "PatientPosition": "HFS",
            "MagneticFieldStrength": decimal(field_strength),
            "SeriesInstanceUID": uid(f"{self.name} series"),
            "FrameOfReferenceUID": uid("frame of reference"),
            "PositionReferenceIndicator": "",
            "SeriesNumber": _NUMBERS[self.name],
        }
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    def _model(self) -> str:
        """The simulated scanner where it is of the dialect's vendor, else one that is."""
        fields = self.acquisition
        same_vendor = manufacturer_name(str(fields.get("Manufacturer"))) == self.dialect.name
        named = fields.get("ManufacturersModelName") if same_vendor else None
        return str(named or self.dialect.model)

    def _describe_pixels(self, dataset: Dataset) -> None:
        _, dataset.Rows, dataset.Columns = self.geometry.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.PixelRepresentation = 16, 0
        dataset.BitsStored, dataset.HighBit = self.dialect.bits, self.dialect.bits - 1


def set_pixels(dataset: Dataset, pixels: Array) -> None:
    """Put stored values into a file."""
    dataset.SmallestImagePixelValue = int(pixels.min())
    dataset.LargestImagePixelValue = int(pixels.max())
    dataset.PixelData = pixels.astype("<u2").tobytes()


def window(dataset: Dataset, pixels: Array, slope: float | None) -> None:
    """Show an image from 0 to its brightest value as displayed."""
    brightest = max(float(pixels.max()) * (slope or 1), 1.0)
    dataset.WindowCenter, dataset.WindowWidth = decimal(brightest / 2), decimal(brightest)


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2); −0 becomes 0."""
    return f"{value + 0.0:.10g}" if abs(value) > 1e-9 else "0"
