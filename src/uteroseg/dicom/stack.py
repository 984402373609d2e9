"""Put image planes in order: which b-value, which slice; and refuse what is missing, double or elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from uteroseg.dicom.bvalues import TOLERANCE, merge
from uteroseg.dicom.frames import Frame
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

POSITION_TOLERANCE_MM = 0.1
"""Images nearer than this along the normal are one slice; a slice may lie this far off the regular grid."""

_ORIENTATION_TOLERANCE = 1e-3  # of a direction cosine
_SPACING_TOLERANCE = 1e-3  # mm
_SHOWN = 3  # examples in a message
_FIX_DOUBLE = (
    "remove the copy, keep repeated acquisitions in separate folders, or set `drop_incomplete` to leave such "
    "b-values out."
)

Cell = tuple[Frame, ...]


@dataclass(frozen=True, eq=False)
class Stack:
    """Image planes in their places.

    Parameters
    ----------
    geometry : Geometry
        Slices ascend along ``geometry.normal``.
    b_values : tuple of float
        s/mm², ascending.
    cells : tuple of tuple of tuple of Frame
        ``cells[b-value][slice]``: the images of that place, one or one per direction.
    left_out : mapping of float to str
        b-values that are not whole → what is wrong with them and where; names no file.
    """

    geometry: Geometry
    b_values: tuple[float, ...]
    cells: tuple[tuple[Cell, ...], ...]
    left_out: Mapping[float, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Defect:
    """Why a b-value is not whole: for the dataset, in words without a path; for the user, as an error."""

    reason: str
    error: UserError


def arrange(frames: Sequence[Frame], *, what: str, drop_incomplete: bool = False) -> Stack:
    """Order image planes by b-value and by position along the slice normal.

    InstanceNumber is not used: it is neither unique nor in spatial order. Where a b-value has the scanner's
    own trace images, images of single directions are left out.

    Parameters
    ----------
    frames : sequence of Frame
        All with a b-value.
    what : str
        What they belong to, for messages.
    drop_incomplete : bool
        Leave out b-values of which an image is missing or there twice, where at least two are whole.

    Raises
    ------
    UserError
        If the images lie on different grids, or an image is missing or there twice.
    """
    require_one_grid(frames, what=what)
    positions = _slice_positions(frames)
    b_of = merge([frame.b_value.value for frame in frames if frame.b_value])
    table: dict[float, list[list[Frame]]] = {b: [[] for _ in positions] for b in sorted(set(b_of.values()))}
    for frame in frames:
        if frame.b_value is not None:
            table[b_of[frame.b_value.value]][_slice_of(frame, positions, what=what)].append(frame)
    defects = _defects(table, what=what)
    if defects and not (drop_incomplete and len(table) - len(defects) >= 2):
        raise next(iter(defects.values())).error
    if defects:
        whole = [f for b, row in table.items() if b not in defects for cell in row for f in cell]
        left_out = {b: defect.reason for b, defect in defects.items()}
        return replace(arrange(whole, what=what), left_out=left_out)
    cells = tuple(tuple(map(_in_order, row)) for row in map(_traces, table.values()))
    geometry = _geometry(frames[0], positions, what=what, where="at every b-value")
    return Stack(geometry, tuple(table), cells)


def arrange_map(frames: Sequence[Frame], *, what: str) -> tuple[Geometry, Cell]:
    """Order the image planes of a map without b-values, one per slice; raises as `arrange` does."""
    require_one_grid(frames, what=what)
    positions = _slice_positions(frames)
    cells: list[list[Frame]] = [[] for _ in positions]
    for frame in frames:
        cells[_slice_of(frame, positions, what=what)].append(frame)
    for cell in cells:
        if len(cell) > 1:
            raise _double(cell, "the map", what=what, fix="remove the copy, or the other map.")
    geometry = _geometry(frames[0], positions, what=what, where="in its slices")
    return geometry, tuple(cell[0] for cell in cells)


def require_one_grid(frames: Sequence[Frame], *, what: str) -> None:
    """Refuse images of another size, spacing or orientation than the first one's, by name."""
    first = frames[0]
    for frame in frames:
        if not same_plane(first, frame):
            raise UserError(
                f"{what} mixes grids: {first.file} has {_grid(first)}, {frame.file} has {_grid(frame)}.",
                expected="images of one size, spacing and orientation.",
                fix="keep the acquisitions in separate folders.",
            )


