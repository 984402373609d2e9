"""Move images and masks between grids through patient coordinates."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import ndimage

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry, corners_of
from uteroseg.imaging.measure import MM3_PER_ML, bounding_box
from uteroseg.imaging.study import Mask

_PART_MM = 1.0  # voxels are divided into parts of at most this size
_LEAST_VOXELS = 0.5
_SAME_CENTRE = 0.05  # of a voxel
_SHARP, _WIDE = 0.5, 2.0  # widths of an outline, slice distances
_SMOOTH = 0.35  # standard deviation along finer axes, slice distances


def resample_image(image: Array, source: Geometry, target: Geometry, *, outside: float = 0.0) -> Array:
    """Interpolate an image linearly on another grid.

    Parameters
    ----------
    image : ndarray, shape ``source.shape``
    source, target : Geometry
    outside : float
        Value where the target lies outside the source.

    Returns
    -------
    ndarray of float32, shape ``target.shape``
    """
    source_index = np.linalg.inv(source.affine) @ target.affine
    resampled = _interpolated(image, source_index, target.shape, mode="nearest")
    return np.where(_inside(source_index, source.shape, target.shape), resampled, np.float32(outside))


def resample_mask(mask: Mask, target: Geometry) -> Mask:
    """Move a mask to another grid: those voxels that it fills most, as many as keep its volume.

    The mask is turned into distances from its outline, mm (shape-based interpolation [1]_, here in three
    dimensions, which needs no rule for slices that hold nothing). Where slices do not meet, these are
    smoothed a little. They are interpolated linearly at parts of each target voxel and averaged over it.
    Equally filled voxels come together or not at all. Where the voxels of both grids have the same centres,
    however they are ordered, the mask stays voxel for voxel.

    Raises
    ------
    UserError
        If the mask holds something and less than half a voxel of it arrives.

    References
    ----------
    .. [1] Raya SP, Udupa JK, Shape-based interpolation of multidimensional objects, IEEE Trans Med Imaging
       1990;9:32–42.
    """
    if mask.geometry.difference(target, tolerance_mm=1e-4) is None:
        return Mask(mask.data, target)
    if _is_same_lattice(mask.geometry, target):
        return Mask(resample_image(mask.data, mask.geometry, target) >= 0.5, target)
    moved = np.zeros(target.shape, bool)
    if not mask.data.any():
        return Mask(moved, target)
    wanted = _volume_inside_ml(mask, target) * MM3_PER_ML / target.voxel_volume_mm3
    if wanted >= _LEAST_VOXELS:
        drawn = _cut_out(mask)
        box = _box_around(drawn.geometry, target)
        part = _filled(_smoothed(drawn, target), drawn.geometry, _sub_grid(target, box))
        moved[box] = part >= _level(part, wanted)
    if not moved.any():
        raise UserError(
            "Nothing of the mask arrives on the study's grid.",
            expected="a mask that lies inside the study, in voxels that it can resolve.",
            fix="check that mask and study belong to the same patient and the same examination.",
        )
    return Mask(moved, target)


def on_same_voxels(mask: Mask, target: Geometry) -> Mask:
    """A mask on a grid that consists of its own voxels, turned, flipped, cut or continued; others unchanged.

    It is unchanged too where some of it would be cut off.
    """
    if volume_outside_ml(mask, target) or not _is_same_lattice(mask.geometry, target):
        return mask
    return resample_mask(mask, target)


def volume_outside_ml(mask: Mask, target: Geometry) -> float:
    """Volume of a mask's voxels whose centres lie outside another grid, mL."""
    everything = float(np.count_nonzero(mask.data)) * mask.geometry.voxel_volume_mm3 / MM3_PER_ML
    return max(0.0, everything - _volume_inside_ml(mask, target))


def transformed(mask: Mask, transform: Array) -> Mask:
    """The same mask elsewhere: its points (LPS, mm) taken through a transform, shape (4, 4)."""
    return replace(mask, geometry=Geometry(mask.geometry.shape, transform @ mask.geometry.affine))


def _interpolated(
    image: Array, source_index: Array, shape: tuple[int, ...], *, mode: Literal["nearest", "constant"]
) -> Array:
    """Linear interpolation, where ``source_index`` takes indices of the result to those of the image."""
    return np.asarray(
        ndimage.affine_transform(
            np.asarray(image, np.float32),
            source_index[:3, :3],
            offset=source_index[:3, 3],
            output_shape=shape,
            order=1,
            mode=mode,
        )
    )


def _volume_inside_ml(mask: Mask, target: Geometry) -> float:
    index = target.to_index(mask.geometry.to_patient(np.argwhere(mask.data)))
    inside = ((index >= -0.5) & (index < np.array(target.shape) - 0.5)).all(axis=1)
    return float(np.count_nonzero(inside)) * mask.geometry.voxel_volume_mm3 / MM3_PER_ML


