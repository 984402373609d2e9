"""The scanner's ADC map, in our unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import arrange_map
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

_STATED = (
    (re.compile(r"(10\^?-6|1e-0?6|10-6|\*10e-6).*mm\^?2|(um|µm)\^?2\s*/\s*s", re.IGNORECASE), 1e-3),
    (re.compile(r"(10\^?-3|1e-0?3|10-3).*mm\^?2", re.IGNORECASE), 1.0),
    (re.compile(r"^\s*mm\^?2\s*/\s*s", re.IGNORECASE), 1e3),
)
_UNITS = (1e-3, 1.0, 1e3)  # 10⁻⁶, 10⁻³ and 1 mm²/s, as factors to 10⁻³ mm²/s
_PLAUSIBLE = (0.03, 30.0)  # 10⁻³ mm²/s: a median outside is a wrong unit (free water at 37 °C: 3)


def load_adc(series: Series) -> tuple[Array, Geometry]:
    """Load the scanner's ADC map.

    The unit that the file states (Rescale Type, Units, or the real-world mapping) is believed where it makes
    the median of the positive values plausible for ADC (0.03 to 30 · 10⁻³ mm²/s); otherwise the one of
    10⁻⁶, 10⁻³ and 1 mm²/s that does. They are a thousand apart, so at most one fits.

    Parameters
    ----------
    series : Series

    Returns
    -------
    adc : ndarray of float32, shape (slices, rows, columns)
        10⁻³ mm²/s.
    geometry : Geometry

    Raises
    ------
    UserError
        If the map is incomplete or its unit cannot be told.
    """
    frames = frames_of(series)
    geometry, ordered = arrange_map(frames, what=series.name)
    place = {id(frame): index for index, frame in enumerate(ordered)}
    adc = np.zeros(geometry.shape, np.float32)
    for frame, image in rescaled(ordered, comparable=False):
        adc[place[id(frame)]] = image
    return adc * np.float32(unit_factor(adc, frames, what=series.name)), geometry


def unit_factor(adc: Array, frames: Sequence[Frame], *, what: str) -> float:
    """Return the factor from a map's values to 10⁻³ mm²/s; raises UserError where it cannot be told."""
    positive = adc[adc > 0]
    stated = next((factor for pattern, factor in _STATED if pattern.search(frames[0].unit)), None)
    if not positive.size:
        return stated or 1.0
    median = float(np.median(positive))
    for factor in (stated, *_UNITS):
        if factor is not None and _PLAUSIBLE[0] < median * factor < _PLAUSIBLE[1]:
            return factor
    raise UserError(
        f"The unit of the ADC map {what} cannot be told "
        f"(stated: {frames[0].unit or 'none'}, median {median:g}).",
        expected="ADC in 10⁻⁶, 10⁻³ or 1 mm²/s.",
        fix="leave the scanner's ADC series out of the folder; uteroseg computes its own ADC.",
    )
