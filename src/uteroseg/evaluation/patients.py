"""From cases to patients: the unit of every statistic is the patient."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from statistics import fmean
from typing import TypeVar

UNIT = "The unit is the patient: a patient’s cases are averaged first, then seeds, then patients."
"""The unit of statistics in words, for every report."""

Patient = TypeVar("Patient", bound=Hashable)


def patient_means(values: Iterable[tuple[Patient, Hashable, float]]) -> dict[Patient, float]:
    """Average each patient's values: over the cases within a seed first, then over seeds.

    Parameters
    ----------
    values : iterable of (patient, seed, value)
        One per case and seed; where there is one training only, any seed.

    Returns
    -------
    dict
        One value per patient, in the order of first appearance.

    Examples
    --------
    >>> patient_means([("a", 0, 0.25), ("a", 0, 0.75), ("a", 1, 1.0), ("b", 0, 0.5)])
    {'a': 0.75, 'b': 0.5}
    """
    seeds: dict[Patient, dict[Hashable, list[float]]] = {}
    for patient, seed, value in values:
        seeds.setdefault(patient, {}).setdefault(seed, []).append(value)
    return {patient: fmean(fmean(cases) for cases in within.values()) for patient, within in seeds.items()}
