"""Point in polygon, independent of what draws or reads outlines."""

import numpy as np


def inside(outlines, shape):
    """Pixels whose centre is inside an odd number of polygons of rows and columns (ray to larger columns)."""
    row, column = np.mgrid[: shape[0], : shape[1]].astype(float)
    mask = np.zeros(shape, bool)
    for outline in outlines:
        for (r0, c0), (r1, c1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            if r0 != r1:
                crosses = (r0 > row) != (r1 > row)
                mask ^= crosses & (column < c0 + (row - r0) / (r1 - r0) * (c1 - c0))
    return mask
