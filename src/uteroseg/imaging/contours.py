"""Contours in patient coordinates → voxels: a voxel belongs to a region where its centre lies inside.

References
----------
DICOM PS3.3 C.8.8.6, ROI Contour Module: contours of one region on one plane combine by exclusive or, so that
a contour inside another cuts a hole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask

_SAME_PLANE_MM = 0.1
_NOISE = 1e-3  # of a slice distance or a pixel, so that rounding does not decide
_SLIP_MM2 = 1.0  # a loop smaller than this is a slip of the pen
_CROSSING_MM = 0.01
_CHUNK = 256


def fill(contours: Sequence[Array], geometry: Geometry, *, what: str) -> Mask:
    """Fill the closed contours of one region.

    Parameters
    ----------
    contours : sequence of ndarray, shape (points, 3)
        LPS, mm; the last point is joined to the first. Each lies in a plane parallel to the slices.
    geometry : Geometry
        A contour between two slices goes to the nearer one. Of several planes that go to one slice, the
        nearest counts.
    what : str
        What they belong to, for messages.

    Raises
    ------
    UserError
        If a contour has fewer than three points, lies in no slice, or crosses itself or another; if all of
        them enclose nothing.
    """
    indices = [_in_a_slice(points, geometry, f"{what}, contour {n}") for n, points in enumerate(contours, 1)]
    depths = np.array([index[:, 0].mean() for index in indices])
    slices = np.floor(depths + 0.5 + _NOISE).astype(int).clip(0, geometry.shape[0] - 1)
    offsets = np.abs(depths - slices) * geometry.spacing[0]
    _, rows, columns = geometry.shape
    inside = np.zeros(geometry.shape, bool)
    pixel_mm2 = float(np.prod(geometry.spacing[1:]))
    filled: dict[int, list[tuple[int, Array]]] = {}  # by slice: number of a contour, its pixels
    for n, (index, number, offset) in enumerate(zip(indices, slices, offsets, strict=True), 1):
        if offset <= offsets[slices == number].min() + _SAME_PLANE_MM:
            own = _inside(index[:, 1:], rows, columns)
            for other, others in filled.setdefault(int(number), []):
                if _are_across(own, others, pixel_mm2):
                    raise UserError(
                        f"{what}: contours {other} and {n}, in one plane, overlap in part.",
                        expected="contours of one region that lie apart, or one inside another as a hole.",
                        fix="join the two, or delete one of them.",
                    )
            filled[int(number)].append((n, own))
            inside[number] ^= own
    if contours and not inside.any():
        raise UserError(
            f"{what} encloses no pixel of its images.",
            expected="contours around a part of the images that they were drawn on.",
            fix="check that contours and images belong together, and export both again.",
        )
    return Mask(np.ascontiguousarray(inside), geometry)


def crossing(points: Array) -> Array | None:
    """Where a closed contour in a plane crosses itself, or None.

    A channel that leads to a hole and back on the same line ("keyhole"), or a corner that touches, does not
    cross; nor do loops of less than 1 mm² count, which are slips of the pen and change nothing.

    Parameters
    ----------
    points : ndarray, shape (points, 2)
        mm.
    """
    start, end = points, np.roll(points, -1, axis=0)
    along = end - start
    length = np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    normals = np.column_stack([-along[:, 1], along[:, 0]]) / length
    offsets = (normals * start).sum(axis=1)
    for first in range(0, len(points), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        distances = normals[chunk] @ points.T - offsets[chunk, None]  # of all corners from a chunk's lines
        ours, theirs = np.nonzero(_opposite(distances, np.roll(distances, -1, axis=1)))
        ours += first
        begins = (normals[theirs] * start[ours]).sum(axis=1) - offsets[theirs]
        ends = (normals[theirs] * end[ours]).sum(axis=1) - offsets[theirs]
        both = _opposite(begins, ends)
        for i, j in zip(ours[both], theirs[both], strict=True):
            one, other = sorted((int(i), int(j)))
            place = _meeting(start[one], end[one], start[other], end[other])
            loop = [place, *points[one + 1 : other + 1]]
            rest = [place, *points[other + 1 :], *points[: one + 1]]
            if min(_area(np.array(loop)), _area(np.array(rest))) > _SLIP_MM2:
                return place
    return None


def _in_a_slice(points: Array, geometry: Geometry, what: str) -> Array:
    """Fractional indices of a contour's points, once it is known to be a contour in a slice."""
    if len(np.unique(points, axis=0)) < 3:
        raise UserError(
            f"{what} has {len(points)} {'point' if len(points) == 1 else 'points'}.",
            expected="at least three different points around an area.",
            fix="delete or redraw this contour.",
        )
    index = geometry.to_index(points)
    depth = index[:, 0]
    if np.ptp(depth) > 0.5 or not -0.5 - _NOISE <= depth.mean() <= geometry.shape[0] - 0.5 + _NOISE:
        middle = ", ".join(f"{mm:.1f}" for mm in points.mean(axis=0))
        raise UserError(
            f"{what} at ({middle}) mm lies off every slice.",
            expected="contours in the planes of the images that they were drawn on.",
            fix="check that contours and images belong together, and export both again.",
        )
    if (place := crossing(index[:, 1:] * geometry.spacing[1:])) is not None:
        row, column = place / geometry.spacing[1:]
        point = ", ".join(f"{mm:.1f}" for mm in geometry.to_patient((depth.mean(), row, column)))
        raise UserError(
            f"{what} crosses itself near ({point}) mm.",
            expected="contours that enclose one area.",
            fix="redraw this contour.",
        )
    return index


