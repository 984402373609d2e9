"""Which series make up a diffusion study, and why the others don't."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from uteroseg.dicom.classify import SILENT, Classification, SeriesKind
from uteroseg.dicom.copies import without_copies
from uteroseg.dicom.grouping import SeriesGroup, acquisitions, grid_of, joined_maps, one_echo, one_plane
from uteroseg.dicom.pairs import find_pairs
from uteroseg.dicom.scan import Scan, Series, examinations, series_order
from uteroseg.dicom.virtual import is_virtual
from uteroseg.errors import UserError, printable
from uteroseg.files import files_below

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".dcm.gz", ".7z", ".rar")


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
    notes : tuple of str
        What was decided about its files, in sentences for people: series that were joined, copies left out.
    parts : tuple of str
        Where series were joined: the ``series_uids`` under which each was a study by its identifiers alone,
        so that a dataset that holds these as cases can be recognised.
    is_pair : bool
        Whether it is an ADC map and one image of high b (`uteroseg.dicom.pairs`).
    """

    study_uid: str
    patient_id: str
    date: str
    folder: Path
    dwi: tuple[Series, ...]
    adc: Series | None
    others: tuple[Series, ...]
    uses: tuple[SeriesUse, ...]
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    is_pair: bool = False

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
        """What tells the acquisition: UIDs of its diffusion series, and a pair's map, ordered as text."""
        return " ".join(sorted(uid for one in (self.used if self.is_pair else self.dwi) for uid in one.uids))

    @property
    def virtual(self) -> bool:
        """Whether the patient is a virtual one: its files say so."""
        return any(is_virtual(header) for series in self.used for header in series.headers)

    @property
    def used(self) -> tuple[Series, ...]:
        """What `load_study` takes."""
        return self.dwi if self.adc is None else (*self.dwi, self.adc)


def find_studies(scan: Scan) -> tuple[FoundStudy, ...]:
    """Group series into diffusion studies, from headers alone.

    DWI series of one examination on one grid, with one echo time and different b-values, are one acquisition;
    so are series that together fill one regular grid of slices and b-values without a double, whatever their
    UIDs (`uteroseg.dicom.grouping`); so are trace images and the directions that they were made of, of which
    only those b-values are used that the traces lack. Otherwise each series is its own acquisition. The
    scanner's ADC map goes to the DWI on the same grid with the nearest preceding series number. A series with
    a single b-value is no study of its own where its DICOM study has one with several. Of an image that
    several files hold, one is used.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    tuple of FoundStudy
        By patient, then by date. Empty where nothing is diffusion-weighted. A study can still be refused by
        `load_study`, by name.
    """
    by_study: dict[tuple[str, str, str], list[Series]] = {}
    for series in scan.series:
        by_study.setdefault((series.patient_id, series.study_uid, series.date), []).append(series)
    lies_in = {key: {one.frame_of_reference_uid for one in members} for key, members in by_study.items()}
    found = [
        study
        for keys in examinations(lies_in)
        for study in _studies([one for key in keys for one in by_study[key]])
    ]
    return tuple(sorted(found, key=lambda study: (study.patient_id, study.date, study.study_uid)))


def require_studies(scan: Scan, root: Path) -> tuple[FoundStudy, ...]:
    """Find the diffusion studies, or raise a UserError that lists what was found instead."""
    studies = find_studies(scan)
    if studies:
        return studies
    listed = [f"{s.name}: {s.kind.value}, {s.reason}" for s in scan.series]
    unreadable = [f"{file.path}: {file.reason}" for file in scan.skipped]
    found = "; ".join([*listed, *unreadable][:10]) or "no DICOM files"
    names = [file.name for file in files_below(root)]
    if packed := [name for name in names if name.lower().endswith(_ARCHIVES)]:
        found += f"; archives, which are not looked into: {', '.join(map(printable, packed[:5]))}"
    raise UserError(
        f"{root} holds no diffusion-weighted series ({found}).",
        expected="a folder with the diffusion series (one image per slice and b-value) in DICOM.",
        fix="name the folder or the zip archive that holds the diffusion series, or export it from the PACS.",
    )


def _is_dwi(series: Series) -> bool:
    return series.kind is SeriesKind.DWI