def _is_same_lattice(source: Geometry, target: Geometry) -> bool:
    """Whether the target's voxels are voxels of the source, turned, flipped or cut out."""
    steps = np.linalg.inv(source.affine) @ target.affine
    index = source.to_index(target.to_patient(corners_of(target.shape)))
    whole = np.rint(steps[:3, :3])
    turned = np.array_equal(np.abs(whole).sum(axis=0), (1, 1, 1)) and abs(np.linalg.det(whole)) > 0.5
    return bool(turned and np.abs(index - np.rint(index)).max() < _SAME_CENTRE)


def _cut_out(mask: Mask) -> Mask:
    """The part that holds something, with a margin for its smooth edge."""
    spacing = mask.geometry.spacing
    box = bounding_box(mask.data)
    margins = [int(np.ceil(max(spacing) / mm)) + 1 for mm in spacing]
    data = np.pad(mask.data[box], [(margin, margin) for margin in margins])
    first = [part.start - margin for part, margin in zip(box, margins, strict=True)]
    return Mask(data, _grid_from(mask.geometry, first, data.shape))


def _share_slices(source: Geometry, target: Geometry) -> bool:
    """Whether every slice of the target is one of the source."""
    step, *others, first = (np.linalg.inv(source.affine) @ target.affine)[0]
    off = [step - np.rint(step), first - np.rint(first), *np.array(others) * target.shape[1:]]
    return bool(np.rint(step) and np.abs(off).max() < _SAME_CENTRE)


def _smoothed(mask: Mask, target: Geometry) -> Array:
    """Grey values, 0 to 1, that rise with the distance from the outline.

    Where slices are shared they rise steeply; else over a slice on both sides, and smoothly: the steps
    from slice to slice are not the tumour's.
    """
    spacing = mask.geometry.spacing
    coarsest = max(spacing)
    inside, outside = (
        ndimage.distance_transform_edt(part, sampling=spacing) for part in (mask.data, ~mask.data)
    )
    distance, width = inside - outside, _SHARP
    if not _share_slices(mask.geometry, target):
        sigmas = [_SMOOTH * coarsest / mm if mm < coarsest else 0 for mm in spacing]
        distance, width = ndimage.gaussian_filter(distance, sigmas, mode="nearest"), _WIDE
    return np.asarray(np.clip(0.5 + distance / (width * coarsest), 0, 1), np.float32)


def _box_around(source: Geometry, target: Geometry) -> tuple[slice, slice, slice]:
    """The part of the target that the source reaches."""
    corners = target.to_index(source.to_patient(corners_of(source.shape, beyond=0.5)))
    low = np.floor(corners.min(axis=0)).astype(int).clip(0, target.shape)
    high = (np.ceil(corners.max(axis=0)).astype(int) + 1).clip(0, target.shape)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third


def _sub_grid(target: Geometry, box: tuple[slice, slice, slice]) -> tuple[Geometry, tuple[int, int, int]]:
    """A box of the target with its voxels divided, and into how many along each axis."""
    first, second, third = (int(np.ceil(mm / _PART_MM)) for mm in target.spacing)
    parts = (first, second, third)
    affine = target.affine.copy()
    affine[:3, :3] /= parts
    corner = np.array([part.start for part in box]) - 0.5 + 0.5 / np.array(parts)
    affine[:3, 3] = target.to_patient(corner)
    size = [(part.stop - part.start) * n for part, n in zip(box, parts, strict=True)]
    return Geometry((size[0], size[1], size[2]), affine), parts


def _filled(image: Array, source: Geometry, divided: tuple[Geometry, tuple[int, int, int]]) -> Array:
    """How much of each voxel an image fills: its mean over the voxel's parts."""
    fine, (a, b, c) = divided
    values = _interpolated(image, np.linalg.inv(source.affine) @ fine.affine, fine.shape, mode="constant")
    slices, rows, columns = fine.shape
    parts = values.reshape(slices // a, a, rows // b, b, columns // c, c)
    return np.asarray(parts.mean(axis=(1, 3, 5)).round(4))  # what is equal must stay so


def _level(filled: Array, wanted: float) -> float:
    """The least filling that belongs to the mask, so that it has as many voxels as wanted, or nearly so."""
    values, counts = np.unique(filled[filled > 0], return_counts=True)
    if not values.size:
        return np.inf
    at_least = np.cumsum(counts[::-1])[::-1]
    return float(values[len(values) - 1 - int(np.argmin(np.abs(at_least[::-1] - wanted)))])


def _grid_from(geometry: Geometry, first: list[int], shape: tuple[int, ...]) -> Geometry:
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_patient(first)
    return Geometry((shape[0], shape[1], shape[2]), affine)


def _inside(source_index: Array, source: tuple[int, ...], target: tuple[int, ...]) -> Array:
    """Where a target voxel's centre lies in a source voxel, which reaches half its size beyond its centre."""
    slices, rows, columns = np.ogrid[tuple(slice(n) for n in target)]
    inside = np.ones(target, bool)
    for axis, size in zip(source_index[:3], source, strict=True):
        index = axis[0] * slices + axis[1] * rows + axis[2] * columns + axis[3]
        inside &= (index >= -0.5) & (index < size - 0.5)
    return inside
