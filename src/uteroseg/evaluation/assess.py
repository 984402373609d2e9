"""Evaluate a folder of masks against a dataset, from files to a summary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uteroseg.dataset.identity import Pseudonyms, key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.readers import cases_by_reader, readers_mask
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.measurements import CaseMeasures, Measurements, measure_cases, require_cases
from uteroseg.evaluation.metrics import TOLERANCE_MM
from uteroseg.evaluation.predictions import Predictions
from uteroseg.evaluation.summary import summarise
from uteroseg.imaging.geometry import Geometry
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

    rows: list[CaseMeasures]
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
    measurements = measure_cases(
        dataset,
        cases,
        partial(own_mask, dataset, predictions),
        tolerance_mm=tolerance_mm,
        with_adc=True,
        on_case=lambda done: on_case(done, len(cases)),
    )
    measurements = _with_expected_dsc(predictions, measurements)
    readers, readers_problems = _readers(dataset, cases, tolerance_mm)
    problems = [*measurements.problems, *_strays(dataset, predictions), *readers_problems]
    summary = summarise(measurements.rows, tolerance_mm=tolerance_mm)
    virtual = {row["participant"]: _is_virtual(dataset, row) for row in measurements.rows}
    if any(virtual.values()):
        summary["patients"] = VIRTUAL if all(virtual.values()) else PARTLY_VIRTUAL
    summary["cases"], summary["annotated"] = len(every), len(cases)
    summary["readers"] = readers
    summary["problems"] = problems
    return Assessment(measurements.rows, summary, problems)


def _require_distance(tolerance_mm: float) -> None:
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise UserError(
            f"A tolerance of {tolerance_mm:g} mm is no distance.",
            expected="a number of mm, at least 0.",
            fix="correct `tolerance_mm`.",
        )


def _with_expected_dsc(predictions: Predictions, measurements: Measurements) -> Measurements:
    """The rows with the DSC that the model expected; a case of which that cannot be read does not count."""
    rows, problems = [], list(measurements.problems)
    for row in measurements.rows:
        try:
            expected = predictions.expected_dsc(CaseId.parse(row["case"]))
        except UserError as error:
            problems.append(f"{row['case']}: {error}")
        else:
            rows.append({**row, "expected_dsc": expected})
    return Measurements(rows, problems)


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
    require_same_patient(dataset, case, mask, file)
    return on_same_voxels(mask, grid) if file.suffix == ".dcm" else mask  # a SEG leaves out empty slices


def _is_virtual(dataset: Dataset, row: CaseMeasures) -> bool:
    return dataset.participants[row["participant"]].source == "virtual"


def _readers(dataset: Dataset, cases: list[CaseId], tolerance_mm: float) -> tuple[dict[str, Any], list[str]]:
    """Every other reader measured as the model is, on the cases that they read; and what does not count."""
    found, problems = {}, []
    for reader, read in cases_by_reader(dataset, cases).items():
        measurements = measure_cases(
            dataset,
            read,
            partial(readers_mask, dataset, reader),
            tolerance_mm=tolerance_mm,
            with_adc=True,
        )
        summary = summarise(measurements.rows, tolerance_mm=tolerance_mm)
        found[reader] = {"groups": summary["groups"], "agreement": summary["agreement"]}
        problems += [f"reader {reader}, {problem}" for problem in measurements.problems]
    return found, problems


def require_same_patient(dataset: Dataset, case: CaseId, mask: Mask, file: Path) -> None:
    """Refuse a mask that is evidently another patient's.

    It is, where it lies on the grid of another case and not on this one's, or is a DICOM Segmentation of
    another examination than the study's (which only the dataset's key can tell).

    Raises
    ------
    UserError
        That names whose it seems to be.
    """
    if mask.geometry.difference(_grid_of(dataset, case)) is not None:
        for other in dataset.cases():
            if other != case and mask.geometry.difference(_grid_of(dataset, other)) is None:
                raise _of_another(file, case, f"lies on the grid of {other}")
    if file.suffix == ".dcm" and (key := _examination(dataset, file)):
        own = dataset.sidecar(case).get("examination_key", key)
        if key != own:
            raise _of_another(file, case, "is a segmentation of another examination")


def _grid_of(dataset: Dataset, case: CaseId) -> Geometry:
    return read_geometry(dataset.root / case.dwi("nii.gz"))


def _examination(dataset: Dataset, file: Path) -> str | None:
    """Keyed hash of the examination that a segmentation states; None without one, or the dataset's key."""
    if not key_file(dataset.root).is_file():
        return None
    import pydicom

    header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    stated = str(header.get("StudyInstanceUID") or "")
    return Pseudonyms.for_dataset(dataset.root, is_new=False).of(stated) if stated else None


def _of_another(file: Path, case: CaseId, found: str) -> UserError:
    return UserError(
        f"{file} {found}, not of {case}: it seems to belong to another patient or visit.",
        expected="the mask of this study.",
        fix="correct the file's name, or predict this case again.",
    )
