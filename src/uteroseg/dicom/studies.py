"""Which series make up a diffusion study, and why the others don't."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uteroseg.dicom.acquisition import echo_time_ms
from uteroseg.dicom.bvalues import merge
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.scan import Scan, Series
from uteroseg.dicom.stack import POSITION_TOLERANCE_MM, is_directional, require_one_grid, slice_depths
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

_ECHO_TIME_TOLERANCE_MS = 0.5


@dataclass(frozen=True, eq=False)
class SeriesUse:
    """Whether a series is used in a study, and why."""

    series: Series
    used: bool
    reason: str


@dataclass(frozen=True, eq=False)
class FoundStudy:
    """The series of one diffusion acquisition.

    Parameters
    ----------
    study_uid, patient_id : str
    date : str
        Study Date as written (``YYYYMMDD``), empty where there is none.
    folder : Path
        Common parent of the used files.
    dwi : tuple of Series
    adc : Series or None
        The scanner's ADC map on the same grid.
    others : tuple of Series
        The other series of the same DICOM study.
    uses : tuple of SeriesUse
        One per series of the same DICOM study, used or not, with the reason.
    """

    study_uid: str
    patient_id: str
    date: str
    folder: Path
    dwi: tuple[Series, ...]
    adc: Series | None
    others: tuple[Series, ...]
    uses: tuple[SeriesUse, ...]

    @property
    def patient(self) -> str:
        """What tells the patient: their id, or where that is empty this study alone."""
        return self.patient_id or self.study_uid

    @property
    def day(self) -> str:
        """What tells the date of examination: the date, or where that is empty this study alone."""
        return self.date or self.study_uid

    @property
    def series_uids(self) -> str:
        """What tells the acquisition: the UIDs of its diffusion series, in the order of their text."""
        return " ".join(sorted(series.series_uid for series in self.dwi))

    @property
    def used(self) -> tuple[Series, ...]:
        """What `load_study` takes."""
        return self.dwi if self.adc is None else (*self.dwi, self.adc)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where a series lies and which b-values it holds, as far as its headers say."""

    series: Series
    frame_of_reference: str
    size: tuple[int, ...]
    plane: Array  # orientation cosines, then pixel spacing
    corners: Array  # of the first and last slice, mm
    b_values: frozenset[float]
    directional: bool  # some b-value has images of single directions only
    echo_time: float | None

    @classmethod
    def of(cls, series: Series) -> _Grid | None:
        """Read it; None where the series is damaged in a way that `load_study` names."""
        try:
            frames = frames_of(series)
            if series.unreadable or not frames or not all(f.b_value for f in frames if _is_dwi(series)):
                return None
            require_one_grid(frames, what=series.name)
        except UserError:
            return None
        order = np.argsort(slice_depths(frames))
        first, last = frames[order[0]], frames[order[-1]]
        values = [f.b_value.value for f in frames if f.b_value]
        return cls(
            series,
            series.frame_of_reference_uid,
            (first.rows, first.columns),
            np.array([*first.orientation, *first.pixel_spacing]),
            np.array([first.position, last.position]),
            frozenset(merge(values).values()),
            is_directional(frames),
            echo_time_ms(series.headers[0]),
        )

    def matches(self, other: _Grid) -> bool:
        """Say whether two series lie on one grid."""
        return (
            self.frame_of_reference == other.frame_of_reference
            and self.size == other.size
            and np.allclose(self.plane, other.plane, rtol=0, atol=1e-3)
            and np.allclose(self.corners, other.corners, rtol=0, atol=POSITION_TOLERANCE_MM)
        )

    def combines(self, other: _Grid) -> bool:
        """Say whether two DWI series are parts of one acquisition.

        They have one echo time and different b-values, or one holds the directions of the other's traces.
        """
        times = (self.echo_time, other.echo_time)
        same_echo = None in times or abs((times[0] or 0) - (times[1] or 0)) < _ECHO_TIME_TOLERANCE_MS
        joint = merge([*self.b_values, *other.b_values])
        distinct = len(set(joint.values())) == len(self.b_values) + len(other.b_values)
        return self.matches(other) and same_echo and (distinct or self.directional != other.directional)


def find_studies(scan: Scan) -> tuple[FoundStudy, ...]:
    """Group series into diffusion studies, from headers alone.

    DWI series of one DICOM study (StudyInstanceUID) on one grid, with one echo time and different b-values,
    are one acquisition; so are trace images and the directions that they were made of, of which only those
    b-values are used that the traces lack. Otherwise each series is its own acquisition. The scanner's ADC
    map goes to the DWI on the same grid
    with the nearest preceding series number. A series with a single b-value is no study of its own where its
    DICOM study has one with several.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    tuple of FoundStudy
        By patient, then by date. Empty where nothing is diffusion-weighted. A study can still be refused by
        `load_study`, by name.
    """
    by_study: dict[tuple[str, str], list[Series]] = {}
    for series in scan.series:
        by_study.setdefault((series.patient_id, series.study_uid), []).append(series)
    found = [study for members in by_study.values() for study in _studies(members)]
    return tuple(sorted(found, key=lambda study: (study.patient_id, study.date)))


