"""Which series of a collection are wanted, from the index alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from uteroseg.intake.public.collections import Collection, Diffusion, matches
from uteroseg.intake.public.index import IndexedSeries

Role = Literal["DWI", "ADC", "T2", "contours", "drawn on"]

_CONTOURS = "RTSTRUCT"


@dataclass(frozen=True)
class Wanted:
    """A series to get, and what for."""

    role: Role
    series: IndexedSeries


@dataclass(frozen=True)
class WantedStudy:
    """A study to get.

    Parameters
    ----------
    patient, date, uid : str
    diffusion : Diffusion
        Which kind of diffusion series it has.
    series : tuple of Wanted
    drawn_on : str
        What its contours were drawn on: ``DWI``, ``T2``, or the description of another series; empty without
        contours.
    """

    patient: str
    date: str
    uid: str
    diffusion: Diffusion
    series: tuple[Wanted, ...]
    drawn_on: str = ""

    @property
    def megabytes(self) -> float:
        """Size of all its series."""
        return sum(wanted.series.megabytes for wanted in self.series)


@dataclass(frozen=True)
class Selection:
    """What is wanted of a collection, and which studies with DWI are not, with the reason."""

    studies: tuple[WantedStudy, ...]
    left_out: tuple[tuple[IndexedSeries, str], ...]

    @property
    def series(self) -> tuple[IndexedSeries, ...]:
        """Every series that is wanted."""
        return tuple(wanted.series for study in self.studies for wanted in study.series)


def select(rule: Collection, index: Iterable[IndexedSeries]) -> Selection:
    """Choose the series of every study that has DWI and, where the collection has contours, those too."""
    by_study: dict[str, list[IndexedSeries]] = defaultdict(list)
    for series in index:
        if series.collection == rule.name:
            by_study[series.study].append(series)
    studies, left_out = [], []
    for members in by_study.values():
        dwi = [series for series in members if series.modality == "MR" and rule.diffusion(series.description)]
        if not dwi:
            continue
        chosen = _drawn(rule, members, dwi[0]) if rule.contours else ("", [])
        if isinstance(chosen, str):
            left_out.append((dwi[0], chosen))
        else:
            studies.append(_study(rule, members, dwi, chosen))
    return Selection(tuple(studies), tuple(left_out))


def _study(
    rule: Collection,
    members: Sequence[IndexedSeries],
    dwi: Sequence[IndexedSeries],
    drawn: tuple[str, Sequence[Wanted]],
) -> WantedStudy:
    kind = rule.diffusion(dwi[0].description)
    assert kind is not None
    source, contours = drawn
    maps = [one for one in members if one.modality == "MR" and matches(rule.adc, one.description)]
    wanted = [*(Wanted("DWI", one) for one in dwi), *(Wanted("ADC", one) for one in maps if one not in dwi)]
    known = {one.series.uid for one in wanted}
    wanted += [one for one in contours if one.series.uid not in known]
    return WantedStudy(dwi[0].patient, dwi[0].date, dwi[0].study, kind, tuple(wanted), source)


def _drawn(
    rule: Collection, members: Sequence[IndexedSeries], dwi: IndexedSeries
) -> tuple[str, list[Wanted]] | str:
    """What the contours were drawn on, with them and those images; or why there are none to take."""
    drawn = [one for one in members if one.modality == _CONTOURS]
    contours = [one for one in drawn if matches(rule.contours, one.description)]
    images = [one for one in members if one.modality == "MR"]
    if not contours:
        return "no contours of the tumour in this study"
    if rule.drawn_on == "t2":
        t2 = [one for one in images if matches(rule.t2, one.description)]
        if len(contours) > 1 or not t2:
            return f"{len(contours)} files of contours and {len(t2)} T2 series"
        return "T2", [*(Wanted("T2", one) for one in t2), Wanted("contours", contours[0])]
    numbers = {one.number for one in contours}
    drawn_on = [one for one in images if one.number in numbers]
    if not drawn_on:
        return "no series has the number of its contours"
    nearest = min(drawn_on, key=lambda one: (_rank(rule, one), _steps(dwi, one), one.number))
    on_it = [one for one in contours if one.number == nearest.number]
    if len(on_it) > 1:
        return f"{len(on_it)} lesions in files of their own"
    source = ("DWI", "T2", nearest.description)[_rank(rule, nearest)]
    return source, [Wanted("drawn on", nearest), Wanted("contours", on_it[0])]


def _rank(rule: Collection, series: IndexedSeries) -> int:
    """DWI first, then T2, then anything."""
    return 0 if rule.diffusion(series.description) else 1 if matches(rule.t2, series.description) else 2


def _steps(dwi: IndexedSeries, series: IndexedSeries) -> int:
    """Series between two, by number: the nearer in time, the less bladder and bowel have moved."""
    return abs(int(series.number or 0) - int(dwi.number or 0))
