"""A second reader: another mask of the same tumour that disagrees as people do, by a wanted amount."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage
from scipy.stats import norm

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask
from uteroseg.phantom.shapes import Waves, points_in

READER = "R2"
"""The second reader's name in a dataset."""

DSC_RANGE = (0.5, 0.98)
"""Between two readers; outside of it a boundary cannot be moved to fit."""

_SPREAD = 0.025
_MARGIN = 8
_MISSED_END = 0.35
_SMALL_END = 0.10
_ISLAND = 0.03


def require_dsc(dsc: float) -> None:
    """Refuse a DSC between readers that cannot be.

    Raises
    ------
    UserError
        If it lies outside `DSC_RANGE`.
    """
    low, high = DSC_RANGE
    if not low <= dsc <= high:
        raise UserError(
            f"A mean DSC of {dsc:g} between readers was asked for.",
            expected=f"{low:g} to {high:g}.",
            fix="correct `reader_dsc`.",
        )


def case_dsc(mean: float, index: int, *, seed: int) -> float:
    """The DSC that one patient's readers are to reach.

    Normal around the mean with a standard deviation of 0.025 (less near 1). Patients 1 and 2, 3 and 4, … lie
    as far above the mean as below it, so that the mean over any cohort is the wanted one.
    """
    pair, second = divmod(index - 1, 2)
    quantile = (seed * 0.7548776662466927 + pair * 0.6180339887498949) % 1
    away = min(_SPREAD, (1 - mean) / 3) * float(norm.ppf(0.02 + 0.96 * quantile))
    return mean - away if second else mean + away


def second_reader(mask: Mask, rng: np.random.Generator, *, dsc: float = 0.90) -> Mask:
    """Draw the same tumour again.

    The boundary moves in and out smoothly, over centimetres, with a leaning of this reader's own to draw
    larger or smaller; every third time an end slice that holds little is missed; islands are dropped. How far
    the boundary moves is found by bisection.

    Parameters
    ----------
    mask : Mask
        Of the first reader. Where it is empty, so is the second.
    rng : Generator
    dsc : float
        Wanted between the two, 0.5–0.98; reached as closely as whole voxels allow.
    """
    require_dsc(dsc)
    drawn = np.zeros_like(mask.data)
    if not mask.data.any():
        return Mask(drawn, mask.geometry)
    box = _box(mask.data)
    truth = mask.data[box]
    field = Waves.draw(rng, length_mm=28, count=10).at(points_in(mask.geometry, box))
    field = field + np.float32(0.4) * Waves.draw(rng, length_mm=10, count=14).at(
        points_in(mask.geometry, box)
    )
    field = field + np.float32(rng.normal(0, 0.6))
    distance = _signed_distance(truth, mask.geometry.spacing)
    seen = _seen_slices(truth, rng, dsc)
    drawn[box] = _at_dsc(lambda mm: _clean((distance + mm * field < 0) & seen), truth, dsc)
    return Mask(drawn, mask.geometry)


def _at_dsc(draw: Callable[[float], Array], truth: Array, wanted: float) -> Array:
    """The drawing, by how many mm the boundary moves, whose DSC is closest to the wanted one."""
    drawings: dict[float, Array] = {}

    def reached(mm: float) -> float:
        drawings[mm] = drawn = draw(mm)
        return float(2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()))

    low, high = 0.0, 0.5
    scores = {high: reached(high)}
    while scores[high] > wanted and high < 60:
        low, high = high, 2 * high
        scores[high] = reached(high)
    for _ in range(14):
        middle = (low + high) / 2
        scores[middle] = reached(middle)
        low, high = (middle, high) if scores[middle] > wanted else (low, middle)
    return drawings[min(scores, key=lambda mm: abs(scores[mm] - wanted))]


def _seen_slices(truth: Array, rng: np.random.Generator, dsc: float) -> Array:
    """Slices that the reader looks at: at times without one end, if it holds little and the DSC allows it."""
    share = truth.sum(axis=(1, 2)) / truth.sum()
    held = np.flatnonzero(share)
    seen = np.ones(len(share), bool)
    end = held[0] if rng.random() < 0.5 else held[-1]
    allowed = share[end] < min(_SMALL_END, 1 - dsc)
    if rng.random() < _MISSED_END and len(held) >= 4 and allowed:
        seen[: end + 1 if end == held[0] else 0] = False
        seen[end if end == held[-1] else len(seen) :] = False
    return seen[:, None, None]


def _clean(drawn: Array) -> Array:
    """Without islands: parts of less than 3 % of the whole."""
    labels, count = ndimage.label(drawn)
    if count < 2:
        return drawn
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(_ISLAND * sizes.sum(), 2))[labels] & drawn)


def _signed_distance(truth: Array, spacing: Sequence[float]) -> Array:
    """Distance to the boundary in mm, negative inside, smoothed to fractions of a voxel."""
    outside = ndimage.distance_transform_edt(~truth, sampling=spacing)
    inside = ndimage.distance_transform_edt(truth, sampling=spacing)
    return np.asarray(ndimage.gaussian_filter(outside - inside, (0.3, 0.6, 0.6)), np.float32)


def _box(data: Array) -> tuple[slice, slice, slice]:
    corners = [np.flatnonzero(data.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    starts = [max(0, int(c[0]) - _MARGIN) for c in corners]
    stops = [min(n, int(c[-1]) + 1 + _MARGIN) for n, c in zip(data.shape, corners, strict=True)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2])
