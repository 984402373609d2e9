"""From stored values to values that compare between images: rescale, and Philips' private scale slope.

Philips scales what it measured to stored values by the scale slope, and stored values to what the console
displays by the rescale slope: displayed = stored × slope + intercept, measured = displayed ÷ (slope × scale
slope). Both slopes can differ from image to image. The rescaled values of other vendors compare as they are.

References
----------
DICOM PS3.3 C.11.1, Modality LUT Module; Chenevert et al., Errors in quantitative image analysis due to
platform-dependent image scaling, Transl Oncol 2014, PMC3998685 (Philips).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from uteroseg.dicom.enhanced import functional_group, is_enhanced, private_group
from uteroseg.dicom.private import PrivateElement, vendor_text
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

_SCALE_SLOPE = PrivateElement("philips", 0x2005, "Philips MR Imaging DD 001", 0x0E, binary=True)
_PER_FRAME = PrivateElement("philips", 0x2005, "Philips MR Imaging DD 005", 0x0F)


@dataclass(frozen=True)
class Scaling:
    """How the stored values of one image plane are to be read.

    Parameters
    ----------
    slope, intercept : float
        Rescale of the stored values.
    scale_slope : float or None
        Philips (2005,100E).
    displayed : tuple of float
        Philips: every slope and intercept in the header, rescale and real world; empty for other vendors.
        Images in which they differ compare only through their scale slopes.
    """

    slope: float = 1.0
    intercept: float = 0.0
    scale_slope: float | None = None
    displayed: tuple[float, ...] = ()

    def apply(self, stored: Array, *, comparable: bool) -> Array:
        """Rescale, as float32; with ``comparable`` undo Philips' scaling to display."""
        image = stored.astype(np.float32)
        if (self.slope, self.intercept) != (1.0, 0.0):
            image = image * np.float32(self.slope) + np.float32(self.intercept)
        if comparable and self.scale_slope is not None:
            image = image / np.float32(self.slope * self.scale_slope)
        return image


def scaling(header: Dataset, rescale: Dataset, index: int) -> Scaling:
    """Read the scaling of one image plane.

    Parameters
    ----------
    header : Dataset
    rescale : Dataset
        What holds its Rescale Slope: the header of a classic image, or the frame's functional group.
    index : int
        Frame number from 0.
    """
    stated = rescale.get("RescaleSlope")
    slope = 1.0 if stated in (None, "") else float(stated)
    if "ModalityLUTSequence" in header:  # a table in the place of the two numbers, which is not read
        slope = math.nan
    intercept = float(rescale.get("RescaleIntercept") or 0)
    if "philips" not in vendor_text(header):
        return Scaling(slope, intercept)
    own = private_group(header, _PER_FRAME, index) if is_enhanced(header) else header
    scale_slope = _SCALE_SLOPE.read(own) or _SCALE_SLOPE.read(header)
    return Scaling(
        slope,
        intercept,
        scale_slope[0] if scale_slope and scale_slope[0] > 0 else None,
        (slope, intercept, *_real_world(header, index)),
    )


def real_world_mapping(header: Dataset, index: int) -> Dataset:
    """Return the first item of an image plane's Real World Value Mapping Sequence, or an empty one."""
    if is_enhanced(header):
        return functional_group(header, "RealWorldValueMappingSequence", index)
    return next(iter(header.get("RealWorldValueMappingSequence") or ()), Dataset())


def require_comparable(images: Iterable[tuple[Path, Scaling]]) -> None:
    """Refuse Philips images whose signal cannot be compared: scaled differently, their scale slopes lost.

    The Real World Value Mapping is no way out. Where Philips writes one beside a rescale slope it repeats
    that slope, which leads to displayed values (dcm2niix issue 493).
    """
    philips = [(path, scale) for path, scale in images if scale.displayed]
    lost = next(((path, scale) for path, scale in philips if scale.scale_slope is None), None)
    if lost is None:
        return
    for path, scale in philips:
        if scale.scale_slope is not None or scale.displayed != lost[1].displayed:
            raise UserError(
                f"{path} and {lost[0]} are scaled differently for display (slopes {scale.slope:g} and "
                f"{lost[1].slope:g}), and not all of the images have Philips' scale slope (2005,100E): "
                "their signal cannot be compared between b-values.",
                expected="the private scale slope in every image, or the same slope in all.",
                fix="export the series again with its private attributes.",
            )


def _real_world(header: Dataset, index: int) -> tuple[float, ...]:
    mapping = real_world_mapping(header, index)
    written = (mapping.get("RealWorldValueSlope"), mapping.get("RealWorldValueIntercept"))
    return tuple(float(value) for value in written if value is not None)
