"""Functional groups: where enhanced multi-frame files keep what classic files keep per file.

References
----------
DICOM PS3.3 C.7.6.16.1, Multi-frame Functional Groups Module.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage

from uteroseg.dicom.private import PrivateElement

MULTI_FRAME = (EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)

_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_SHARED = "SharedFunctionalGroupsSequence"


def is_enhanced(header: Dataset) -> bool:
    """Say whether a file is an enhanced multi-frame MR image."""
    return header.get("SOPClassUID") in MULTI_FRAME


def frame_count(header: Dataset) -> int:
    """Count the frames that an enhanced file describes."""
    return len(header.get(_PER_FRAME) or ())


def functional_group(header: Dataset, keyword: str, frame: int = 0) -> Dataset:
    """Return a frame's functional group: its own, else the one shared by all, else an empty one."""
    for parent, index in ((_PER_FRAME, frame), (_SHARED, 0)):
        items = header.get(parent) or ()
        if index < len(items) and items[index].get(keyword):
            group: Dataset = items[index][keyword].value[0]
            return group
    return Dataset()


def private_group(header: Dataset, element: PrivateElement, frame: int) -> Dataset:
    """Return the item of a private sequence in a frame's functional groups, else an empty one."""
    for parent, index in ((_PER_FRAME, frame), (_SHARED, 0)):
        items = header.get(parent) or ()
        value = element.value(items[index]) if index < len(items) else None
        if isinstance(value, Sequence) and value:
            return value[0]
    return Dataset()
