"""b-values: where each vendor writes them, and which of them are the same.

References
----------
DICOM PS3.3 C.8.13.5.9, MR Diffusion Macro; the private attributes are those of the vendors' conformance
statements.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

GE_OFFSET = 1_000_000_000
"""GE adds it to the b-value on some software versions."""

TOLERANCE = 3.0
RELATIVE_TOLERANCE = 0.01
"""b-values less than 3 s/mm² or 1 % apart (whichever is more) are one b-value."""

_PLAUSIBLE_MAX = 50_000.0  # s/mm²; a larger number is not a b-value
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SIEMENS_SEQUENCE = re.compile(r"ep_b(\d+)(?:t|#\d+)?$")


@dataclass(frozen=True)
class BValue:
    """A b-value and where it was found.

    Parameters
    ----------
    value : float
        s/mm².
    source : str
        For people, e.g. ``Siemens private (0019,100C)``.
    """

    value: float
    source: str


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
        element = self._element(dataset)
        return None if element is None else _numbers(element, self.binary)

    def text(self, dataset: Dataset) -> str:
        """Return its text, empty where it is absent."""
        value = self._element(dataset)
        return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")

    def _element(self, dataset: Dataset) -> Any:
        try:
            return dataset.private_block(self.group, self.creator)[self.number].value
        except KeyError:
            # De-identification can leave the element without its creator: the manufacturer vouches for it.
            orphan = (self.group, 0x1000 + self.number)
            if (self.group, 0x0010) in dataset or self.vendor not in vendor_text(dataset):
                return None
            return dataset[orphan].value if orphan in dataset else None


def vendor_text(dataset: Dataset) -> str:
    """Manufacturer in lower case."""
    return str(dataset.get("Manufacturer") or "").lower()


SIEMENS = PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0C)
GE = PrivateElement("ge", 0x0043, "GEMS_PARM_01", 0x39)
PHILIPS = PrivateElement("philips", 0x2001, "Philips Imaging DD 001", 0x03, binary=True)
UNITED_IMAGING = PrivateElement("uih", 0x0065, "Image Private Header", 0x09, binary=True)


def _standard(dataset: Dataset) -> float | None:
    value = dataset.get("DiffusionBValue")
    return None if value is None else float(value)


def _siemens_sequence(dataset: Dataset) -> float | None:
    # "*ep_b50_800" is a range: the image was made from several b-values and has none itself.
    found = _SIEMENS_SEQUENCE.search(str(dataset.get("SequenceName") or ""))
    return float(found[1]) if found else None


def _ge(dataset: Dataset) -> float | None:
    value = _first(GE, dataset)
    return None if value is None else value % GE_OFFSET


def _undiffused(dataset: Dataset) -> float | None:
    return 0.0 if dataset.get("DiffusionDirectionality") == "NONE" else None


def _first(element: PrivateElement, dataset: Dataset) -> float | None:
    numbers = element.read(dataset)
    return numbers[0] if numbers else None


READERS: tuple[tuple[str, Callable[[Dataset], float | None]], ...] = (
    ("standard (0018,9087)", _standard),
    ("Siemens private (0019,100C)", lambda dataset: _first(SIEMENS, dataset)),
    ("Siemens SequenceName (0018,0024)", _siemens_sequence),
    ("GE private (0043,1039)", _ge),
    ("Philips private (2001,1003)", lambda dataset: _first(PHILIPS, dataset)),
    ("United Imaging private (0065,1009)", lambda dataset: _first(UNITED_IMAGING, dataset)),
    ("standard (0018,9075), no diffusion weighting", _undiffused),
)
"""In this order; the first that answers is believed."""

CANON_B0 = BValue(0.0, "Canon: b 0 images carry no b-value")


def read_b_value(dataset: Dataset) -> BValue | None:
    """Read the b-value of one image, or of one frame's MR Diffusion Sequence item.

    Parameters
    ----------
    dataset : Dataset
        Header of a classic image, or the item.

    Returns
    -------
    BValue or None
        None where no attribute holds a plausible one (0 to 50,000 s/mm²).
    """
    for source, reader in READERS:
        try:
            value = reader(dataset)
        except (TypeError, ValueError, NotImplementedError):  # malformed values raise late, on access
            continue
        if value is not None and 0 <= value <= _PLAUSIBLE_MAX:
            return BValue(value, source)
    return None


def complete(b_values: Sequence[BValue | None], manufacturer: str) -> tuple[BValue | None, ...]:
    """Fill in what a series' images say together: Canon and Toshiba leave the b-value out at b 0.

    Only where other images of the series do carry one above 0, so that files that lost theirs are not taken
    for b 0.
    """
    canon = any(name in manufacturer.lower() for name in ("canon", "toshiba"))
    if canon and any(b is not None and b.value > TOLERANCE for b in b_values):
        return tuple(b or CANON_B0 for b in b_values)
    return tuple(b_values)


def merge(values: Sequence[float]) -> dict[float, float]:
    """Map measured b-values to the study's.

    Values within 3 s/mm² or 1 % of the smallest of their group (whichever is more) are one b-value: the
    group's median, rounded to whole s/mm² (0.001 → 0; 929.75 and 930 → 930).

    Parameters
    ----------
    values : sequence of float
        s/mm², one per image.

    Returns
    -------
    dict
        Every distinct value → its b-value.
    """
    groups: list[list[float]] = []
    for value in sorted(values):
        if groups and value - groups[-1][0] <= max(TOLERANCE, RELATIVE_TOLERANCE * groups[-1][0]):
            groups[-1].append(value)
        else:
            groups.append([value])
    return {value: float(round(group[len(group) // 2])) for group in groups for value in group}


def _numbers(value: Any, binary: bool) -> tuple[float, ...] | None:
    """Decode a private value: numbers, text, text as bytes, or little-endian floats as bytes."""
    if isinstance(value, bytes):
        if binary and len(value) in (4, 8):
            return struct.unpack("<f" if len(value) == 4 else "<d", value)
        value = value.decode("latin-1")
    if isinstance(value, str):
        parts = [part.strip(" \0") for part in value.split("\\")]
        return tuple(map(float, parts)) if all(_NUMBER.fullmatch(part) for part in parts) else None
    if value is None:
        return None
    if isinstance(value, Sequence) or hasattr(value, "__iter__"):
        return tuple(float(v) for v in value)
    return (float(value),)
