"""The CSA image header (0029,1010), in which Siemens software before XA keeps what has no attribute.

It is parsed only where something in it is asked for: that takes longer than reading all else in the header of
the file.

References
----------
nibabel, "Siemens format DICOM with CSA header", https://nipy.org/nibabel/dicom/siemens_csa.html
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset

from uteroseg.dicom.private import PrivateElement

_IMAGE_HEADER = PrivateElement("siemens", 0x0029, "SIEMENS CSA HEADER", 0x10)
_TAG_BYTES = 84  # of a tag's name, multiplicity, VR and so on, before its items
_ITEM_COUNT = 76  # where among them the number of items is


def csa_values(header: Dataset, name: str) -> tuple[str, ...]:
    """Return the values of a CSA tag.

    Parameters
    ----------
    header : Dataset
    name : str
        E.g. ``B_value``.

    Returns
    -------
    tuple of str
        Empty where the tag has no value, the file has no CSA header, or it is malformed.
    """
    blob = _IMAGE_HEADER.value(header)
    if not isinstance(blob, bytes) or not _has_values(blob, name):
        return ()
    return tuple(str(item) for item in _tags(blob).get(name, {}).get("items", ()))


def csa_numbers(header: Dataset, name: str) -> tuple[float, ...]:
    """Return the values of a CSA tag as numbers; empty where they are none."""
    try:
        return tuple(float(value) for value in csa_values(header, name))
    except ValueError:
        return ()


def _has_values(blob: bytes, name: str) -> bool:
    """Peek at a tag's number of items: the tags of diffusion are empty in all other images of a folder."""
    at = blob.find(name.encode() + b"\0")
    return 0 <= at <= len(blob) - _TAG_BYTES and blob[at + _ITEM_COUNT : at + _ITEM_COUNT + 4] != bytes(4)


@lru_cache(maxsize=4)  # b-value, direction and mosaic of one file are asked for one after the other
def _tags(blob: bytes) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        from nibabel.nicom import csareader
    try:
        return csareader.read(blob)["tags"]
    except Exception:  # a header cut or edited anywhere makes the reader raise what it likes
        return {}