def require_studies(scan: Scan, root: Path) -> tuple[FoundStudy, ...]:
    """Find the diffusion studies, or raise a UserError that lists what was found instead."""
    studies = find_studies(scan)
    if studies:
        return studies
    listed = [f"{s.name}: {s.kind.value}, {s.reason}" for s in scan.series]
    unreadable = [f"{file.path}: {file.reason}" for file in scan.skipped]
    found = "; ".join([*listed, *unreadable][:10]) or "no DICOM files"
    raise UserError(
        f"{root} holds no diffusion-weighted series ({found}).",
        expected="a folder with the diffusion series (one image per slice and b-value) in DICOM.",
        fix="name the folder that holds the diffusion series, or export it from the PACS.",
    )


def _is_dwi(series: Series) -> bool:
    return series.kind is SeriesKind.DWI


def _studies(members: Sequence[Series]) -> list[FoundStudy]:
    groups = _acquisitions([s for s in members if _is_dwi(s)])
    maps = _assign_maps(groups, [s for s in members if s.kind is SeriesKind.ADC])
    return [_found(group, maps.get(i), members) for i, group in enumerate(groups)]


def _acquisitions(dwi: Sequence[Series]) -> list[list[tuple[Series, _Grid | None]]]:
    """Combine DWI series into acquisitions; a damaged series stays alone, so that loading it names why."""
    groups: list[list[tuple[Series, _Grid | None]]] = []
    for series in dwi:
        grid = _Grid.of(series)
        for group in groups:
            if grid and all(other and grid.combines(other) for _, other in group):
                group.append((series, grid))
                break
        else:
            groups.append([(series, grid)])
    groups = [_without_spare_directions(group) for group in groups]
    several = [group for group in groups if not _has_one_b_value(group)]
    return several or groups


def _without_spare_directions(
    group: list[tuple[Series, _Grid | None]],
) -> list[tuple[Series, _Grid | None]]:
    """Leave out a series of directions whose every b-value is there as trace image."""
    traces = {b for _, grid in group if grid and not grid.directional for b in grid.b_values}
    return [(s, grid) for s, grid in group if not (grid and grid.directional and grid.b_values <= traces)]


def _has_one_b_value(group: Sequence[tuple[Series, _Grid | None]]) -> bool:
    values: set[float] = set()
    for _, grid in group:
        if grid is None:
            return False
        values |= grid.b_values
    return len(values) == 1


def _assign_maps(
    groups: Sequence[Sequence[tuple[Series, _Grid | None]]], maps: Iterable[Series]
) -> dict[int, Series]:
    """Give each acquisition the ADC map that follows it most closely."""
    assigned: dict[int, tuple[int, Series]] = {}
    for adc in maps:
        grid = _Grid.of(adc)
        distances = {
            i: _distance(group, adc)
            for i, group in enumerate(groups)
            if grid and group[0][1] and grid.matches(group[0][1])
        }
        if distances:
            nearest = min(distances, key=lambda i: distances[i])
            if nearest not in assigned or distances[nearest] < assigned[nearest][0]:
                assigned[nearest] = (distances[nearest], adc)
    return {i: adc for i, (_, adc) in assigned.items()}


def _distance(group: Sequence[tuple[Series, _Grid | None]], adc: Series) -> int:
    """Series numbers between an acquisition and a map; a map numbered before it comes last."""
    steps = [(adc.number or 0) - (series.number or 0) for series, _ in group]
    return min(step if step >= 0 else 100_000 - step for step in steps)


def _found(
    group: Sequence[tuple[Series, _Grid | None]], adc: Series | None, members: Sequence[Series]
) -> FoundStudy:
    dwi = tuple(series for series, _ in group)
    used = [*dwi, adc] if adc else [*dwi]
    files = [str(path.parent) for series in used for path in series.files]
    return FoundStudy(
        study_uid=dwi[0].study_uid,
        patient_id=dwi[0].patient_id,
        date=str(dwi[0].headers[0].get("StudyDate") or ""),
        folder=Path(os.path.commonpath(files)),
        dwi=dwi,
        adc=adc,
        others=tuple(s for s in members if s not in used),
        uses=tuple(_use(s, dwi, adc) for s in members),
    )


def _use(series: Series, dwi: Sequence[Series], adc: Series | None) -> SeriesUse:
    if series in dwi:
        return SeriesUse(series, True, f"diffusion source: {series.reason}")
    if series is adc:
        return SeriesUse(series, True, f"scanner's ADC on the same grid: {series.reason}")
    if series.unreadable:
        file = series.unreadable[0]
        return SeriesUse(series, False, f"{file.path} cannot be read: {file.reason}")
    if _is_dwi(series):
        return SeriesUse(series, False, "other grid or echo time, or its b-values are there already")
    if series.kind is SeriesKind.ADC:
        return SeriesUse(series, False, "ADC map of another grid or acquisition")
    return SeriesUse(series, False, f"{series.kind.value}: {series.reason}")
