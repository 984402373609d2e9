"""Which series are one acquisition: geometry decides, identifiers only group.

Scanners and archives give an acquisition one Series Instance UID, one for each b-value, for each slice, or
for each image. What shares orientation, matrix, pixel size, echo time and frame of reference, and fills one
regular grid of slices and b-values without a double, is one acquisition. Repeats stay apart. What neither
fills a grid nor repeats one is refused, with the series named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from uteroseg.dicom.acquisition import acquisition, echo_time_ms
from uteroseg.dicom.bvalues import TOLERANCE, BValue, merge
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.scan import Series, join
from uteroseg.dicom.stack import (
    POSITION_TOLERANCE_MM,
    Stack,
    arrange,
    is_directional,
    point,
    require_one_grid,
    same_plane,
    slice_depths,
    slice_numbers,
    spare_directions,
)
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

_ECHO_TIME_TOLERANCE_MS = 0.5
_ASIDE_MM = 0.5  # stacks that are shifted further in their plane are not parts of one
_OVERLAP = 0.9  # slices nearer than this share of their thickness are of two stacks
_APART = 2.0  # slice thicknesses: two single slices further apart are no stack
_JOINED_KINDS = (SeriesKind.ADC, SeriesKind.T2, SeriesKind.CALCULATED_B)
_NUMBERED = "order of acquisition"
_OTHER_PLANE = "another plane than the diffusion images of its series"

_Cell: TypeAlias = tuple[int, float, object]  # slice, b-value, direction


@dataclass(frozen=True, eq=False)
class SeriesGrid:
    """Where a series lies and which b-values it holds, as far as its headers say."""

    space: str  # Frame of Reference UID; where there is none, the study
    first: Frame
    last: Frame  # along the normal
    b_values: frozenset[float]
    directional: bool  # some b-value has images of single directions only
    echo_time: float | None
    sound: bool  # every file can be read, and of DWI every b-value is known

    @property
    def is_one_slice(self) -> bool:
        """Whether all of its images lie at one place."""
        return _distance(self.first, self.last) <= POSITION_TOLERANCE_MM

    def matches(self, other: SeriesGrid) -> bool:
        """Whether two series lie on one grid."""
        return (
            self._is_alike(other)
            and _distance(self.first, other.first) <= POSITION_TOLERANCE_MM
            and _distance(self.last, other.last) <= POSITION_TOLERANCE_MM
        )

    def combines(self, other: SeriesGrid) -> bool:
        """Whether two DWI series on one grid are parts of one acquisition.

        They have one echo time and different b-values, or one holds the directions of the other's traces.
        """
        if not (self.sound and other.sound and self.matches(other) and self._has_echo_of(other)):
            return False
        joint = merge([*self.b_values, *other.b_values])
        distinct = len(set(joint.values())) == len(self.b_values) + len(other.b_values)
        return distinct or self.directional != other.directional

    def continues(self, other: SeriesGrid) -> bool:
        """Whether two series could be parts of one stack: only their slices and b-values differ."""
        if not (self._is_alike(other) and self._has_echo_of(other)):
            return False
        in_plane = np.reshape(self.first.orientation, (2, 3))
        return bool(np.linalg.norm(in_plane @ _step(self.first, other.first)) <= _ASIDE_MM)

    def difference(self, other: SeriesGrid) -> str:
        """What tells a series from another acquisition's grid, for people; empty where nothing does."""
        mine, theirs = self.first, other.first
        if self.space != other.space:
            return "another frame of reference"
        if (mine.rows, mine.columns) != (theirs.rows, theirs.columns):
            return f"{mine.rows}×{mine.columns} pixels, not {theirs.rows}×{theirs.columns}"
        if not same_plane(mine, theirs):
            spacings = ["×".join(f"{mm:.4g}" for mm in one.pixel_spacing) for one in (mine, theirs)]
            differ = spacings[0] != spacings[1]
            return f"pixels of {spacings[0]} mm, not {spacings[1]} mm" if differ else "another orientation"
        if not self.matches(other):
            ends = [f"{point(one.first.position)} to {point(one.last.position)}" for one in (self, other)]
            return f"slices from {ends[0]}, not {ends[1]}"
        if not self._has_echo_of(other):
            return f"echo time {self.echo_time:g} ms, not {other.echo_time:g} ms"
        return ""

    def _is_alike(self, other: SeriesGrid) -> bool:
        return self.space == other.space and same_plane(self.first, other.first)

    def _has_echo_of(self, other: SeriesGrid) -> bool:
        times = (self.echo_time, other.echo_time)
        return None in times or abs((times[0] or 0) - (times[1] or 0)) < _ECHO_TIME_TOLERANCE_MS