def _are_across(one: Array, other: Array, pixel_mm2: float) -> bool:
    """Whether two areas overlap, and neither is a part of the other that is clearly smaller."""
    both = np.count_nonzero(one & other) * pixel_mm2
    smaller, larger = sorted(np.count_nonzero(area) * pixel_mm2 for area in (one, other))
    return bool(both > _SLIP_MM2 and (smaller - both > _SLIP_MM2 or larger - smaller <= _SLIP_MM2))


def _inside(points: Array, rows: int, columns: int) -> Array:
    """The pixels whose centres lie inside a contour."""
    crossed = np.zeros((rows, columns + 1), bool)
    _cross(crossed, points)
    return np.asarray(np.logical_xor.accumulate(crossed, axis=1)[:, :-1])


def _cross(crossed: Array, points: Array) -> None:
    """Mark, in each row of pixels, the pixel from whose centre on a contour's edge has been crossed."""
    (row, column), (next_row, next_column) = points.T, np.roll(points, -1, axis=0).T
    first = np.ceil(np.minimum(row, next_row)).clip(0, len(crossed)).astype(int)
    last = np.ceil(np.maximum(row, next_row)).clip(0, len(crossed)).astype(int)  # not crossed any more
    count = last - first
    edge = np.repeat(np.arange(len(points)), count)
    at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (at - row[edge]) / (next_row - row)[edge]
    pixel = np.ceil(column[edge] + share * (next_column - column)[edge])
    np.logical_xor.at(crossed, (at, pixel.clip(0, crossed.shape[1] - 1).astype(int)), True)


def _opposite(one: Array, other: Array) -> Array:
    """Whether distances from a line are of different sides."""
    return np.asarray((np.minimum(one, other) < -_CROSSING_MM) & (np.maximum(one, other) > _CROSSING_MM))


def _meeting(start: Array, end: Array, other_start: Array, other_end: Array) -> Array:
    """The point where two segments that are not parallel meet."""
    along, other, apart = end - start, other_end - other_start, other_start - start
    share = (apart[0] * other[1] - apart[1] * other[0]) / (along[0] * other[1] - along[1] * other[0])
    return np.asarray(start + share * along)


def _area(points: Array) -> float:
    x, y = (points - points.mean(axis=0)).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
