"""Measurements of a mask: volume and ADC."""

from __future__ import annotations

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask

MM3_PER_ML = 1000.0


def volume_ml(mask: Mask) -> float:
    """Volume of a mask, mL."""
    return int(mask.data.sum()) * mask.geometry.voxel_volume_mm3 / MM3_PER_ML


def mean_adc(mask: Mask, adc: Array) -> float | None:
    """Mean ADC inside a mask, in the map's unit (10⁻³ mm²/s); None where the mask is empty."""
    return float(np.mean(adc[mask.data], dtype=np.float64)) if mask.data.any() else None
