"""Drop values that do not parse: they count as absent.

pydicom converts a value when it is asked for it, and only then raises what the conversion raises.

References
----------
DICOM PS3.5 6.2, Value Representation.
"""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

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
        return isinstance(value, Sequence) and known in ("SQ", "")
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
