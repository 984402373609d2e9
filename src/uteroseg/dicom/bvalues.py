"""b-values: where each vendor writes them, and which of them are the same.

References
----------
DICOM PS3.3 C.8.13.5.9, MR Diffusion Macro; the private attributes are those of the vendors' conformance
statements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from uteroseg.dicom.csa import csa_numbers, csa_values
from uteroseg.dicom.private import PrivateElement

GE_OFFSET = 1_000_000_000
"""GE adds it to the b-value on some software versions."""

TOLERANCE = 3.0
RELATIVE_TOLERANCE = 0.01
"""b-values less than 3 s/mm² or 1 % apart (whichever is more) are one b-value."""

_PLAUSIBLE_MAX = 50_000.0  # s/mm²; a larger number is not a b-value
_PLAUSIBLE_MIN = 1e-6  # s/mm²; a smaller one above 0 is bytes read in the wrong order
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


SIEMENS = PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0C)
GE = PrivateElement("ge", 0x0043, "GEMS_PARM_01", 0x39)
PHILIPS = PrivateElement("philips", 0x2001, "Philips Imaging DD 001", 0x03, binary=True)
UNITED_IMAGING = PrivateElement("uih", 0x0065, "Image Private Header", 0x09, binary=True)


def _standard(dataset: Dataset) -> float | None:
    value = dataset.get("DiffusionBValue")
    return None if value is None else float(value)


def _siemens_csa(dataset: Dataset) -> float | None:
    numbers = csa_numbers(dataset, "B_value")
    if numbers:
        return numbers[0]
    # Some software leaves B_value out at b 0.
    return 0.0 if csa_values(dataset, "DiffusionDirectionality") == ("NONE",) else None


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
    ("Siemens CSA header (0029,1010) B_value", _siemens_csa),
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
        if value is not None and (value == 0 or _PLAUSIBLE_MIN <= value <= _PLAUSIBLE_MAX):
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
