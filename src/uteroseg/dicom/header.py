"""Read the header of one file: only the elements that uteroseg uses, and never a truncated one in silence.

pydicom reads a file that ends in the middle of its header without complaint, so the end is checked here; and
it converts values when they are asked for, so they are tried here.

References
----------
DICOM PS3.10 7.1, DICOM File Meta Information; PS3.5 7.1, Data Elements.
"""

from __future__ import annotations

import io
import math
import os
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from struct import Struct, error
from typing import Any, BinaryIO, NamedTuple

import pydicom
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, AllTransferSyntaxes, MediaStorageDirectoryStorage, SegmentationStorage

from uteroseg.dicom.classify import LABEL_MAP_SEGMENTATION, MR_IMAGES
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
        *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    )
)
_SOP_CLASS = Tag("SOPClassUID")
_CHARACTER_SET = Tag("SpecificCharacterSet")
_DICOM_NAMES = (".dcm", ".dicom", ".ima")
_PIXEL_TAGS = {b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00"}
_PIXEL_VR = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"}
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


def read_whole(path: Path) -> Dataset:
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
    long_form = start[4:6] in _PIXEL_VR
    length = struct.unpack("<I", start[8:12] if long_form else start[4:8])[0]
    present = size - file.tell() + (0 if long_form else 4)
    if length != _UNDEFINED_LENGTH and length > present:
        return f"its pixel data end early ({present:,} of {length:,} bytes)"
    return None


# The elements that are wanted, from the bytes of a whole header, without making objects of the others: in a
# fifth of pydicom's time, of plain files only (little endian, pixels at the end, every length right).

_PREFIX = 132
_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHL").unpack_from
_LENGTH = Struct("<L").unpack_from
_LONG_VR = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_VR = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH"),
    *(b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
_UNDEFINED = 0xFFFFFFFF
_META = 0x0002
_TRANSFER_SYNTAX = 0x00020010
_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SYNTAXES = {
    str(uid): not uid.is_implicit_VR
    for uid in map(UID, AllTransferSyntaxes)
    if uid.is_little_endian and not uid.is_deflated
}
_COMPRESSED = {syntax for syntax in _SYNTAXES if UID(syntax).is_compressed}


class Element(NamedTuple):
    """One element: its tag, its VR (None where it is implicit) and the bytes of its value."""

    tag: int
    vr: str | None
    value: bytes


class _NotPlain(Exception):
    """The file is damaged, or written in a way that is left to pydicom."""


def plain_elements(
    start: bytes, size: int, wanted: frozenset[int]
) -> tuple[bool, tuple[Element, ...]] | None:
    """Find the elements of a plain file before its pixels.

    Parameters
    ----------
    start : bytes
        The beginning of the file.
    size : int
        Of the whole file.
    wanted : frozenset of int
        Tags; pixel data only of files that are not compressed.

    Returns
    -------
    explicit : bool
        Whether VRs are explicit.
    elements : tuple of Element
        The wanted ones. A sequence of undefined length is given without its delimiter.

    None instead of both where the file is not plain or the header goes on after ``start``.
    """
    try:
        syntax, at = _file_meta(start)
        explicit = _SYNTAXES[syntax]
        if syntax in _COMPRESSED and not _PIXELS.isdisjoint(wanted):
            raise _NotPlain
        return explicit, _elements(start, at, size, explicit, wanted)
    except (_NotPlain, KeyError, error, RecursionError):
        return None


def _file_meta(data: bytes) -> tuple[str, int]:
    """The transfer syntax, and where the data set begins."""
    if data[_PREFIX - 4 : _PREFIX] != b"DICM":
        raise _NotPlain
    at, syntax = _PREFIX, ""
    while _EXPLICIT(data, at)[0] == _META:
        tag, _, begin, length = _next(data, at, True)
        if length == _UNDEFINED:
            raise _NotPlain
        at = begin + length
        if tag == _TRANSFER_SYNTAX:
            syntax = data[begin:at].decode("latin-1").rstrip(" \0")
    return syntax, at


def _elements(data: bytes, at: int, size: int, explicit: bool, wanted: frozenset[int]) -> tuple[Element, ...]:
    found: dict[int, Element] = {}
    end = len(data)
    while True:
        tag, vr, begin, length = _next(data, at, explicit)
        if tag in _PIXELS:
            if length != _UNDEFINED and begin + length > size:
                raise _NotPlain
            if tag in wanted:
                found[tag] = Element(tag, vr.decode("ascii") if vr else None, data[begin : begin + length])
            return tuple(found.values())
        if length != _UNDEFINED:
            stop = at = begin + length
        elif vr in (b"SQ", None):
            stop, at = _sequence(data, begin, explicit)
            vr = b"SQ"
        else:
            raise _NotPlain
        if at > end:
            raise _NotPlain
        if tag in wanted:
            found[tag] = Element(tag, vr.decode("ascii") if vr else None, data[begin:stop])


def _next(data: bytes, at: int, explicit: bool) -> tuple[int, bytes | None, int, int]:
    """Tag, VR, where the value begins and its length."""
    if not explicit:
        group, number, length = _IMPLICIT(data, at)
        return group << 16 | number, None, at + 8, length
    group, number, vr, length = _EXPLICIT(data, at)
    if vr in _SHORT_VR:
        return group << 16 | number, vr, at + 8, length
    if vr in _LONG_VR:
        return group << 16 | number, vr, at + 12, _LENGTH(data, at + 8)[0]
    raise _NotPlain


def _sequence(data: bytes, at: int, explicit: bool) -> tuple[int, int]:
    """Where the items of a sequence of undefined length end, and where its delimiter does."""
    while True:
        group, number, length = _IMPLICIT(data, at)
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            return at, at + 8
        if tag != _ITEM:
            raise _NotPlain
        at = _item(data, at + 8, explicit) if length == _UNDEFINED else at + 8 + length


def _item(data: bytes, at: int, explicit: bool) -> int:
    """Where an item of undefined length ends."""
    while True:
        group, number, _ = _IMPLICIT(data, at)
        if group << 16 | number == _ITEM_END:
            return at + 8
        _, vr, begin, length = _next(data, at, explicit)
        if length != _UNDEFINED:
            at = begin + length
        elif vr in (b"SQ", None):
            at = _sequence(data, begin, explicit)[1]
        else:
            raise _NotPlain


# Values that do not parse count as absent: pydicom converts one when it is asked for, and only then raises.

_RESCALE = {tag_for_keyword("RescaleSlope"), tag_for_keyword("RescaleIntercept")}
_TEXT = {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UI"}  # any bytes are some text
_BYTES = {"OB", "OW"}
_NUMBERS = {"DS", "IS", "FD", "FL", "SL", "SS", "UL", "US"}
_SIZES = {"SL": 4, "SS": 2, "UL": 4, "US": 2}
_FLOATS = {"FD": ("d", 8), "FL": ("f", 4)}
_DECIMAL = rb" *[+-]?\d{1,16}(?:\.\d*)?(?:[eE][+-]?\d\d?)? *"
_INTEGER = rb" *[+-]?\d{1,10} *"
_PLAIN = {  # finite numbers without doubt; others are tried
    "DS": re.compile(rb"%b(?:\\%b)*" % (_DECIMAL, _DECIMAL)),
    "IS": re.compile(rb"%b(?:\\%b)*" % (_INTEGER, _INTEGER)),
}


def drop_malformed(dataset: Dataset) -> None:
    """Remove elements that do not parse, and numbers that are not finite, here and in all sequences.

    Of a rescale, which changes what pixels mean where it is absent, it is told: it becomes not a number.
    """
    for element in list(dataset.values()):
        raw = isinstance(element, RawDataElement) and element.is_little_endian
        if raw and parses(element.tag, element.VR, element.value):
            continue
        try:
            converted = dataset[element.tag]
            sound = _is_sound(converted)
            for item in converted.value if sound and converted.VR == "SQ" else ():
                drop_malformed(item)
        except Exception:  # conversions of damaged values raise what they like
            sound = False
        if not sound:
            del dataset[element.tag]
            if element.tag in _RESCALE:
                dataset.add_new(element.tag, "FD", math.nan)


def parses(tag: int, vr: str | None, value: bytes | None) -> bool:
    """Whether a value is sure to parse, told from its little-endian bytes: far cheaper than conversion."""
    known = _dictionary_vr(tag)
    vr = vr or known
    if "SQ" in (known, vr):
        return False
    if not value or vr in _TEXT or vr in _BYTES:
        return True
    if vr in _PLAIN:
        return _PLAIN[vr].fullmatch(value) is not None
    if vr in _SIZES:
        return len(value) % _SIZES[vr] == 0
    if vr in _FLOATS:
        code, size = _FLOATS[vr]
        count, rest = divmod(len(value), size)
        return not rest and all(map(math.isfinite, struct.unpack(f"<{count}{code}", value)))
    return False


def _is_sound(element: DataElement) -> bool:
    """Whether a converted value is what its VR promises: pydicom falls back to text, or bytes."""
    known, value = _dictionary_vr(element.tag), element.value
    if "SQ" in (known, element.VR):
        return isinstance(value, Items) and known in ("SQ", "")
    if element.VR not in _NUMBERS or value is None:
        return True
    numbers = [value] if isinstance(value, str | int | float) else value
    return all(number == "" or math.isfinite(float(number)) for number in numbers)


@lru_cache(maxsize=4096)
def _dictionary_vr(tag: int) -> str:
    """VR of the standard, empty for private and unknown elements."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""
