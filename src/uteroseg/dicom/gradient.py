"""Diffusion gradient directions, and which images are the scanner's own trace, by vendor.

References
----------
DICOM PS3.3 C.8.13.5.9, MR Diffusion Macro; the private attributes are those of the vendors' conformance
statements.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from uteroseg.dicom.bvalues import BValue
from uteroseg.dicom.csa import csa_numbers, csa_values
from uteroseg.dicom.private import PrivateElement

Direction = tuple[float, ...]

_PLACES = 3  # decimals of a unit vector: nearer directions are one
_DIRECTIONALITY = (
    PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0D),
    PrivateElement("philips", 0x2001, "Philips Imaging DD 001", 0x04),
)
_VECTORS = (
    PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0E, binary=True),
    PrivateElement("uih", 0x0065, "Image Private Header", 0x37, binary=True),
)
_COMPONENTS = (
    tuple(PrivateElement("ge", 0x0019, "GEMS_ACQU_01", n) for n in (0xBB, 0xBC, 0xBD)),
    tuple(
        PrivateElement("philips", 0x2005, "Philips MR Imaging DD 001", n, binary=True)
        for n in (0xB0, 0xB1, 0xB2)
    ),
)


def direction(item: Dataset) -> Direction | None:
    """Read a gradient direction.

    Parameters
    ----------
    item : Dataset
        Header of a classic image, or the MR Diffusion Sequence item of a frame.

    Returns
    -------
    tuple of 3 floats or None
        None where there is none, as at b 0, or it is unknown.
    """
    vector = _vector(item)
    return tuple(round(v, _PLACES) + 0.0 for v in vector) if any(vector) else None


def is_isotropic(item: Dataset, b_value: BValue | None) -> bool:
    """Say whether an image is the scanner's own trace image.

    A direction of all zeros at a b-value above 0 says so as well: GE and Philips write it where the images of
    the directions were combined.
    """
    said = [str(item.get("DiffusionDirectionality") or ""), *(e.text(item) for e in _DIRECTIONALITY)]
    if not any(said):
        said.extend(csa_values(item, "DiffusionDirectionality"))
    if any(text.upper() in ("ISOTROPIC", "I") for text in said):
        return True
    return b_value is not None and b_value.value > 0 and _vector(item) == (0, 0, 0)


def _vector(item: Dataset) -> tuple[float, ...]:
    """Three numbers as written: standard, enhanced, then private; empty where there are none."""
    standard = item.get("DiffusionGradientOrientation")
    if standard is None and item.get("DiffusionGradientDirectionSequence"):
        standard = item.DiffusionGradientDirectionSequence[0].get("DiffusionGradientOrientation")
    vector = tuple(standard or ()) or next((v for e in _VECTORS if (v := e.read(item))), ())
    if not vector:
        parts = ([e.read(item) for e in elements] for elements in _COMPONENTS)
        vector = next((tuple(p[0] for p in part if p) for part in parts if all(part)), ())
    if not vector:
        vector = csa_numbers(item, "DiffusionGradientDirection")
    return tuple(float(v) for v in vector) if len(vector) == 3 else ()
