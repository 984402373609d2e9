"""Read the header of one file: only the elements that uteroseg uses, and never a truncated one in silence.

pydicom reads a file that ends in the middle of its header without complaint, so the end is checked here.

References
----------
DICOM PS3.10 7.1, DICOM File Meta Information; PS3.5 7.1, Data Elements.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag
from pydicom.uid import MediaStorageDirectoryStorage, SegmentationStorage

# fmt: off
_KEYWORDS = (
    # what it is
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "ImageType", "Modality", "Manufacturer",
    "ManufacturerModelName",
    "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription",
    "FrameOfReferenceUID",
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
    "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "RescaleType", "Units",
    "RealWorldValueMappingSequence",
)
# fmt: on
_PRIVATE = (
    (0x0019, (0x0C, 0x0D, 0x0E, 0xBB, 0xBC, 0xBD)),  # Siemens b-value and direction, GE direction
    (0x0043, (0x39,)),  # GE b-value
    (0x2001, (0x03, 0x04)),  # Philips b-value, directionality
    (0x2005, (0x0E, 0xB0, 0xB1, 0xB2)),  # Philips scale slope, direction
    (0x0065, (0x09, 0x37, 0x50)),  # United Imaging b-value, direction, tiled frames
)
_BLOCKS = range(0x10, 0x14)  # vendors reserve the first block; others can follow after re-export
_TAGS: list[BaseTag] = [
    *map(Tag, _KEYWORDS),
    *(Tag(group, block) for group, _ in _PRIVATE for block in _BLOCKS),
    *(Tag(group, (block << 8) + n) for group, numbers in _PRIVATE for block in _BLOCKS for n in numbers),
]
_DICOM_NAMES = (".dcm", ".dicom", ".ima")
_PIXEL_TAGS = {b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00"}
_LONG_VR = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"}
_DAMAGE = (
    *(InvalidDicomError, BytesLengthException, OSError, EOFError, ValueError, KeyError, TypeError),
    *(AttributeError, NotImplementedError, struct.error),
)
_UNDEFINED_LENGTH = 0xFFFFFFFF


class Unreadable(Exception):
    """A DICOM file that cannot be read, with the reason and, if known, its series."""

    def __init__(self, reason: str, series_uid: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.series_uid = series_uid


def read_header(path: Path) -> FileDataset | None:
    """Read the header of a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    FileDataset or None
        Without pixels; None where the file is not DICOM, or is a DICOMDIR.

    Raises
    ------
    Unreadable
        If the file is DICOM, or named like it, and is damaged or ends early, in its header or its pixels.
    """
    try:
        with path.open("rb") as file:
            if not _is_dicom(file):
                if path.suffix.lower() in _DICOM_NAMES:
                    raise Unreadable("it is named like a DICOM file, but its content is not DICOM")
                return None
            return _read(file, path.stat().st_size)
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror or error})") from error


def _is_dicom(file: BinaryIO) -> bool:
    """Know DICOM by its preamble, or without one by a first element of group 0002 or 0008 (PS3.10 7.1)."""
    start = file.read(132)
    file.seek(0)
    if start[128:] == b"DICM":
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
        _drop_malformed(header)
        if getattr(header.file_meta, "MediaStorageSOPClassUID", None) == MediaStorageDirectoryStorage:
            return None
        if not header.get("SOPClassUID"):
            raise Unreadable("its header ends early")
        missing = _pixels_missing(file, header, size) if _must_have_pixels(header) else None
    except _DAMAGE as error:
        raise Unreadable(f"its header is damaged or ends early ({' '.join(str(error).split())})") from error
    if missing:
        # Without what follows it, the UID itself may have been cut.
        raise Unreadable(missing, str(header.get("SeriesInstanceUID") or "") if "Rows" in header else None)
    return header


def _drop_malformed(header: FileDataset) -> None:
    """Remove values that do not parse, which pydicom tells on access only: they count as absent."""
    for tag in list(header.keys()):
        try:
            header[tag]
        except _DAMAGE:
            del header[tag]


def _must_have_pixels(header: FileDataset) -> bool:
    """Say whether the header must end at pixel data.

    The SOP Class UID can itself be cut: then it differs from the one in the file meta information, or, in
    files without that, it is unknown.
    """
    sop_class = header["SOPClassUID"].value
    announced = getattr(header.file_meta, "MediaStorageSOPClassUID", None)
    cut = sop_class != announced if announced else sop_class.name == sop_class
    return "Rows" in header or cut or "Image Storage" in sop_class.name or sop_class == SegmentationStorage


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
