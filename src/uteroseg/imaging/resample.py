"""Move images and masks between grids through patient coordinates."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask


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
    resampled = ndimage.affine_transform(
        np.asarray(image, np.float32),
        source_index[:3, :3],
        offset=source_index[:3, 3],
        output_shape=target.shape,
        order=1,
        mode="nearest",
    )
    return np.where(_inside(source_index, source.shape, target.shape), resampled, np.float32(outside))


def resample_mask(mask: Mask, target: Geometry) -> Mask:
    """Move a mask to another grid: linear interpolation, then at least one half.

    Raises
    ------
    UserError
        If the mask holds something and none of it arrives.
    """
    if mask.geometry.difference(target, tolerance_mm=1e-4) is None:
        return Mask(mask.data, target)
    moved = resample_image(mask.data, mask.geometry, target) >= 0.5
    if mask.data.any() and not moved.any():
        raise UserError(
            "Nothing of the mask arrives on the study's grid.",
            expected="a mask that lies inside the study, in voxels that it can resolve.",
            fix="check that mask and study belong to the same patient and the same examination.",
        )
    return Mask(moved, target)


def _inside(source_index: Array, source: tuple[int, ...], target: tuple[int, ...]) -> Array:
    """Where a target voxel's centre lies in a source voxel, which reaches half its size beyond its centre."""
    slices, rows, columns = np.ogrid[tuple(slice(n) for n in target)]
    inside = np.ones(target, bool)
    for axis, size in zip(source_index[:3], source, strict=True):
        index = axis[0] * slices + axis[1] * rows + axis[2] * columns + axis[3]
        inside &= (index >= -0.5) & (index < size - 0.5)
    return inside
