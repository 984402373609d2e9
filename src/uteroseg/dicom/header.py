"""Read the header of one file: only the elements that uteroseg uses, and never a truncated one in silence.

pydicom reads a file that ends in the middle of its header without complaint, so the end is checked here; and
it converts values when they are asked for, so they are tried here.

References
----------
DICOM PS3.10 7.1, DICOM File Meta Information; PS3.5 7.1, Data Elements.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pydicom
from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, MediaStorageDirectoryStorage, SegmentationStorage

from uteroseg.dicom.classify import LABEL_MAP_SEGMENTATION, MR_IMAGES
from uteroseg.dicom.elements import Element, plain_elements
from uteroseg.dicom.values import drop_malformed, parses
from uteroseg.dicom.virtual import GROUP

# fmt: off
_KEYWORDS = (
    # what it is
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "ImageType", "Modality", "Manufacturer",
    "ManufacturerModelName", "DeidentificationMethod",
    "PatientID", "PatientBirthDate", "StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "SeriesDescription", "FrameOfReferenceUID",
    # how it was acquired
    "SequenceName", "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "MagneticFieldStrength",
    "EchoTime",
    "RepetitionTime", "FlipAngle", "PixelBandwidth", "SliceThickness", "SpacingBetweenSlices",
    "ParallelReductionFactorInPlane",
    "AcquisitionNumber", "InstanceNumber", "AcquisitionTime", "TemporalPositionIdentifier",
    # diffusion
    "DiffusionBValue", "DiffusionDirectionality", "DiffusionGradientOrientation", "AcquisitionContrast",
    # where it lies
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    # what its numbers mean
    "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "RescaleType", "Units",
    "RealWorldValueMappingSequence",
)
# fmt: on
_PRIVATE = (
    (0x0019, (0x0A, 0x0C, 0x0D, 0x0E, 0xBB, 0xBC, 0xBD)),  # Siemens mosaic, b-value, direction; GE direction
    (0x0029, (0x10,)),  # Siemens CSA image header
    (0x0043, (0x39,)),  # GE b-value
    (0x2001, (0x03, 0x04)),  # Philips b-value, directionality
    (0x2005, (0x0E, 0xB0, 0xB1, 0xB2)),  # Philips scale slope, direction
    (0x0065, (0x09, 0x37, 0x50, 0x51)),  # United Imaging b-value, direction, tiles
    (GROUP, ()),  # our virtual patients
)
_BLOCKS = range(0x10, 0x14)  # vendors reserve the first block; others can follow after re-export
_TAGS: list[BaseTag] = [
    *map(Tag, _KEYWORDS),
    *(Tag(group, block) for group, _ in _PRIVATE for block in _BLOCKS),
    *(Tag(group, (block << 8) + n) for group, numbers in _PRIVATE for block in _BLOCKS for n in numbers),
]
_WANTED = frozenset(map(int, _TAGS))
_DECODING = frozenset(
    int(Tag(keyword))
    for keyword in (
        *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows"),
        *("Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    )
)
_SOP_CLASS = Tag("SOPClassUID")
_CHARACTER_SET = Tag("SpecificCharacterSet")
_DICOM_NAMES = (".dcm", ".dicom", ".ima")
_PIXEL_TAGS = {b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00"}
_LONG_VR = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"}
_UNDEFINED_LENGTH = 0xFFFFFFFF
_START = 2**17  # bytes: more than the header of nearly every single image
_LONGEST = 2**22  # of enhanced ones


class Unreadable(Exception):
    """A DICOM file that cannot be read, with the reason and, if known, its series."""

    def __init__(self, reason: str, series_uid: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.series_uid = series_uid


class PlainHeader(NamedTuple):
    """The wanted elements of a plain file as bytes, which cross between processes at little cost."""

    explicit: bool
    elements: Sequence[Element]

    def dataset(self, *, tried: bool = False) -> Dataset:
        """Give them as a pydicom data set, which converts what is asked for.

        Parameters
        ----------
        tried : bool
            All of them are known to parse.
        """
        implicit = not self.explicit
        raw: dict[BaseTag, DataElement | RawDataElement] = {}
        for tag, vr, value in self.elements:
            key = BaseTag(tag)
            content: Any = value or empty_value_for_VR(vr, raw=True)
            raw[key] = RawDataElement(key, vr, len(value), content, 0, implicit, True)
        dataset = Dataset(raw)
        dataset.set_original_encoding(implicit, True, _encodings(dataset))
        if not tried:
            drop_malformed(dataset)
        return dataset

    def parses(self) -> bool:
        """Whether every element is sure to parse."""
        return all(parses(*element) for element in self.elements)


def read_header(path: Path) -> Dataset | None:
    """Read the header of a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset or None
        Without pixels, and without values that do not parse; None where the file is not DICOM, or is a
        DICOMDIR.

    Raises
    ------
    Unreadable
        If the file is DICOM, or named like it, and is damaged or ends early, in its header or its pixels.
    """
    header = read_compact(path)
    return header.dataset() if isinstance(header, PlainHeader) else header


def read_compact(path: Path) -> PlainHeader | Dataset | None:
    """Read a header as `read_header` does; that of a plain file is left as bytes."""
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(_START)
            if not _is_dicom(start):
                if path.suffix.lower() in _DICOM_NAMES:
                    raise Unreadable("it is named like a DICOM file, but its content is not DICOM")
                return None
            plain = plain_elements(start, size, _WANTED)
            if plain is None and len(start) == _START < size:
                plain = plain_elements(start + file.read(_LONGEST), size, _WANTED)
            if plain and any(tag == _SOP_CLASS and value for tag, _, value in plain[1]):
                return PlainHeader(*plain)
            with _Bounded(file) as bounded:
                bounded.seek(0)
                return _read(bounded, size)
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror or error})") from error


def read_image(path: Path) -> Dataset:
    """Read what decoding the pixels of a file needs, at least; raises what pydicom raises."""
    with path.open("rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > _LONGEST:
            return pydicom.dcmread(file, force=True)
        plain = plain_elements(file.read(), size, _DECODING)
        if not plain:
            file.seek(0)
            return pydicom.dcmread(file, force=True)
    dataset = PlainHeader(*plain).dataset()
    dataset.file_meta = FileMetaDataset()
    return dataset


class _Bounded(io.BufferedReader):
    """A file of which no more is asked than it has: a damaged length would set aside gigabytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _START:
            size = max(0, min(size, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def _encodings(dataset: Dataset) -> list[str]:
    """Encodings of its text; an unknown Specific Character Set counts as absent."""
    try:
        return convert_encodings(dataset.get("SpecificCharacterSet"))
    except Exception:  # of a damaged value
        del dataset[_CHARACTER_SET]
        return convert_encodings(None)


def _is_dicom(start: bytes) -> bool:
    """Know DICOM by its preamble, or without one by a first element of group 0002 or 0008 (PS3.10 7.1)."""
    if start[128:132] == b"DICM":
        return True
    if len(start) < 8 or start[:2] not in (b"\x02\x00", b"\x08\x00") or start[3] != 0:
        return False
    explicit = start[4:6] in (b"UL", b"CS", b"UI", b"DA", b"OB")
    length = struct.unpack("<I", start[4:8])[0]
    return explicit or (start[0] == 8 and length < 128 and length % 2 == 0)


def _read(file: BinaryIO, size: int) -> FileDataset | None:
    try:
        # The read position afterwards says whether the header ended at pixels or at the end of the file.
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        drop_malformed(header)
        drop_malformed(header.file_meta)
        if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            return None
        if not header.get("SOPClassUID"):
            raise Unreadable("its header ends early")
        missing = _pixels_missing(file, header, size) if _must_have_pixels(header) else None
    except Unreadable:
        raise
    except Exception as error:  # on a damaged file pydicom raises what it likes
        raise Unreadable(f"its header is damaged or ends early ({' '.join(str(error).split())})") from error
    if missing:
        raise Unreadable(missing, _series_of(header))
    return header


def _must_have_pixels(header: FileDataset) -> bool:
    """Say whether the header must end at pixel data: that of an image, or of what may have been one.

    Raw data, presentation states, spectra and private objects have none, though they can bear Rows and the
    series of an image. A SOP Class UID that nothing follows can itself be cut.
    """
    sop_class = header["SOPClassUID"].value
    return max(header.keys()) == _SOP_CLASS or _is_image(sop_class)


def _is_image(sop_class: UID) -> bool:
    return "Image Storage" in sop_class.name or sop_class in (SegmentationStorage, LABEL_MAP_SEGMENTATION)


def _series_of(header: FileDataset) -> str | None:
    """The series of a header that ends early; None where it is not known and can be one of MR images."""
    if "Rows" in header:  # without what follows it, the UID itself may have been cut
        return str(header.get("SeriesInstanceUID") or "")
    sop_class = header["SOPClassUID"].value
    return "" if _is_image(sop_class) and sop_class not in MR_IMAGES else None


def _pixels_missing(file: BinaryIO, header: FileDataset, size: int) -> str | None:
    """Say what of the pixel data is missing, from the length that their element declares."""
    start = file.read(12)
    syntax = getattr(header.file_meta, "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_deflated:
        return None
    if len(start) < 12:
        return "its header ends early"
    if syntax is not None and not syntax.is_little_endian:
        return None
    if start[:4] not in _PIXEL_TAGS:
        return None
    long_form = start[4:6] in _LONG_VR
    length = struct.unpack("<I", start[8:12] if long_form else start[4:8])[0]
    present = size - file.tell() + (0 if long_form else 4)
    if length != _UNDEFINED_LENGTH and length > present:
        return f"its pixel data end early ({present:,} of {length:,} bytes)"
    return None
