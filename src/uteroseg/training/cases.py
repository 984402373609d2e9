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
from uteroseg.imaging.measure import volume_ml

MIN_PATIENTS = 26
"""With fewer, every case is needed to train on."""
SHARE = 0.2
MAX_PATIENTS = 24
"""More validation patients would cost more time than they tell."""


def choose_cases(dataset: Dataset, cohort: str, patients: int, *, seed: int) -> list[CaseId]:
    """The training cases of some patients of a cohort; with more patients, those of fewer are among them.

    However many are asked for, each histology and third of the cohort's tumour volumes is represented as in
    the whole cohort, to less than one patient.

    Raises
    ------
    UserError
        If fewer patients are there, or the number is not positive.
    """
    cases = dataset.annotated_cases(cohort, "train")
    patients_in_order = _in_order(cases, str(seed))
    available = balanced_order(patients_in_order, _strata(dataset, cases))
    if not 1 <= patients <= len(available):
        raise UserError(
            f"{patients} {cohort} training cases were asked for and {len(available)} are there.",
            expected=f"a number from 1 to {len(available)}.",
            fix="ask for fewer, or add cases.",
        )
    chosen = set(available[:patients])
    return [case for case in cases if case.participant in chosen]


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
    """Each patient's histology, and the third of the volumes that the tumour is in."""
    volumes: dict[str, float] = {}
    for case in cases:
        volumes[case.participant] = max(volumes.get(case.participant, 0.0), _volume_ml(dataset, case))
    cuts = np.quantile(list(volumes.values()), [1 / 3, 2 / 3])
    return {
        patient: (dataset.participants[patient].histology, int(np.searchsorted(cuts, volume)))
        for patient, volume in volumes.items()
    }


def _volume_ml(dataset: Dataset, case: CaseId) -> float:
    """The tumour's volume as the table of participants has it, else the mask's."""
    try:
        volume = float(dataset.participant(case).others["volume_ml"])
    except (KeyError, ValueError):
        volume = math.nan
    return volume if math.isfinite(volume) else volume_ml(dataset.load_mask(case))


def _in_order(cases: Iterable[CaseId], what: str) -> list[str]:
    """The cases' patients in an order that the text decides."""
    return sorted(
        {case.participant for case in cases},
        key=lambda name: hashlib.sha256(f"{what}:{name}".encode()).digest(),
    )
