"""Measure a model's masks against a dataset's, case by case, and sum them up by cohort."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from uteroseg import RESEARCH_USE
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import EMPTY_RULE, measure_case
from uteroseg.files import write_text
from uteroseg.imaging.nifti import read_mask
from uteroseg.imaging.study import Mask

POOLED = "pooled"


def require_cases(dataset: Dataset, split: str) -> list[CaseId]:
    """The cases of a split (``train``, ``test`` or ``all``).

    Raises
    ------
    UserError
        If there are none, or there is no such split.
    """
    if split not in ("train", "test", "all"):
        raise UserError(
            f"There is no split {split!r}.", expected="train, test or all.", fix="correct --split."
        )
    cases = dataset.cases(split=None if split == "all" else split)
    if not cases:
        raise UserError(
            f"{dataset.root} has no {split} cases.",
            expected="at least one case.",
            fix="assign splits with 'uteroseg split', or evaluate all cases with --split all.",
        )
    return cases


def measure_cases(
    dataset: Dataset,
    cases: Sequence[CaseId],
    prediction_of: Callable[[CaseId], Mask],
    on_case: Callable[[int], None] = lambda done: None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Measure predictions against the dataset's annotations.

    Parameters
    ----------
    dataset : Dataset
    cases : sequence of CaseId
    prediction_of : callable
        Gives a case's predicted mask, or raises UserError.
    on_case : callable
        Told how many cases are done.

    Returns
    -------
    rows : list of dict
        One per measured case: who it is and its measures.
    problems : list of str
        One per case that could not be measured, naming it.
    """
    rows, problems = [], []
    for number, case in enumerate(cases, start=1):
        on_case(number)
        participant = dataset.participant(case)
        try:
            measures = measure_case(prediction_of(case), dataset.load_mask(case))
        except UserError as error:
            problems.append(f"{case}: {error}")
            continue
        rows.append(
            {
                "case": str(case),
                "participant": case.participant,
                "cohort": participant.cohort,
                "histology": participant.histology,
                **measures,
            }
        )
    return rows, problems


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as a table (CSV)."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]) if rows else ["case"], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def predicted_mask(folder: Path, case: CaseId) -> Mask:
    """A case's mask in a folder of predictions, ``<case>/mask.nii.gz`` or ``<case>.nii.gz``.

    Raises
    ------
    UserError
        If there is none.
    """
    for path in (folder / str(case) / "mask.nii.gz", folder / f"{case}.nii.gz"):
        if path.is_file():
            return read_mask(path)
    raise UserError(
        f"{folder} has no prediction.",
        expected=f"{case}/mask.nii.gz or {case}.nii.gz.",
        fix="predict this case, or evaluate another split with --split.",
    )


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean DSC by cohort and over all patients; the unit is the patient.

    Returns
    -------
    dict
        ``dsc`` by cohort and ``pooled`` (mean over all patients), each with the number of ``patients`` and of
        ``missed_tumours`` (DSC 0); and the rule for empty masks.
    """
    by_cohort: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_cohort.setdefault(row["cohort"], []).append(row)
    groups = {**dict(sorted(by_cohort.items())), POOLED: list(rows)}
    return {
        "dsc": {name: _group(members) for name, members in groups.items()},
        "empty_masks": EMPTY_RULE,
        "notice": RESEARCH_USE,
    }


def _group(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    of_patient: dict[str, list[float]] = {}
    for row in rows:
        of_patient.setdefault(row["participant"], []).append(row["dsc"])
    return {
        "patients": len(of_patient),
        "mean": round(fmean(fmean(values) for values in of_patient.values()), 4) if rows else None,
        "missed_tumours": sum(row["dsc"] == 0 < row["volume_ml"] for row in rows),
    }
