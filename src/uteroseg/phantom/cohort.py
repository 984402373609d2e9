"""Put virtual patients into a dataset, and on request write them as a scanner would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.patient import simulate_patient

Cohort = Literal["cervical", "uterine"]
COHORTS: tuple[Cohort, ...] = ("cervical", "uterine")


def cohort_named(name: str) -> Cohort:
    """Check a cohort's name.

    Raises
    ------
    UserError
        If there are no such virtual patients.
    """
    for cohort in COHORTS:
        if cohort == name:
            return cohort
    raise UserError(
        f"There are no virtual patients of the cohort {name!r}.",
        expected=f"{' or '.join(COHORTS)}.",
        fix="correct --cohort.",
    )


def simulate_cohort(
    dataset: Dataset,
    cohort: Cohort,
    *,
    cases: int,
    seed: int,
    acquisition: Acquisition = DEFAULT,
    dicom: Path | None = None,
    on_case: Callable[[int], None] = lambda done: None,
) -> int:
    """Add the patients 1 … ``cases`` of a cohort to a dataset; those that are there already are left.

    Parameters
    ----------
    dataset : Dataset
    cohort : {"cervical", "uterine"}
    cases, seed : int
        Patient 7 of a seed is the same however many are made.
    acquisition : Acquisition
    dicom : Path, optional
        Also write each added patient's images below this folder as DICOM, one folder per patient.
    on_case : callable
        Told how many patients are done.

    Returns
    -------
    int
        How many were added.

    Raises
    ------
    UserError
        If the number of cases is not positive.
    """
    if cases < 1:
        raise UserError(
            f"{cases} virtual patients were asked for.", expected="at least 1.", fix="correct --cases."
        )
    added = 0
    for index in range(1, cases + 1):
        key = f"virtual-{cohort}-{acquisition.name}-seed{seed}-{index:04d}"
        if dataset.find(key) is None:
            patient = simulate_patient(cohort, index, seed=seed, acquisition=acquisition)
            if dicom is not None:
                write_dicom(patient.study, dicom / key, patient_id=key, seed=seed)
            participant = Participant(
                participant_id="",
                cohort=cohort,
                site=patient.site,
                histology=patient.histology,
                source="virtual",
                source_key=key,
            )
            sidecar = {"reader": "simulation", "tool": "uteroseg simulate", "annotation_source": "DWI"}
            dataset.add(NewCase(patient.study, participant, key, patient.mask, sidecar))
            added += 1
        on_case(index)
    return added
