"""Measurements of a mask: volume, maximum diameter and ADC.

References
----------
Zwanenburg A et al., Radiology 2020;295:328–338, and the reference manual of the Image Biomarker
Standardisation Initiative (IBSI, arXiv:1612.07003), intensity-based statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask

MM3_PER_ML = 1000.0
PLAUSIBLE_TUMOUR_ADC = (0.4, 1.8)
"""Median ADC that a tumour of cervix or corpus can have, 10⁻³ mm²/s: reported 0.7 to 1.2, with room for
necrosis, mucinous types and noise. Urine has 3, normal myometrium 1.5, fat and air less than 0.3."""


@dataclass(frozen=True)
class AdcStatistics:
    """ADC inside a mask, 10⁻³ mm²/s; None where no voxel of the mask has an ADC.

    Parameters
    ----------
    voxels : int
        Voxels of the mask that have an ADC: those that the statistics are of.
    undefined_voxels : int
        Voxels of the mask without an ADC (0 or not finite in the map), left out of the statistics.
    mean, median : float or None
    p10, p90 : float or None
        10th and 90th percentile, interpolated linearly between ranks (numpy's default, type 7 of Hyndman and
        Fan 1996; IBSI leaves the interpolation open).
    skewness, kurtosis : float or None
        Fisher–Pearson coefficient and excess kurtosis from the moments of the population (not corrected for
        bias), without a unit; 0 where every voxel has the same ADC, as IBSI has it.
    """

    voxels: int
    undefined_voxels: int
    mean: float | None = None
    median: float | None = None
    p10: float | None = None
    p90: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None


def volume_ml(mask: Mask) -> float:
    """Volume of a mask, mL."""
    return int(np.count_nonzero(mask.data)) * mask.geometry.voxel_volume_mm3 / MM3_PER_ML


def maximum_diameter_mm(mask: Mask) -> float:
    """Largest distance between two points of a mask, mm; 0 where it is empty.

    The three-dimensional maximum Feret diameter with voxels as the boxes that they are, so that a single
    voxel has the length of its diagonal. Exact on every grid, also a sheared one.

    References
    ----------
    IBSI, maximum 3D diameter, with the corners of voxels in place of the vertices of a mesh.
    """
    if not mask.data.any():
        return 0.0
    corners = _outermost_corners(mask.data[bounding_box(mask.data)]) @ mask.geometry.affine[:3, :3].T
    return _largest_distance(corners)


def mean_adc(mask: Mask, adc: Array) -> float | None:
    """Mean ADC inside a mask, in the map's unit (10⁻³ mm²/s); None where no voxel of it has an ADC."""
    values = _defined(mask, adc)
    return float(values.mean()) if values.size else None


def adc_statistics(mask: Mask, adc: Array) -> AdcStatistics:
    """Statistics of the ADC inside a mask.

    Parameters
    ----------
    mask : Mask
    adc : ndarray, shape ``mask.geometry.shape``
        10⁻³ mm²/s; 0 where it is undefined, as `uteroseg.imaging.diffusion.fit_adc` gives it.

    Returns
    -------
    AdcStatistics

    Raises
    ------
    ValueError
        If the map is not on the mask's grid.
    """
    values = _defined(mask, adc)
    undefined = int(np.count_nonzero(mask.data)) - values.size
    if not values.size:
        return AdcStatistics(voxels=0, undefined_voxels=undefined)
    p10, median, p90 = np.percentile(values, (10, 50, 90))
    deviation = values - values.mean()
    # Equal values can differ from their own mean by a rounding error, which must not pass for a spread.
    deviation[:] = deviation if np.ptp(values) > 0 else 0
    variance = (deviation**2).mean()
    return AdcStatistics(
        voxels=values.size,
        undefined_voxels=undefined,
        mean=float(values.mean()),
        median=float(median),
        p10=float(p10),
        p90=float(p90),
        skewness=float((deviation**3).mean() / variance**1.5) if variance else 0.0,
        kurtosis=float((deviation**4).mean() / variance**2 - 3) if variance else 0.0,
    )


def bounding_box(data: Array) -> tuple[slice, slice, slice]:
    """The smallest box that holds every true voxel of an array; of no size where there is none."""
    if not data.any():
        return slice(0, 0), slice(0, 0), slice(0, 0)
    first, second, third = (np.flatnonzero(data.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    return (
        slice(int(first[0]), int(first[-1]) + 1),
        slice(int(second[0]), int(second[-1]) + 1),
        slice(int(third[0]), int(third[-1]) + 1),
    )


def _defined(mask: Mask, adc: Array) -> Array:
    """The mask's ADC values that are defined, float64."""
    if adc.shape != mask.geometry.shape:
        raise ValueError(f"ADC map {adc.shape} does not fit the mask {mask.geometry.shape}")
    values: Array = adc[mask.data].astype(np.float64)
    defined: Array = values[np.isfinite(values) & (values != 0)]
    return defined


def _outermost_corners(data: Array) -> Array:
    """Corners of voxels, in indices, that hold every vertex of a mask's convex hull, shape (corners, 3).

    On each line of the grid along the last axis only the outermost corners can be vertices.
    """
    columns = data.shape[2]
    holds = np.pad(data.any(axis=2), 1)
    start = np.pad(data.argmax(axis=2), 1)
    end = np.pad(columns - data[:, :, ::-1].argmax(axis=2), 1)
    start, end = np.where(holds, start, columns), np.where(holds, end, 0)
    around = [(slice(i, i - 1 or None), slice(j, j - 1 or None)) for i in (0, 1) for j in (0, 1)]
    lowest = np.minimum.reduce([start[part] for part in around])
    highest = np.maximum.reduce([end[part] for part in around])
    first, second = np.nonzero(lowest < highest)
    lines = np.column_stack([first, second]) + 0.0
    return np.concatenate(
        [np.column_stack([lines, ends[first, second]]) for ends in (lowest, highest)],
    )


def _largest_distance(points: Array) -> float:
    """Largest distance between two points, of shape (points, 3); exact.

    Points too near the middle to be an end of it are left out first, which leaves few of most shapes.
    """
    from_middle = _distances(points, (points.min(axis=0) + points.max(axis=0)) / 2)
    one_end = points[from_middle.argmax()]
    other_end = points[_distances(points, one_end).argmax()]
    at_least = _distances(points, other_end).max()
    ends = points[from_middle >= at_least - from_middle.max() - 1e-6]
    return float(max(_distances(ends[i:], ends[i]).max() for i in range(len(ends))))


def _distances(points: Array, point: Array) -> Array:
    return np.asarray(np.linalg.norm(points - point, axis=1))
