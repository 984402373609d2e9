"""Put virtual patients into a dataset, and on request write them as a scanner would."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.patient import VirtualPatient, simulate_patient

Cohort = Literal["cervical", "uterine"]
COHORTS: tuple[Cohort, ...] = ("cervical", "uterine")


def simulate_cohort(
    root: Path,
    cohort: str,
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
    root : Path
        A dataset, or a new or empty folder.
    cohort : {"cervical", "uterine"}
    cases, seed : int
        Patient 7 of a seed is the same however many are made.
    acquisition : Acquisition
    dicom : Path, optional
        Also write each patient's images below this folder as DICOM, one folder per patient.
    on_case : callable
        Told how many patients are done.

    Returns
    -------
    int
        How many were added.

    Raises
    ------
    UserError
        If there are no such patients, their number is not positive, or the folder holds something else.
    """
    name = _cohort_named(cohort)
    if cases < 1:
        raise UserError(
            f"{cases} virtual patients were asked for.", expected="at least 1.", fix="correct --cases."
        )
    dataset = Dataset.open_or_create(root)
    keys = {
        index: f"virtual-{cohort}-{acquisition.name}-seed{seed}-{index:04d}" for index in range(1, cases + 1)
    }
    scans = {index: dicom / key for index, key in keys.items()} if dicom else {}
    added = {index for index, key in keys.items() if dataset.find(key) is None}
    wanted = [index for index in keys if index in added or (dicom and not scans[index].exists())]
    make = partial(simulate_patient, name, seed=seed, acquisition=acquisition)
    for done, (index, patient) in enumerate(zip(wanted, _over_cores(make, wanted), strict=True), start=1):
        if dicom and not scans[index].exists():
            write_dicom(patient.study, scans[index], patient_id=keys[index], seed=seed)
        if index in added:
            dataset.add(_new_case(patient, keys[index]))
        on_case(cases - len(wanted) + done)
    return len(added)


def _new_case(patient: VirtualPatient, key: str) -> NewCase:
    participant = Participant(
        participant_id="",
        cohort=patient.cohort,
        site=patient.site,
        histology=patient.histology,
        source="virtual",
        source_key=key,
    )
    return NewCase(patient.study, participant, key, patient.mask, _SIDECAR)


_SIDECAR = {"reader": "simulation", "tool": "uteroseg simulate", "annotation_source": "DWI"}


def _over_cores(make: Callable[[int], VirtualPatient], indices: Sequence[int]) -> Iterator[VirtualPatient]:
    """Make patients on every core, in order; a few at once, so that memory stays flat."""
    workers = min(os.cpu_count() or 1, len(indices))
    if workers < 2:
        yield from map(make, indices)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        pending: deque[Future[VirtualPatient]] = deque()
        for index in indices:
            pending.append(pool.submit(make, index))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _cohort_named(name: str) -> Cohort:
    for cohort in COHORTS:
        if cohort == name:
            return cohort
    raise UserError(
        f"There are no virtual patients of the cohort {name!r}.",
        expected=f"{' or '.join(COHORTS)}.",
        fix="correct --cohort.",
    )
