"""Private elements: where vendors keep what the standard has no attribute for, or had none at the time.

References
----------
DICOM PS3.5 7.8, Private Data Elements; 6.2.2, Unknown (UN) Value Representation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class PrivateElement:
    """A private element: its group, the creator of its block, its number in the block, and how bytes read."""

    vendor: str
    group: int
    creator: str
    number: int
    binary: bool = False

    def read(self, dataset: Dataset) -> tuple[float, ...] | None:
        """Return its numbers, or None; raw bytes (implicit VR, anonymised files) are decoded."""
        value = self.value(dataset)
        return None if value is None else _numbers(value, self.binary)

    def text(self, dataset: Dataset) -> str:
        """Return its text, empty where it is absent."""
        value = self.value(dataset)
        return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")

    def value(self, dataset: Dataset) -> Any:
        """Return its value as pydicom decoded it, or None."""
        # Dataset.private_block does the first half too, and took half of the time of reading a series.
        tags = dataset.keys()  # unsorted, unlike the data set itself
        for tag in [tag for tag in tags if tag >> 16 == self.group and tag & 0xFF00 == 0]:
            element = (self.group, ((tag & 0xFF) << 8) + self.number)
            if element in dataset and dataset[tag].value == self.creator:
                return dataset[element].value
        # De-identification can leave the element without its creator: the manufacturer vouches for it.
        orphan = (self.group, 0x1000 + self.number)
        if orphan not in dataset or (self.group, 0x0010) in dataset:
            return None
        return dataset[orphan].value if self.vendor in vendor_text(dataset) else None


def vendor_text(dataset: Dataset) -> str:
    """Manufacturer in lower case."""
    return str(dataset.get("Manufacturer") or "").lower()


def _numbers(value: Any, binary: bool) -> tuple[float, ...] | None:
    """Decode a private value: numbers, text, text as bytes, or little-endian floats as bytes."""
    if isinstance(value, bytes):
        if binary and value and (len(value) == 4 or len(value) % 8 == 0):
            return struct.unpack("<f" if len(value) == 4 else f"<{len(value) // 8}d", value)
        value = value.decode("latin-1")
    if isinstance(value, str):
        parts = [part.strip(" \0") for part in value.split("\\")]
        return tuple(map(float, parts)) if all(_NUMBER.fullmatch(part) for part in parts) else None
    if value is None:
        return None
    if isinstance(value, Sequence) or hasattr(value, "__iter__"):
        return tuple(float(v) for v in value)
    return (float(value),)