def _studies(members: Sequence[Series]) -> list[FoundStudy]:
    """The diffusion studies of one examination."""
    members = [
        part
        for one in without_copies(members)
        for part in (map(one_echo, one_plane(one)) if _is_dwi(one) else [one])
    ]
    silent = [one for one in members if Classification(one.kind, one.reason) in SILENT]
    groups = acquisitions([one for one in members if _is_dwi(one)], silent)
    joined = {one for group in groups for one in group.joined}
    rest = joined_maps([one for one in members if one not in joined])
    maps = _assign_maps(groups, [one for one in rest if one.kind is SeriesKind.ADC])
    chosen = [(group, maps.get(i), False) for i, group in enumerate(groups)]
    if pairs := find_pairs(rest, groups):
        chosen = [(SeriesGroup((image,)), adc, True) for image, adc in pairs]
    used = {one for group, *_ in chosen for one in group.series}
    taken = {adc for _, adc, _ in chosen}
    spare = [one for one in rest if one.kind is SeriesKind.ADC and one not in taken]
    whole = [one for group in groups for one in (group.series if used & set(group.series) else group.joined)]
    rest += [one for one in dict.fromkeys([*whole, *used]) if one not in rest]
    found = []
    for group, adc, is_pair in chosen:
        own = sorted((o for o in rest if set(o.study_uids) & set(group.study_uids)), key=series_order)
        found.append(replace(_found(group, adc, own, spare), is_pair=is_pair))
    return found


def _assign_maps(groups: Sequence[SeriesGroup], maps: Iterable[Series]) -> dict[int, Series]:
    """Give each acquisition the ADC map that follows it most closely."""
    assigned: dict[int, tuple[int, Series]] = {}
    for adc in maps:
        grid = grid_of(adc)
        distances = {
            i: _distance(group, adc)
            for i, group in enumerate(groups)
            if grid and grid.sound and group.grid and group.grid.sound and grid.matches(group.grid)
        }
        if distances:
            nearest = min(distances, key=lambda i: distances[i])
            if nearest not in assigned or distances[nearest] < assigned[nearest][0]:
                assigned[nearest] = (distances[nearest], adc)
    return {i: adc for i, (_, adc) in assigned.items()}


def _distance(group: SeriesGroup, adc: Series) -> int:
    """Series numbers between an acquisition and a map; a map numbered before it comes last."""
    steps = [(adc.number or 0) - (series.number or 0) for series in group.series]
    return min(step if step >= 0 else 100_000 - step for step in steps)


def _found(
    group: SeriesGroup, adc: Series | None, members: Sequence[Series], unused: Collection[Series]
) -> FoundStudy:
    """Describe a study; ``unused`` are the maps of its examination that no study uses."""
    dwi = group.series
    used = [*dwi, adc] if adc else [*dwi]
    files = [str(path.parent) for series in used for path in series.files]
    studies = {uid for series in dwi for uid in series.study_uids}
    notes = [note for series in used for note in series.notes]
    if len(studies) > 1:
        notes.append(f"Its images came under {len(studies)} Study Instance UIDs of one patient and date.")
    uses = tuple(_use(s, group, adc) for s in members)
    if adc is None:
        spare = [use for use in uses if use.series in unused]
        notes += [f"{use.series.name} is left out: {use.reason}" for use in spare]
    return FoundStudy(
        study_uid=group.study_uids[0],
        patient_id=dwi[0].patient_id,
        date=str(dwi[0].headers[0].get("StudyDate") or ""),
        folder=Path(os.path.commonpath(files)),
        dwi=dwi,
        adc=adc,
        others=tuple(s for s in members if s not in used),
        uses=uses,
        notes=tuple(dict.fromkeys(notes)),
        parts=group.parts,
    )


def _use(series: Series, group: SeriesGroup, adc: Series | None) -> SeriesUse:
    if series in group.series:
        return SeriesUse(series, True, f"diffusion source: {series.reason}")
    if series is adc:
        return SeriesUse(series, True, f"scanner's ADC on the same grid: {series.reason}")
    if series.unreadable:
        file = series.unreadable[0]
        return SeriesUse(series, False, f"{printable(str(file.path))} cannot be read: {file.reason}")
    if series.refused:
        return SeriesUse(series, False, series.refused.found.removesuffix("."))
    if series.kind in (SeriesKind.DWI, SeriesKind.ADC):
        return SeriesUse(series, False, _reason_unused(series, group))
    return SeriesUse(series, False, f"{series.kind.value}: {series.reason}")


def _reason_unused(series: Series, group: SeriesGroup) -> str:
    """What keeps a DWI series or an ADC map from being used in a study, for people."""
    what = "ADC map of" if series.kind is SeriesKind.ADC else "DWI with"
    grid = grid_of(series)
    if grid is None or group.grid is None:
        return f"{what} another grid, as far as headers say"
    is_slice = grid.is_one_slice and grid.continues(group.grid)
    if (difference := grid.difference(group.grid)) and not is_slice:
        return f"{what} another grid: {difference}"
    if series.kind is SeriesKind.ADC:
        return "ADC map of another acquisition"
    if there := sorted(grid.b_values & group.b_values):
        return f"its b-values are there already: {', '.join(f'{b:g}' for b in there)} s/mm²"
    return "another acquisition"
