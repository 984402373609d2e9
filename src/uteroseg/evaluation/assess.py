"""Evaluate a folder of masks against a dataset, from files to a summary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.readers import cases_by_reader, readers_mask
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.cases import Measured, Row, measure_cases, require_cases
from uteroseg.evaluation.metrics import TOLERANCE_MM
from uteroseg.evaluation.owner import require_own
from uteroseg.evaluation.predictions import Predictions
from uteroseg.evaluation.summary import summarise
from uteroseg.imaging.nifti import read_geometry
from uteroseg.imaging.resample import on_same_voxels
from uteroseg.imaging.study import Mask

VIRTUAL = "The patients are virtual: these are no results on patients."
PARTLY_VIRTUAL = "Some of the patients are virtual: these are no results on patients."


@dataclass(frozen=True)
class Assessment:
    """An evaluation.

    Parameters
    ----------
    rows : list of dict
        One per measured case.
    summary : dict
        As `summarise` gives it; with how many ``cases`` there are and how many are ``annotated``, the
        ``readers`` that the dataset has beside the truth, measured like a model, and ``problems``.
    problems : list of str
        Cases and masks, also of readers, that do not count.
    """

    rows: list[Row]
    summary: dict[str, Any]
    problems: list[str]


def assess(
    dataset: Dataset,
    predictions: Predictions,
    *,
    split: str = "test",
    tolerance_mm: float = TOLERANCE_MM,
    on_case: Callable[[int, int], None] = lambda done, total: None,
) -> Assessment:
    """Measure the masks of a split's annotated cases, and list what belongs to none.

    Raises
    ------
    UserError
        If the dataset has no such cases, none is annotated, or the tolerance is no distance.
    """
    _require_distance(tolerance_mm)
    every = require_cases(dataset, split)
    cases = [case for case in every if dataset.has_mask(case)]
    if not cases:
        raise UserError(
            f"0 of {len(every)} {split} cases are annotated.",
            expected="masks to measure against.",
            fix="ingest annotations, or draw masks with 'uteroseg review'.",
        )
    measured = measure_cases(
        dataset,
        cases,
        partial(own_mask, dataset, predictions),
        tolerance_mm=tolerance_mm,
        with_adc=True,
        on_case=lambda done: on_case(done, len(cases)),
    )
    measured = _with_expected_dsc(predictions, measured)
    readers, readers_problems = _readers(dataset, cases, tolerance_mm)
    problems = [*measured.problems, *_strays(dataset, predictions), *readers_problems]
    summary = summarise(measured.rows, tolerance_mm=tolerance_mm)
    virtual = {row["participant"]: _is_virtual(dataset, row) for row in measured.rows}
    if any(virtual.values()):
        summary["patients"] = VIRTUAL if all(virtual.values()) else PARTLY_VIRTUAL
    summary["cases"], summary["annotated"] = len(every), len(cases)
    summary["readers"] = readers
    summary["problems"] = problems
    return Assessment(measured.rows, summary, problems)


def _require_distance(tolerance_mm: float) -> None:
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise UserError(
            f"A tolerance of {tolerance_mm:g} mm is no distance.",
            expected="a number of mm, at least 0.",
            fix="correct `tolerance_mm`.",
        )


def _with_expected_dsc(predictions: Predictions, measured: Measured) -> Measured:
    """The rows with the DSC that the model expected; a case of which that cannot be read does not count."""
    rows, problems = [], list(measured.problems)
    for row in measured.rows:
        try:
            expected = predictions.expected_dsc(CaseId.parse(row["case"]))
        except UserError as error:
            problems.append(f"{row['case']}: {error}")
        else:
            rows.append({**row, "expected_dsc": expected})
    return Measured(rows, problems)


def _strays(dataset: Dataset, predictions: Predictions) -> list[str]:
    """Name every mask that belongs to no case of the dataset."""
    known = {str(case) for case in dataset.cases()}
    return [
        f"{file}: the dataset has no case {name!r}."
        for name, files in predictions.files.items()
        for file in files
        if name not in known
    ]


def own_mask(dataset: Dataset, predictions: Predictions, case: CaseId) -> Mask:
    """The mask that was predicted for a case, on its grid; a UserError where it is evidently another's."""
    grid, file = read_geometry(dataset.root / case.dwi("nii.gz")), predictions.file(case)
    mask = predictions.mask(case, grid)
    require_own(dataset, case, mask, file)
    return on_same_voxels(mask, grid) if file.suffix == ".dcm" else mask  # a SEG leaves out empty slices


def _is_virtual(dataset: Dataset, row: Row) -> bool:
    return dataset.participants[row["participant"]].source == "virtual"


def _readers(dataset: Dataset, cases: list[CaseId], tolerance_mm: float) -> tuple[dict[str, Any], list[str]]:
    """Every other reader measured as the model is, on the cases that they read; and what does not count."""
    found, problems = {}, []
    for reader, read in cases_by_reader(dataset, cases).items():
        measured = measure_cases(
            dataset,
            read,
            partial(readers_mask, dataset, reader),
            tolerance_mm=tolerance_mm,
            with_adc=True,
        )
        summary = summarise(measured.rows, tolerance_mm=tolerance_mm)
        found[reader] = {"groups": summary["groups"], "agreement": summary["agreement"]}
        problems += [f"reader {reader}, {problem}" for problem in measured.problems]
    return found, problems
