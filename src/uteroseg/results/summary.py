"""Aggregate cases to patients, and patients to the figures that a report shows."""

from __future__ import annotations

import pandas as pd

from uteroseg.evaluation.patients import patient_means
from uteroseg.evaluation.statistics import describe

SETS = ("source", "target", "pooled")

CELL = ["strategy", "target_cases"]
"""What tells the models of an experiment apart; seeds are averaged."""


def per_patient(cases: pd.DataFrame) -> pd.DataFrame:
    """Average the DSC of each patient: over the cases within a seed first, then over seeds.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.

    Returns
    -------
    DataFrame
        ``strategy, target_cases, test_set, participant, dsc``, sorted by the first four.
    """
    rows = [
        (strategy, target_cases, test_set, participant, dsc)
        for (strategy, target_cases, test_set), group in cases.groupby([*CELL, "test_set"])
        for participant, dsc in sorted(
            patient_means(zip(group["participant"], group["seed"], group["dsc"], strict=True)).items()
        )
    ]
    return pd.DataFrame(rows, columns=[*CELL, "test_set", "participant", "dsc"])


def in_set(table: pd.DataFrame, test_set: str) -> pd.DataFrame:
    """The rows of a test set: source, target, or all of them (pooled)."""
    return table if test_set == "pooled" else table[table["test_set"] == test_set]


def describe_dsc(dsc: pd.Series[float]) -> dict[str, float | int | str]:
    """Mean, interval and median of the DSC of patients, as columns.

    Returns
    -------
    dict
        ``patients``, ``dsc_mean``, ``dsc_low``, ``dsc_high`` (95 % bootstrap interval of the mean over
        patients; not a number for one patient), ``dsc_interval`` (its method) and ``dsc_median``.
    """
    found = describe(dsc.to_numpy())
    return {
        "patients": found.patients,
        "dsc_mean": found.mean,
        "dsc_low": found.interval.low,
        "dsc_high": found.interval.high,
        "dsc_interval": found.interval.method,
        "dsc_median": found.median,
    }


def summarise(cases: pd.DataFrame) -> pd.DataFrame:
    """Summarise the DSC per strategy, number of target cases and test set.

    The unit is the patient. Pooled is the mean over all test patients, so a larger cohort weighs more; it is
    not the mean of the two cohorts' means.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.

    Returns
    -------
    DataFrame
        ``strategy, target_cases, test_set`` (source, target or pooled), ``seeds``, the columns of
        `describe_dsc`, ``tumours`` (test cases whose truth is not empty) and ``missed_tumours`` (those with a
        DSC of 0, the mean over seeds).
    """
    patients = per_patient(cases)
    rows = []
    for (strategy, target_cases), cell in cases.groupby(CELL, sort=True):
        chosen = patients[(patients["strategy"] == strategy) & (patients["target_cases"] == target_cases)]
        for test_set in SETS:
            members, measured = in_set(chosen, test_set), in_set(cell, test_set)
            if members.empty:
                continue
            tumours = measured[measured["volume_ml"] > 0]
            seeds = measured["seed"].nunique()
            rows.append(
                {
                    "strategy": strategy,
                    "target_cases": target_cases,
                    "test_set": test_set,
                    "seeds": seeds,
                    **describe_dsc(members["dsc"]),
                    "tumours": len(tumours[["test_set", "case"]].drop_duplicates()),
                    "missed_tumours": (tumours["dsc"] == 0).sum() / seeds,
                }
            )
    return pd.DataFrame(rows)


def curves(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a table into one learning curve per strategy, each with the starting point.

    A model that saw no target case was not adapted, so its rows begin the curve of every strategy that has
    none of its own.

    Parameters
    ----------
    table : DataFrame
        With ``strategy`` and ``target_cases``, as `summarise` gives it or as the cases themselves.

    Returns
    -------
    dict of str to DataFrame
        By strategy, in alphabetical order; each ascending in ``target_cases``.
    """
    start = table[table["target_cases"] == 0]
    adapted = sorted(table.loc[table["target_cases"] > 0, "strategy"].unique())
    found = {}
    for strategy in adapted or sorted(start["strategy"].unique()):
        own = table[table["strategy"] == strategy]
        if not (own["target_cases"] == 0).any() and start["strategy"].nunique() == 1:
            own = pd.concat([start, own])
        found[strategy] = own.sort_values("target_cases", kind="stable", ignore_index=True)
    return found
