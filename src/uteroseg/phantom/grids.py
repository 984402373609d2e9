"""Sample a field on another grid whose axes are parallel to its own: linear, one axis at a time."""

from __future__ import annotations

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry


def sampled(field: Array, source: Geometry, target: Geometry, *, periodic: bool = False) -> Array:
    """Values of a field at a grid's voxels.

    Parameters
    ----------
    field : ndarray, shape of ``source``
    source, target : Geometry
        Their axes are parallel, in any order.
    periodic : bool
        Whether the field goes on periodically beyond its grid; if not, its border does.

    Raises
    ------
    ValueError
        If the axes are not parallel.
    """
    steps = np.linalg.inv(source.affine) @ target.affine
    along = np.argmax(np.abs(steps[:3, :3]), axis=1)
    rest = np.array(steps[:3, :3])
    rest[range(3), along] = 0
    if sorted(along) != [0, 1, 2] or np.abs(rest).max() > 1e-6:
        raise ValueError("the grids' axes are not parallel")
    result = np.asarray(field, np.float32)
    for axis, target_axis in enumerate(along):
        index = steps[axis, target_axis] * np.arange(target.shape[target_axis]) + steps[axis, 3]
        weights = _linear(index, source.shape[axis], periodic=periodic)
        # the sampled axis moves to the end, so that the next one to be sampled is always the first
        result = np.tensordot(result, weights, axes=(0, 1))
    return np.ascontiguousarray(np.transpose(result, np.argsort(along)))


def _linear(index: Array, size: int, *, periodic: bool) -> Array:
    """Weights of linear interpolation, shape (targets, size)."""
    index = index % size if periodic else np.clip(index, 0, size - 1)
    low = np.floor(index).astype(int)
    share = (index - low).astype(np.float32)
    weights = np.zeros((len(index), size), np.float32)
    rows = np.arange(len(index))
    weights[rows, low % size] += 1 - share
    weights[rows, (low + 1) % size] += share
    return weights
