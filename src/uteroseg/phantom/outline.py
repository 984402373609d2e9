"""Outlines of a region in one image, as a reader would draw them.

References
----------
Marching squares: the vertices of an outline lie where the straight line between the centres of two
neighbouring pixels crosses the level.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from uteroseg.imaging.geometry import Array

LEVEL = 0.5

_Corner = tuple[int, int]
_Edge = tuple[_Corner, _Corner, Array]  # pixel, corner that it leads to, vertex
_MARGIN = 0.05  # of a pixel that vertices keep from centres, so that each centre is clearly in or out
_SIDES = (  # to the neighbour, and the corners at either end of the side, clockwise
    ((-1, 0), (0, 0), (0, 1)),
    ((0, 1), (0, 1), (1, 1)),
    ((1, 0), (1, 1), (1, 0)),
    ((0, -1), (1, 0), (0, 0)),
)


def outlines(coverage: Array) -> list[Array]:
    """Closed polygons around the pixels that are covered by at least one half.

    A pixel's centre is inside an odd number of them exactly where it is covered so. Pixels that touch only
    at a corner have separate outlines.

    Parameters
    ----------
    coverage : ndarray, shape (rows, columns)
        0–1, or a mask.

    Returns
    -------
    list of ndarray, shape (vertices, 2)
        Row and column; the last vertex is joined to the first. Around regions the `signed_area` is
        positive, around holes negative.
    """
    values = np.pad(np.asarray(coverage, float), 1)
    edges = _edges(values)
    found = []
    while edges:
        start = next(iter(edges))
        pixel, corner, vertex = edges[start].pop()
        vertices = [vertex]
        while corner != start or any(own == pixel for own, *_ in edges[corner]):
            leaving = edges[corner]
            same = [i for i, (own, *_) in enumerate(leaving) if own == pixel]
            at, (pixel, corner, vertex) = corner, leaving.pop(same[0] if same else 0)
            vertices.append(vertex)
            if not leaving:
                del edges[at]
        if not edges[start]:
            del edges[start]
        found.append(np.array(vertices) - 1)
    return found


def signed_area(outline: Array) -> float:
    """Area of a polygon of rows and columns: positive around a region, negative around a hole."""
    rows, columns = outline.T
    return float(np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows) / 2)


def _edges(values: Array) -> dict[_Corner, list[_Edge]]:
    """Sides between inside and outside, by the corner at which they begin."""
    edges: dict[_Corner, list[_Edge]] = defaultdict(list)
    inside = values >= LEVEL
    for (down, right), begin, end in _SIDES:
        beyond = np.roll(inside, (-down, -right), (0, 1))
        for row, column in np.argwhere(inside & ~beyond).tolist():
            value, other = values[row, column], values[row + down, column + right]
            step = np.clip((value - LEVEL) / (value - other), _MARGIN, 1 - _MARGIN)
            vertex = np.array([row + step * down, column + step * right])
            edge = ((row, column), (row + end[0], column + end[1]), vertex)
            edges[row + begin[0], column + begin[1]].append(edge)
    return edges
