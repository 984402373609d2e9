"""The scanner's ADC map, in our unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import arrange_map
from uteroseg.errors import UserError
from uteroseg.imaging.derived import adc_factor
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import ADC_EMPTY


def load_adc(series: Series) -> tuple[Array, Geometry]:
    """Load the scanner's ADC map; how its unit is told, see `uteroseg.imaging.derived.adc_factor`.

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
    geometry, ordered = arrange_map(frames_of(series), what=series.name)
    stored = _stored(ordered, geometry)
    return stored * np.float32(adc_factor(stored, stated=ordered[0].unit, what=series.name)), geometry


def adc_beside(series: Series, grid: Geometry) -> tuple[Array | None, str]:
    """The scanner's ADC map on a grid; or None and why it is left out, in words that name nobody."""
    if series.unreadable:
        return None, "a file of it cannot be read"
    reason = "its slices form no whole volume"
    try:
        geometry, ordered = arrange_map(frames_of(series), what=series.name)
        if geometry.difference(grid):
            return None, "it lies on another grid than the images"
        reason = "its pixels cannot be read"
        stored = _stored(ordered, geometry)
        if not (stored > 0).any():
            return None, ADC_EMPTY
        reason = "its unit cannot be told"
        return stored * np.float32(adc_factor(stored, stated=ordered[0].unit, what=series.name)), ""
    except UserError:
        return None, reason


def _stored(ordered: Sequence[Frame], geometry: Geometry) -> Array:
    """What the file holds, rescaled as it says."""
    place = {id(frame): index for index, frame in enumerate(ordered)}
    values = np.zeros(geometry.shape, np.float32)
    for frame, image in rescaled(ordered, comparable=False):
        values[place[id(frame)]] = image
    return values