_known: WeakKeyDictionary[Series, SeriesGrid | None] = WeakKeyDictionary()  # asked for again and again


def grid_of(series: Series) -> SeriesGrid | None:
    """Where a series lies; None where it is damaged in a way that `load_study` names."""
    if series not in _known:
        _known[series] = _grid(series)
    return _known[series]


def _grid(series: Series) -> SeriesGrid | None:
    try:
        frames = frames_of(series)
        if not frames:
            return None
        require_one_grid(frames, what=series.name)
    except UserError:
        return None
    order = np.argsort(slice_depths(frames))
    values = [frame.b_value.value for frame in frames if frame.b_value]
    return SeriesGrid(
        series.frame_of_reference_uid or series.study_uid,
        frames[order[0]],
        frames[order[-1]],
        frozenset(merge(values).values()),
        is_directional(frames),
        echo_time_ms(series.headers[0]),
        not series.unreadable and (len(values) == len(frames) or series.kind is not SeriesKind.DWI),
    )


@dataclass(frozen=True, eq=False)
class SeriesGroup:
    """The DWI series of one acquisition.

    Parameters
    ----------
    series : tuple of Series
        Their grids are alike.
    joined : tuple of Series
        The series that were joined to one, as they came.
    parts : tuple of str
        Of those that are studies by their identifiers, the UIDs of each study.
    """

    series: tuple[Series, ...]
    joined: tuple[Series, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def grid(self) -> SeriesGrid | None:
        """Of the first series; None where that is damaged."""
        return grid_of(self.series[0])

    @property
    def b_values(self) -> frozenset[float]:
        """As far as they are known."""
        return frozenset(b for one in self.series if (grid := grid_of(one)) for b in grid.b_values)

    @property
    def uids(self) -> str:
        """The Series Instance UIDs, in the order of their text."""
        return " ".join(sorted(uid for one in self.series for uid in one.uids))

    @property
    def study_uids(self) -> tuple[str, ...]:
        """Study Instance UIDs that the images bear, the one of most of them first."""
        return tuple(dict.fromkeys(uid for one in self.series for uid in one.study_uids))

    @property
    def has_one_b_value(self) -> bool:
        """Whether it is no study by itself; one that is damaged is, so that it is told."""
        return len(self.b_values) == 1 and all((g := grid_of(one)) and g.sound for one in self.series)

    @property
    def is_fragment(self) -> bool:
        """Whether it is no stack with several b-values."""
        return self.has_one_b_value or bool(self.grid and self.grid.is_one_slice)


def acquisitions(dwi: Sequence[Series], silent: Sequence[Series] = ()) -> list[SeriesGroup]:
    """Group the DWI series of an examination.

    Parameters
    ----------
    dwi : sequence of Series
    silent : sequence of Series
        Others in which nothing speaks for diffusion, nor against it: with the description of DWI series they
        can be their b 0.

    Returns
    -------
    list of SeriesGroup
        In the order of their first series. One with a single b-value is left out where its DICOM study has
        one with several. A damaged series stays alone, so that loading it names why.
    """
    studies = dict.fromkeys(series.study_uid for series in dwi)
    named = [group for uid in studies for group in _named([one for one in dwi if one.study_uid == uid])]
    found: list[SeriesGroup] = []
    for bucket in _alike(named):
        described, grid = {one.description for group in bucket for one in group.series}, bucket[0].grid
        beside = [one for one in silent if one.description in described]
        alike = [one for one in beside if grid and (found_at := grid_of(one)) and grid.continues(found_at)]
        found += _settled(bucket, [SeriesGroup((one,)) for one in alike])
    several = {uid for group in found if not group.has_one_b_value for uid in group.study_uids}
    kept = [g for g in found if not (g.has_one_b_value and several.intersection(g.study_uids))]
    order = {uid: number for number, uid in reversed(list(enumerate(one.series_uid for one in dwi)))}
    return sorted(kept, key=lambda g: min(order.get(uid, len(dwi)) for one in g.series for uid in one.uids))


def joined_maps(series: Sequence[Series]) -> list[Series]:
    """The series of an examination, where T2 images and maps that came in parts are one series each."""
    pieces: dict[tuple[SeriesKind, str], list[SeriesGroup]] = defaultdict(list)
    for one in series:
        if one.kind in _JOINED_KINDS:
            pieces[one.kind, one.description].append(SeriesGroup((one,)))
    whole: dict[Series, Series] = {}
    for several in pieces.values():
        for bucket in _alike(several) if len(several) > 1 else ():
            for run in [bucket] if _stack(bucket) else _separated(bucket) or _with_gaps(bucket):
                if len(run) > 1:
                    whole.update(dict.fromkeys(_members(run), _whole(run)))
    return list(dict.fromkeys(whole.get(one, one) for one in series))


def _with_gaps(units: Sequence[SeriesGroup]) -> list[list[SeriesGroup]]:
    """Single slices, each there once, are one map even where some are missing: then that is told of it."""
    grids = [unit.grid for unit in units]
    single = all(grid and grid.is_one_slice for grid in grids)
    return [list(units)] if single and _slices(units) == len(units) else []


def one_plane(series: Series) -> list[Series]:
    """A DWI series that holds images of other planes too, such as a localizer, without them.

    Only where one plane alone has several b-values and is whole; else the series stays as it is, and is
    refused with two of its files named.
    """
    try:
        frames = frames_of(series)
    except UserError:
        return [series]
    by_plane: list[list[Frame]] = []
    for frame in frames:
        plane = next((plane for plane in by_plane if same_plane(plane[0], frame)), None)
        if plane is None:
            by_plane.append(plane := [])
        plane.append(frame)
    files = [{frame.file for frame in plane} for plane in by_plane]
    if len(files) == 1 or sum(map(len, files)) > len(series.files):
        return [series]
    parts = [SeriesGroup((_selected(series, chosen),)) for chosen in files]
    dwi = [part for part in parts if len(part.b_values) > 1]
    if len(dwi) != 1 or not _stack(dwi):
        return [series]
    others = [part.series[0] for part in parts if part is not dwi[0]]
    left_out = sum(len(one.files) for one in others)
    note = f"{series.name} holds {left_out} images of other planes, which are not used."
    return [
        replace(dwi[0].series[0], notes=(*series.notes, note)),
        *(replace(one, kind=SeriesKind.OTHER, reason=_OTHER_PLANE, unreadable=()) for one in others),
    ]


def one_echo(series: Series) -> Series:
    """A DWI series as it is, or refused where it has several echo times: no ADC follows from these."""
    times = {header.get("EchoTime"): path for path, header in zip(series.files, series.headers, strict=True)}
    known = {float(time): path for time, path in times.items() if isinstance(time, int | float) and time}
    if not known or max(known) - min(known) < _ECHO_TIME_TOLERANCE_MS:
        return series
    (short, one), (long, other) = min(known.items()), max(known.items())
    refused = UserError(
        f"{series.name} mixes echo times: {one} has {short:g} ms, {other} has {long:g} ms.",
        expected="diffusion images of one echo time.",
        fix="keep the acquisitions in separate series and folders.",
    )
    return replace(series, refused=series.refused or refused)


def _selected(series: Series, files: Collection[Path]) -> Series:
    pairs = [pair for pair in zip(series.files, series.headers, strict=True) if pair[0] in files]
    return replace(series, files=tuple(p for p, _ in pairs), headers=tuple(h for _, h in pairs))


def _named(dwi: Sequence[Series]) -> list[SeriesGroup]:
    """What the identifiers of one DICOM study say: a series is an acquisition, or one b-value of it."""
    groups: list[list[Series]] = []
    for series in dwi:
        grid = grid_of(series)
        for group in groups:
            if grid and all((other := grid_of(one)) and grid.combines(other) for one in group):
                group.append(series)
                break
        else:
            groups.append([series])
    return [SeriesGroup(tuple(_without_spare_series(group))) for group in groups]


def _without_spare_series(group: Sequence[Series]) -> list[Series]:
    """Leave out a series of directions whose every b-value is there as trace image."""
    known = [
        (grid.b_values, grid.directional) if (grid := grid_of(one)) else (frozenset(), False) for one in group
    ]
    spare = spare_directions(known)
    return [
        one
        for one, (b_values, directional), left_out in zip(group, known, spare, strict=True)
        if not (directional and b_values == left_out)
    ]


def _alike(groups: Sequence[SeriesGroup]) -> list[list[SeriesGroup]]:
    """Put together what could be parts of one stack; what is damaged stays alone."""
    buckets: list[list[SeriesGroup]] = []
    for group in groups:
        for bucket in buckets:
            if group.grid and bucket[0].grid and bucket[0].grid.continues(group.grid):
                bucket.append(group)
                break
        else:
            buckets.append([group])
    return buckets


def _settled(groups: Sequence[SeriesGroup], silent: Sequence[SeriesGroup] = ()) -> list[SeriesGroup]:
    """Make acquisitions of what could be parts of one stack."""
    units = list(_units(groups))
    fragments = [unit for unit in units if unit.is_fragment]
    stacks = [unit for unit in units if not unit.is_fragment]
    for extra in (silent, ()) if fragments and silent else ((),):
        if len(groups) + len(extra) > 1 and _stack([*units, *extra]):
            return [_joined([*units, *extra], groups)]
    if len(groups) == 1:
        return list(groups)
    runs = _separated(units)
    if not runs and (fragments or not all(_is_study([unit]) for unit in stacks)):  # UIDs mixed repeats
        runs = _separated([SeriesGroup((one,)) for one in _members(units)])
    if runs:
        return [_joined(run, groups) for run in runs]
    if stacks and fragments:
        spare = [group for group in groups if group.has_one_b_value]
        if len(spare) == len(groups) - len(stacks):  # a b-value again, beside whole acquisitions
            return [*_settled(stacks), *spare]
    settled: list[SeriesGroup] = []
    for cluster in _clusters(units):
        if len(cluster) == 1 or _stack(cluster):
            settled.append(_joined(cluster, groups))
        elif all(len(unit.b_values) > 1 for unit in cluster) and _slices(cluster) == 1:
            settled += cluster  # one slice, again and again
        elif runs := _separated(cluster):
            settled += [_joined(run, groups) for run in runs]
        else:
            settled.append(_refused(cluster, groups))
    return settled


def _units(groups: Sequence[SeriesGroup]) -> Iterator[SeriesGroup]:
    """What is joined: stacks as they are, of fragments every series, for their UIDs may mix repeats."""
    for group in groups:
        if group.is_fragment:
            yield from (SeriesGroup((one,)) for one in group.series)
        else:
            yield group


def _members(units: Sequence[SeriesGroup]) -> list[Series]:
    return [one for unit in units for one in unit.series]


def _joined(units: Sequence[SeriesGroup], groups: Sequence[SeriesGroup]) -> SeriesGroup:
    """One acquisition of several parts; where the identifiers make the same one, that."""
    members = _members(units)
    for group in groups:
        if set(members) == set(group.series):
            return group
    whole = join(members)
    parts = [group.uids for group in groups if not set(members).isdisjoint(group.series)]
    note = f"{whole.name} were joined: they fill one grid."
    return SeriesGroup((replace(whole, notes=(*whole.notes, note)),), tuple(members), tuple(parts))


def _refused(units: Sequence[SeriesGroup], groups: Sequence[SeriesGroup]) -> SeriesGroup:
    """What neither fills a grid nor repeats one, as one acquisition that loading refuses."""
    found = _joined(units, groups)
    whole = replace(_whole([found]), notes=())
    try:
        pair = next(_doubles(_arranged(whole), units), None)
        reason = f": {pair[0].file} and {pair[1].file} have one place and b-value" if pair else ""
    except UserError as error:
        reason = f": {error.found.removeprefix(whole.name).strip(' .')}"
        if all(unit.is_fragment for unit in units):  # told when it is loaded, and drop_incomplete may help
            return replace(found, series=(whole,))
    refused = UserError(
        f"{whole.name} neither fill one grid nor repeat one another{reason}.",
        expected="one acquisition whose slices and b-values fill a regular grid, or whole repeats of it.",
        fix="export the examination again, whole, or keep what belongs together in a folder of its own.",
    )
    return replace(found, series=(replace(whole, refused=refused),))


def _arranged(series: Series) -> Stack:
    """The images of a series in their places; raises UserError as `arrange` does."""
    return arrange(_frames(series), what=series.name)


def _frames(series: Series) -> Sequence[Frame]:
    """The images of a series, with a b-value each: where none has one, by their order at each slice."""
    frames = frames_of(series)
    if series.kind in (SeriesKind.ADC, SeriesKind.T2):
        return [replace(frame, b_value=BValue(0.0, ""), repetition=()) for frame in frames]
    known = sum(frame.b_value is not None for frame in frames)
    if 0 < known < len(frames):
        raise UserError(
            f"{len(frames) - known} of {len(frames)} images of {series.name} have no b-value.",
            expected="a b-value in every header, or in none.",
            fix="export the series again, with its private attributes.",
        )
    return frames if known else _numbered(frames)


def _numbered(frames: Sequence[Frame]) -> list[Frame]:
    """Images whose b-values are found later, when their pixels are read."""
    count: dict[int, int] = defaultdict(int)
    numbered = []
    pairs = zip(frames, slice_numbers(frames).tolist(), strict=True)
    for frame, number in sorted(pairs, key=lambda pair: pair[0].number):
        numbered.append(replace(frame, b_value=BValue(1000.0 * count[number], _NUMBERED)))
        count[number] += 1
    return numbered


def _stack(units: Sequence[SeriesGroup]) -> Stack | None:
    """The images of all parts in their places, or None where they do not fill a grid, or one twice."""
    whole = _whole(units)
    try:
        stack = _arranged(whole)
    except UserError:
        return None
    if len(units) > 1 and (next(_doubles(stack, units), None) or not _is_plausible(stack, units)):
        return None
    return stack


def _whole(units: Sequence[SeriesGroup]) -> Series:
    members = _members(units)
    return join(members) if len(members) > 1 else members[0]


def _doubles(stack: Stack, units: Sequence[SeriesGroup]) -> Iterator[tuple[Frame, Frame]]:
    """Images of one place, b-value and direction from two parts; b 0 can be coded as 0, 0.001, 0.002."""
    part = {path: number for number, unit in enumerate(units) for one in unit.series for path in one.files}
    for b, row in zip(stack.b_values, stack.cells, strict=True):
        for cell in row:
            first: dict[object, Frame] = {}
            for frame in cell:
                key = (frame.direction, frame.repetition[-1:] if b <= TOLERANCE else ())
                if part[frame.file] != part[first.setdefault(key, frame).file]:
                    yield first[key], frame


def _is_plausible(stack: Stack, units: Sequence[SeriesGroup]) -> bool:
    """Whether the distance of the slices can be that of one stack; two single ones are always regular."""
    thickness, step = _thickness(units), stack.geometry.spacing[0]
    if not thickness:
        return True
    are_stacks = any(not unit.grid.is_one_slice for unit in units if unit.grid)
    return (
        step >= _OVERLAP * thickness if are_stacks else len(stack.cells[0]) > 2 or step <= _APART * thickness
    )


def _thickness(units: Sequence[SeriesGroup]) -> float:
    return float(acquisition(units[0].series[0].headers[0]).get("SliceThickness") or 0)


def _separated(units: Sequence[SeriesGroup]) -> list[list[SeriesGroup]]:
    """Tell repeats apart by what the scanner counted: each fills one grid. Empty where that does not do."""
    try:
        cells = _cells(units)
    except UserError:
        return []
    for values in zip(*(_counted(unit) for unit in units), strict=True):
        known = {value for value in values if value is not None}
        if None in values or len(known) < 2:
            continue
        exact = [[u for u, own in zip(units, values, strict=True) if own == value] for value in sorted(known)]
        runs = list(_runs(exact, cells))
        for split in (exact, runs):
            covered = [frozenset(cell[:2] for unit in run for cell in cells[unit]) for run in split]
            again = split is runs and len(set(covered)) == 1
            if len(split) > 1 and (again or _stay_apart(covered)) and all(map(_is_study, split)):
                return split
    return []


def _stay_apart(covered: Sequence[frozenset[tuple[int, float]]]) -> bool:
    """Whether these are stacks of several slices each, and repeats of one another, or of other b-values."""
    slices = [{number for number, _ in places} for places in covered]
    b_values = [{b for _, b in places} for places in covered]
    return all(len(own) > 1 for own in slices) and all(
        a <= b or b <= a or b_values[i] != b_values[j]
        for (i, a), (j, b) in combinations(enumerate(slices), 2)
    )


def _runs(
    parts: Sequence[list[SeriesGroup]], cells: Mapping[SeriesGroup, Set[_Cell]]
) -> Iterator[list[SeriesGroup]]:
    """Consecutive parts until a place comes again."""
    run: list[SeriesGroup] = []
    taken: set[_Cell] = set()
    for part in parts:
        own = {cell for unit in part for cell in cells[unit]}
        if taken & own:
            yield run
            run, taken = [], set()
        run, taken = [*run, *part], taken | own
    yield run


def _is_study(units: Sequence[SeriesGroup]) -> bool:
    is_dwi = units[0].series[0].kind is SeriesKind.DWI
    return bool((stack := _stack(units)) and (len(stack.b_values) > 1 or not is_dwi))


def _cells(units: Sequence[SeriesGroup]) -> dict[SeriesGroup, set[_Cell]]:
    """Slice, b-value and direction of the images of each part, numbered and merged alike in all."""
    frames = _frames(_whole(units))
    b_of = merge([frame.b_value.value for frame in frames if frame.b_value])
    part_of = {path: unit for unit in units for one in unit.series for path in one.files}
    cells: dict[SeriesGroup, set[_Cell]] = {unit: set() for unit in units}
    for frame, number in zip(frames, slice_numbers(frames).tolist(), strict=True):
        b = b_of[frame.b_value.value] if frame.b_value else 0.0
        cells[part_of[frame.file]].add((number, b, frame.direction))
    return cells


def _counted(unit: SeriesGroup) -> list[float | None]:
    """Series number, acquisition number and time … of a part: the least of each, None where unknown."""
    numbers = [one.number for one in unit.series]
    counted: list[float | None] = [
        None if None in numbers else float(min(n for n in numbers if n is not None))
    ]
    repetitions = [frame.repetition[:-1] for one in unit.series for frame in frames_of(one)]
    for values in zip(*repetitions, strict=True):
        try:
            counted.append(min(map(float, values)))
        except ValueError:
            counted.append(None)
    return counted


def _clusters(units: Sequence[SeriesGroup]) -> list[list[SeriesGroup]]:
    """Put together what is neither whole, nor a repeat, nor clearly somewhere else."""
    places = _lattice(units)
    if places is None:
        loose = [unit for unit in units if unit.is_fragment]
        return [*([unit] for unit in units if not unit.is_fragment), *([loose] if loose else [])]
    clusters = [[unit] for unit in units]
    while pair := next((p for p in combinations(clusters, 2) if _is_between(*p, places)), None):
        clusters = [cluster for cluster in clusters if cluster not in pair] + [[*pair[0], *pair[1]]]
    return clusters


def _is_between(
    one: Sequence[SeriesGroup], other: Sequence[SeriesGroup], places: Mapping[SeriesGroup, Set[int]]
) -> bool:
    """Whether two parts are neither repeats of one another nor clearly elsewhere."""
    mine, theirs = (set().union(*(places[unit] for unit in units)) for units in (one, other))
    stacks = [unit for unit in (*one, *other) if not unit.is_fragment]
    if mine <= theirs or theirs <= mine:
        return not stacks  # a stack again, of fewer slices perhaps
    missing = max(min(mine), min(theirs)) - min(max(mine), max(theirs)) - 1
    return len({unit.b_values for unit in stacks}) < 2 and missing <= min(len(mine), len(theirs))


def _lattice(units: Sequence[SeriesGroup]) -> dict[SeriesGroup, set[int]] | None:
    """Numbers of each part's slices on a lattice that all share, or None."""
    frames = [frame for one in _members(units) for frame in frames_of(one)]
    depths, numbers = slice_depths(frames), slice_numbers(frames)
    slices = np.array([depths[numbers == number].min() for number in range(numbers.max() + 1)])
    steps = np.diff(slices)
    step, thickness = steps.min() if len(steps) else 1.0, _thickness(units)
    if thickness and len(steps) == 1 and step > _APART * thickness:
        step = thickness  # two slices anywhere are regular
    off = np.abs(steps / step - np.round(steps / step)) * step
    if (off > 2 * POSITION_TOLERANCE_MM).any() or (thickness and step < _OVERLAP * thickness):
        return None
    index = np.round((slices - slices[0]) / step).astype(int)
    at = {}
    start = 0
    for unit in units:
        count = sum(len(frames_of(one)) for one in unit.series)
        at[unit] = {int(index[number]) for number in numbers[start : start + count]}
        start += count
    return at


def _slices(units: Sequence[SeriesGroup]) -> int:
    return int(slice_numbers([frame for one in _members(units) for frame in frames_of(one)]).max()) + 1


def _step(one: Frame, other: Frame) -> Array:
    return np.subtract(other.position, one.position)


def _distance(one: Frame, other: Frame) -> float:
    return max(abs(a - b) for a, b in zip(one.position, other.position, strict=True))
