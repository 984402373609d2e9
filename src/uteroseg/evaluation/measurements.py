"""Measure masks against a dataset's annotations, case by case; what cannot be measured is listed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import TOLERANCE_MM, measure_case
from uteroseg.files import write_text
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask

CaseMeasures = dict[str, Any]
Rank = Literal["worst", "median", "best"]
RANKS: tuple[Rank, ...] = ("worst", "median", "best")
"""The cases that are shown of many, by their DSC."""
Ranked = TypeVar("Ranked", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Measurements:
    """What was measured, and what could not be.

    Parameters
    ----------
    rows : list of dict
        One per measured case: who it is and its measures.
    problems : list of str
        One per case or mask that does not count, naming it.
    """

    rows: list[CaseMeasures] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def require_cases(dataset: Dataset, split: str) -> list[CaseId]:
    """The cases of a split (``train``, ``test`` or ``all``).

    Raises
    ------
    UserError
        If there are none, or there is no such split.
    """
    if split not in ("train", "test", "all"):
        raise UserError(
            f"There is no split {split!r}.", expected="train, test or all.", fix="correct `split`."
        )
    cases = dataset.cases(split=None if split == "all" else split)
    if not cases:
        raise UserError(
            f"{dataset.root} has no {split} cases.",
            expected="at least one case.",
            fix="assign splits with 'uteroseg split', or evaluate all cases with `split` all.",
        )
    return cases


def measure_cases(
    dataset: Dataset,
    cases: Sequence[CaseId],
    mask_of: Callable[[CaseId], Mask],
    *,
    tolerance_mm: float = TOLERANCE_MM,
    with_adc: bool = False,
    on_case: Callable[[int], None] = lambda done: None,
) -> Measurements:
    """Measure masks against the dataset's annotations.

    Parameters
    ----------
    dataset : Dataset
    cases : sequence of CaseId
    mask_of : callable
        Gives a case's mask, or raises UserError.
    tolerance_mm : float
        Of the NSD.
    with_adc : bool
        Measure the ADC inside both masks too.
    on_case : callable
        Told how many cases are done.
    """
    measurements = Measurements()
    for number, case in enumerate(cases, start=1):
        on_case(number)
        try:
            mask = mask_of(case)
            truth = dataset.load_mask(case)
            adc = _adc(dataset, case, truth) if with_adc else None
            measures = measure_case(mask, truth, tolerance_mm=tolerance_mm, adc=adc)
        except UserError as error:
            measurements.problems.append(f"{case}: {error}")
            continue
        measurements.rows.append({**_who(dataset, case), **measures})
    return measurements


def worst_median_best(rows: Sequence[Ranked]) -> dict[Rank, Ranked]:
    """The cases with the lowest, the median and the highest DSC, for pictures; at least one row."""
    ranked = sorted(rows, key=lambda row: (row["dsc"], row["case"]))
    return dict(zip(RANKS, (ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]), strict=True))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as a table (CSV); a cell is empty where a measure is not defined."""
    listed = list(rows)
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in listed for name in row)) or ["case"]
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(listed)
    write_text(path, text.getvalue())


def _adc(dataset: Dataset, case: CaseId, truth: Mask) -> Array:
    study = dataset.load_study(case)
    truth.geometry.require_same(
        study.geometry, what="Truth and study", fix="move the annotation to the study's grid."
    )
    return study.fit().adc


def _who(dataset: Dataset, case: CaseId) -> CaseMeasures:
    participant, written = dataset.participant(case), dataset.sidecar(case)
    scanner = (written.get("Manufacturer"), written.get("ManufacturersModelName"))
    return {
        "case": str(case),
        "participant": case.participant,
        "cohort": participant.cohort,
        "histology": participant.histology,
        "scanner": " ".join(str(part) for part in scanner if part),
    }
