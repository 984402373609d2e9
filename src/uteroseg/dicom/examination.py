"""Whose images they are, in values that DICOM allows: what is else is mended, or left out.

Scanners, de-identifiers and converters write what they like; what we write beside it, others must take.

References
----------
DICOM PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), C.7.2.2 (Patient Study); PS3.5 6.1 (character sets),
6.2 (value representations).
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import pydicom
from pydicom.charset import CODES_TO_ENCODINGS, convert_encodings, decode_bytes, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import PN_DELIMS, format_number_as_ds

_UID = re.compile(r"[!-[\]-~]{1,64}")  # not the rule: one that breaks it is kept, since it refers
_DATE = re.compile(r"(\d{4})([.\-/]?)(\d\d)\2(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d)(\.\d{1,6})?\d*)?)?", re.ASCII)
_AGE = re.compile(r"(\d{1,3}) ?([DWMY])", re.ASCII)
_SEX = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M", "O": "O", "OTHER": "O"}
_GROUPS, _COMPONENTS = 3, 5  # of a person's name
_LONG, _SHORT = 64, 16  # characters of LO (and of a group of a name), SH
_LARGEST = 1e6  # of a size or weight


def examination(file: Path, header: Dataset) -> Dataset:
    """Patient and study of an image, as DICOM allows them.

    Parameters
    ----------
    file : Path
    header : Dataset
        What was read of it: the patient's and the study's identifiers are as they were read.

    Returns
    -------
    Dataset
        In UTF-8. What every object must have is there, if empty; a Study Instance UID is made where none is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes values that break a rule
        found = Dataset()
        found.SpecificCharacterSet = "ISO_IR 192"
        written = _texts(file)
        for keyword, (mend, required) in _MENDED.items():
            value = mend(written.get(keyword, ""))
            if value or required:
                setattr(found, keyword, value)
        if "DeidentificationMethod" not in found:  # which the statement is worth nothing without
            found.pop("PatientIdentityRemoved", None)
        patient = header.get("PatientID")
        found.PatientID = _identifier(patient, _LONG) if isinstance(patient, str) else ""  # not of several
        found.StudyInstanceUID = uid_of(header, "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        return found


def uid_of(header: Dataset, keyword: str, *others: str) -> UID:
    """A UID of a header; where it is none, one made of it and of the others: the same from the same."""
    texts = [str(header.get(name) or "").strip() for name in (keyword, *others)]
    if _UID.fullmatch(texts[0]):
        return UID(texts[0])
    return generate_uid(entropy_srcs=["uteroseg", keyword, *texts] if any(texts) else None)


def _texts(file: Path) -> dict[str, str]:
    """What the file says, decoded; nothing of a file that cannot be read so."""
    tags = ["SpecificCharacterSet", *_MENDED]
    with suppress(Exception):  # of a damaged header pydicom raises what it likes
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags, force=True)
        encodings = _encodings(header)
        return {keyword: _text(header, keyword, encodings) for keyword in _MENDED if keyword in header}
    return {}


def _encodings(header: Dataset) -> Sequence[str]:
    """Python's names of the encodings; the first is the default where none is said, or an unknown one."""
    with suppress(Exception):
        return convert_encodings(header.get("SpecificCharacterSet"))
    return [default_encoding]


def _text(header: Dataset, keyword: str, encodings: Sequence[str]) -> str:
    element = header.get_item(keyword)
    raw = element.value if isinstance(element, RawDataElement) else None
    return _decoded(raw, encodings) if isinstance(raw, bytes) else str(header.get(keyword) or "")


def _decoded(raw: bytes, encodings: Sequence[str]) -> str:
    """Decode as is said, else as what programs write that do not say it."""
    if b"\x1b" in raw:
        return decode_bytes(raw, [encodings[0], *CODES_TO_ENCODINGS.values()], PN_DELIMS)  # each says which
    said = encodings[:1] if encodings[0] != default_encoding else ()
    for encoding in (*said, "utf-8", "cp1252"):
        with suppress(UnicodeError, LookupError):
            return raw.decode(encoding)
    return raw.decode("latin-1")


def _plain(text: str) -> str:
    """The first of several values, without characters that control something."""
    shown = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return next((value.strip() for value in shown.split("\\") if value.strip()), "")


def _name(text: str) -> str:
    groups = [group.strip()[:_LONG] for group in _plain(text).split("=")[:_GROUPS]]
    parts = [group.split("^", _COMPONENTS - 1) for group in groups]
    return "=".join("^".join(part.replace("^", " ") for part in some) for some in parts)


def _long(text: str) -> str:
    return _plain(text)[:_LONG].strip()


def _identifier(text: str, length: int) -> str:
    """Whole, or not at all: a part of an identifier is another one."""
    return text.strip() if _plain(text) == text.strip() and len(text.strip()) <= length else ""


def _short(text: str) -> str:
    return _identifier(text.rstrip("\0 "), _SHORT)


def _date(text: str) -> str:
    if found := _DATE.fullmatch(_plain(text)):
        year, _, month, day = found.groups()
        with suppress(ValueError):
            date(int(year), int(month), int(day))
            return f"{year}{month}{day}"
    return ""


def _time(text: str) -> str:
    found = _TIME.fullmatch(_plain(text))
    return "".join(part or "" for part in found.groups()) if found else ""


def _sex(text: str) -> str:
    return _SEX.get(_plain(text).upper(), "")


def _yes_or_no(text: str) -> str:
    return _plain(text) if _plain(text) in ("YES", "NO") else ""


def _age(text: str) -> str:
    found = _AGE.fullmatch(_plain(text).upper())
    return f"{int(found[1]):03d}{found[2]}" if found else ""


def _number(text: str) -> str:
    with suppress(ValueError):
        if 0 < float(_plain(text)) < _LARGEST:
            return format_number_as_ds(float(_plain(text)))
    return ""


_MENDED: dict[str, tuple[Callable[[str], str], bool]] = {
    "StudyDate": (_date, True),
    "StudyTime": (_time, True),
    "AccessionNumber": (_short, True),
    "ReferringPhysicianName": (_name, True),
    "StudyDescription": (_long, False),
    "PatientName": (_name, True),
    "PatientBirthDate": (_date, True),
    "PatientSex": (_sex, True),
    "PatientAge": (_age, False),
    "PatientSize": (_number, False),
    "PatientWeight": (_number, False),
    "PatientIdentityRemoved": (_yes_or_no, False),
    "DeidentificationMethod": (_long, False),
    "StudyID": (_short, True),
}
"""How each is mended, and whether an object without it is none (type 2)."""
