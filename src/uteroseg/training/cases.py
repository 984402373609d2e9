"""Which cases a training takes, and which of them it is validated on."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.evaluation.strata import tertiles

MIN_PATIENTS = 26
"""With fewer, every case is needed to train on."""
SHARE = 0.2
MAX_PATIENTS = 24
"""More validation patients would cost more time than they tell."""


def choose_cases(dataset: Dataset, cohort: str, patients: int, *, seed: int) -> list[CaseId]:
    """The annotated training cases of some patients of a cohort; with more, those of fewer are among them.

    However many are asked for, each histology and third of the cohort's tumour volumes, where the table of
    participants has them, is represented as in the whole cohort, to less than one patient. Only patients
    without any mask are passed over. Masks are not read: whose is not chosen could as well have none.

    Raises
    ------
    UserError
        If fewer annotated patients are there, or the number is not positive.
    """
    annotated, every = dataset.annotated_cases(cohort, "train"), dataset.cases(cohort, "train")
    able = {case.participant for case in annotated}
    order = balanced_order(_in_order(every, str(seed)), _strata(dataset, every))
    available = [patient for patient in order if patient in able]
    if not 1 <= patients <= len(available):
        raise UserError(
            f"{patients} {cohort} training cases were asked for and {len(available)} of {len(order)} "
            "are annotated.",
            expected=f"a number from 1 to {len(available)}.",
            fix="ask for fewer, annotate more, or add cases.",
        )
    chosen = set(available[:patients])
    return [case for case in annotated if case.participant in chosen]


def unannotated_cases(
    dataset: Dataset, cohort: str, labelled: Sequence[CaseId], held_out: Sequence[CaseId] = ()
) -> list[CaseId]:
    """The training cases of a cohort that are taken to have no mask: all but the labelled ones.

    Parameters
    ----------
    dataset : Dataset
    cohort : str
    labelled : sequence of CaseId
        Those that train with their masks.
    held_out : sequence of CaseId
        Validation cases; nothing of their patients is taken.
    """
    taken, tested = set(labelled), {case.participant for case in held_out}
    return [
        case
        for case in dataset.cases(cohort, "train")
        if case not in taken and case.participant not in tested
    ]


def hold_out(cases: Sequence[CaseId], *, seed: int) -> tuple[list[CaseId], list[CaseId]]:
    """Divide cases, by patient, into those to train on and those to validate on.

    A fifth of the patients are held out, `MAX_PATIENTS` at most, and none where there are fewer than
    `MIN_PATIENTS`.
    """
    patients = _in_order(cases, f"validation {seed}")
    number = min(MAX_PATIENTS, round(SHARE * len(patients))) if len(patients) >= MIN_PATIENTS else 0
    held_out = set(patients[:number])
    return (
        [case for case in cases if case.participant not in held_out],
        [case for case in cases if case.participant in held_out],
    )


def balanced_order(patients: Sequence[str], strata: Mapping[str, Hashable]) -> list[str]:
    """Order patients so that every beginning of the list holds of each stratum its share, to less than one.

    Parameters
    ----------
    patients : sequence of str
        Within a stratum they keep this order.
    strata : mapping
        Each patient's stratum.

    References
    ----------
    R. Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980) 323–330.
    """
    waiting: dict[Hashable, list[str]] = defaultdict(list)
    for patient in patients:
        waiting[strata[patient]].append(patient)
    size = {stratum: len(members) for stratum, members in waiting.items()}
    slack = Fraction(1, max(1, 2 * len(size) - 2))
    order: list[str] = []
    for number in range(1, len(patients) + 1):
        # by how much each stratum lags behind its share of the first ``number`` patients
        lag = {s: Fraction(size[s] * number, len(patients)) - size[s] + len(waiting[s]) for s in size}
        late = [stratum for stratum in size if lag[stratum] >= slack]
        chosen = min(late, key=lambda stratum: (1 - slack - lag[stratum]) / size[stratum])
        order.append(waiting[chosen].pop(0))
    return order


def _strata(dataset: Dataset, cases: Sequence[CaseId]) -> dict[str, Hashable]:
    """Each patient's histology, and the third of the volumes that the tumour is in, where that is known."""
    volumes = {case.participant: _volume_ml(dataset, case) for case in cases}
    known = [volume for volume in volumes.values() if math.isfinite(volume)]
    cuts = tertiles(known or [math.nan])
    return {
        patient: (
            dataset.participants[patient].histology,
            int(np.searchsorted(cuts, volume)) if math.isfinite(volume) else None,
        )
        for patient, volume in volumes.items()
    }


def _volume_ml(dataset: Dataset, case: CaseId) -> float:
    """The tumour's volume as the table of participants has it, else not a number."""
    try:
        return float(dataset.participant(case).others["volume_ml"])
    except (KeyError, ValueError):
        return math.nan


def _in_order(cases: Iterable[CaseId], what: str) -> list[str]:
    """The cases' patients in an order that the text decides."""
    return sorted(
        {case.participant for case in cases},
        key=lambda name: hashlib.sha256(f"{what}:{name}".encode()).digest(),
    )