def same_plane(one: Frame, other: Frame) -> bool:
    """Whether two images have one size, spacing and orientation."""
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and _near(one.pixel_spacing, other.pixel_spacing, _SPACING_TOLERANCE)
        and _near(one.orientation, other.orientation, _ORIENTATION_TOLERANCE)
    )


def _near(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    return one == other or all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def slice_depths(frames: Sequence[Frame]) -> Array:
    """Position of every image along the slice normal, mm."""
    along_columns, along_rows = np.reshape(frames[0].orientation, (2, 3))
    normal = np.cross(along_columns, along_rows)
    return np.asarray([frame.position for frame in frames]) @ (normal / np.linalg.norm(normal))


def slice_numbers(frames: Sequence[Frame]) -> Array:
    """Number of every image's slice, from 0, ascending along the normal."""
    depths = slice_depths(frames)
    order = np.argsort(depths, kind="stable")
    numbers = np.empty(len(frames), int)
    numbers[order] = np.cumsum(np.diff(depths[order], prepend=depths[order[0]]) > POSITION_TOLERANCE_MM)
    return numbers


def is_directional(frames: Sequence[Frame]) -> bool:
    """Whether there are images of single directions and no trace image above b 0."""
    weighted = [frame for frame in frames if frame.b_value and frame.b_value.value > TOLERANCE]
    return any(frame.direction for frame in weighted) and not any(frame.isotropic for frame in weighted)


def spare_directions(series: Sequence[tuple[Set[float], bool]]) -> list[Set[float]]:
    """The b-values of which a series' images of single directions are not needed, for each series.

    Another series has the trace images of these b-values.

    Parameters
    ----------
    series : sequence of (set of float, bool)
        The b-values of each series, and whether it `is_directional`.
    """
    traces = {b for b_values, directional in series if not directional for b in b_values}
    return [b_values & traces if directional else frozenset() for b_values, directional in series]


def _slice_positions(frames: Sequence[Frame]) -> Array:
    """Position (LPS, mm), shape (slices, 3), of every slice, ascending along the normal."""
    _, first = np.unique(slice_numbers(frames), return_index=True)
    return np.asarray([frames[i].position for i in first])


def _slice_of(frame: Frame, positions: Array, *, what: str) -> int:
    distances = np.linalg.norm(positions - frame.position, axis=1)
    nearest = int(np.argmin(distances))
    if distances[nearest] > 2 * POSITION_TOLERANCE_MM:
        raise UserError(
            f"{what}: {frame.file} lies at {point(frame.position)}, the other images of its slice at "
            f"{point(positions[nearest])}.",
            expected="the images of one slice at one place for every b-value.",
            fix="keep acquisitions that were planned differently in separate folders.",
        )
    return nearest


def _defects(table: Mapping[float, Sequence[Sequence[Frame]]], *, what: str) -> dict[float, _Defect]:
    """b-values that are not whole; what is missing comes before what is double."""
    places = [next(cell[0] for cell in column if cell) for column in zip(*table.values(), strict=True)]
    missing = {
        b: [point(place.position) for cell, place in zip(row, places, strict=True) if not cell]
        for b, row in table.items()
    }
    named = [f"b {b:g} at {point}" for b, points in missing.items() for point in points]
    error = UserError(
        f"{what} has no image for {_some(named)}.",
        expected=f"one image at each of {len(places)} slice positions for every b-value.",
        fix="export the series again, whole, or set `drop_incomplete` to leave such b-values out.",
    )
    defects = {b: _Defect(f"no image at {_some(points)}", error) for b, points in missing.items() if points}
    for b, row in table.items():
        if b not in defects and (uneven := _uneven(_traces(row), f"b {b:g}", what=what)):
            defects[b] = uneven
    return defects


def _geometry(first: Frame, positions: Array, *, what: str, where: str) -> Geometry:
    """Build the grid of slices at equal distances."""
    count = len(positions)
    if count == 1:
        along_columns, along_rows = np.reshape(first.orientation, (2, 3))
        step = (np.cross(along_columns, along_rows) * (first.thickness or 1.0)).tolist()
    else:
        step = _regular_step(positions, what=what, where=where)
    return Geometry.from_dicom(
        (count, first.rows, first.columns),
        position=positions[0].tolist(),
        orientation=first.orientation,
        pixel_spacing=first.pixel_spacing,
        slice_step=step,
    )


def _regular_step(positions: Array, *, what: str, where: str) -> list[float]:
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    expected = positions[0] + np.arange(len(positions))[:, None] * step
    if np.linalg.norm(positions - expected, axis=1).max() <= POSITION_TOLERANCE_MM:
        return [float(mm) for mm in step]
    gaps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    usual = float(np.median(gaps))
    odd = int(np.argmax(np.abs(gaps - usual)))
    raise UserError(
        f"{what} has a gap {where}: {gaps[odd]:.2f} mm between the slices at "
        f"{point(positions[odd])} and {point(positions[odd + 1])}, elsewhere {usual:.2f} mm.",
        expected="slices at equal distances.",
        fix="export the series again, whole; a slice is missing or belongs to another stack.",
    )


def _traces(row: Sequence[Sequence[Frame]]) -> Sequence[Sequence[Frame]]:
    """What makes up each slice's trace image: the scanner's own if every slice has one, else all images."""
    if all(any(frame.isotropic for frame in cell) for cell in row):
        return [[frame for frame in cell if frame.isotropic] for cell in row]
    return row


def _in_order(cell: Sequence[Frame]) -> Cell:
    return tuple(sorted(cell, key=lambda frame: (frame.direction or (), frame.repetition)))


def _uneven(row: Sequence[Sequence[Frame]], name: str, *, what: str) -> _Defect | None:
    """Find a slice with an image twice, or with other directions than most slices have."""
    directions = [Counter(frame.direction for frame in cell) for cell in row]
    most = max(directions, key=lambda found: found.total())
    usual = max(directions, key=directions.count)
    for cell, found in zip(row, directions, strict=True):
        if len({(frame.direction, frame.repetition) for frame in cell}) < len(cell):
            return _Defect(f"twice at {point(cell[0].position)}", _double(cell, name, what=what))
        if found != usual:
            place, others = f"at {point(cell[0].position)}", f"elsewhere {usual.total()}"
            error = UserError(
                f"{what} has {found.total()} images for {name} {place} ({cell[0].file} …), {others}.",
                expected=f"the same {most.total()} diffusion directions at every slice.",
                fix="export the series again, whole, remove the extra images, or set `drop_incomplete` to "
                "leave such b-values out.",
            )
            return _Defect(f"{found.total()} images {place}, {others}", error)
    return None


def _double(cell: Sequence[Frame], name: str, *, what: str, fix: str = _FIX_DOUBLE) -> UserError:
    first: dict[object, Frame] = {}
    pair = (cell[0], cell[-1])
    for frame in cell:
        key = (frame.direction, frame.repetition)
        if key in first:
            pair = (first[key], frame)
            break
        first[key] = frame
    return UserError(
        f"{what} holds {name} at {point(pair[0].position)} twice: {_image(pair[0])} and {_image(pair[1])}.",
        expected="one image for each b-value, position and direction.",
        fix=fix,
    )


def _image(frame: Frame) -> str:
    return f"{frame.file} frame {frame.index + 1}" if frame.index else str(frame.file)


def _grid(frame: Frame) -> str:
    spacing = "×".join(f"{mm:.4g}" for mm in frame.pixel_spacing)
    cosines = ", ".join(f"{v:.3f}" for v in frame.orientation)
    return f"{frame.rows}×{frame.columns} pixels of {spacing} mm, orientation ({cosines})"


def point(position: Sequence[float] | Array) -> str:
    """A position, for people."""
    return "(" + ", ".join(f"{v:.1f}" for v in position) + ") mm"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
