"""Connected components of a mask.

Not scipy's, which answers the same: importing scipy.ndimage takes longer than predicting a study's mask.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from uteroseg.imaging.geometry import Array

_LINES_AROUND = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Steps (slice, row) to half of the eight lines beside one along the columns; the others look back at it."""


def label_components(mask: Array) -> tuple[Array, int]:
    """Number the components of voxels that touch by a face, an edge or a corner.

    Voxels of one line that follow each other form a run; runs that touch are joined.

    Parameters
    ----------
    mask : ndarray of bool, shape (slices, rows, columns)

    Returns
    -------
    labels : ndarray of int, same shape
        0 outside the mask, then 1, 2 … in the order of each component's first voxel.
    count : int
    """
    before = np.zeros_like(mask)
    before[..., 1:] = mask[..., :-1]
    run = np.cumsum(mask & ~before).reshape(mask.shape) * mask
    first, second = _touching(run)
    root = np.arange(run.max(initial=0) + 1)
    while not np.array_equal(root[first], root[second]):
        lower = np.minimum(root[first], root[second])
        for side in (first, second):
            np.minimum.at(root, root[side], lower)
        while not np.array_equal(root[root], root):
            root = root[root]
    roots, number = np.unique(root, return_inverse=True)
    return number[run], len(roots) - 1


def _touching(run: Array) -> tuple[Array, Array]:
    """Pairs of runs in neighbouring lines that touch, most of them once."""
    slices, rows, columns = run.shape
    around = np.pad(run, 1)
    pairs = [np.zeros((0, 2), int)]
    for (i, j), k in product(_LINES_AROUND, (-1, 0, 1)):
        other = around[1 + i : 1 + i + slices, 1 + j : 1 + j + rows, 1 + k : 1 + k + columns]
        both = (run > 0) & (other > 0)
        pair = np.column_stack([run[both], other[both]])
        pairs.append(pair[np.any(np.diff(pair, axis=0, prepend=0), axis=1)])
    first, second = np.concatenate(pairs).T
    return first, second
