"""Any series of parallel slices as one volume: what an annotation may have been drawn on, such as T2."""

from __future__ import annotations

import numpy as np

from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import arrange_map, slice_numbers
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry


def series_grid(series: Series) -> Geometry:
    """Where a series lies; raises UserError where it is no regular stack of slices."""
    return _one_for_each_slice(series)[0]


def load_volume(series: Series) -> tuple[Array, Geometry]:
    """The images of a series, of several at one slice (echoes, b-values) the first.

    Returns
    -------
    image : ndarray of float32, shape (slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    UserError
        If it is no regular stack of slices, or cannot be decoded.
    """
    geometry, ordered = _one_for_each_slice(series)
    place = {id(frame): index for index, frame in enumerate(ordered)}
    image = np.zeros(geometry.shape, np.float32)
    for frame, plane in rescaled(ordered, comparable=False):
        image[place[id(frame)]] = plane
    return image, geometry


def _one_for_each_slice(series: Series) -> tuple[Geometry, tuple[Frame, ...]]:
    frames = sorted(frames_of(series), key=lambda frame: frame.number)
    if not frames:
        raise UserError(
            f"{series.name} has no images.", expected="a stack of slices.", fix="export the series again."
        )
    _, first = np.unique(slice_numbers(frames), return_index=True)
    return arrange_map([frames[i] for i in first], what=series.name)
