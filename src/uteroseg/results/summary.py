"""Aggregate cases to patients, and patients to the figures that a report shows."""

from __future__ import annotations

import pandas as pd

from uteroseg.evaluation.bootstrap import percentile_interval

SETS = ("source", "target", "pooled")

_CELL = ["strategy", "target_cases"]


def per_patient(cases: pd.DataFrame) -> pd.DataFrame:
    """Average the DSC of each patient: over the cases within a seed first, then over seeds.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.

    Returns
    -------
    DataFrame
        ``strategy, target_cases, test_set, participant, dsc``.
    """
    patient = [*_CELL, "test_set", "participant"]
    within_seed = cases.groupby([*patient, "seed"], as_index=False)["dsc"].mean()
    patients: pd.DataFrame = within_seed.groupby(patient, as_index=False)["dsc"].mean()
    return patients


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
        ``strategy, target_cases, test_set`` (source, target or pooled), ``patients``, ``seeds``,
        ``dsc_mean``, ``dsc_low``, ``dsc_high`` (95 % percentile-bootstrap interval of the mean over patients;
        not a number for one patient), ``dsc_median`` (of the patients), ``tumours`` (test cases whose truth
        is not empty) and ``missed_tumours`` (those with a DSC of 0, the mean over seeds).
    """
    patients = per_patient(cases)
    rows = []
    for (strategy, target_cases), cell in cases.groupby(_CELL, sort=True):
        chosen = patients[(patients["strategy"] == strategy) & (patients["target_cases"] == target_cases)]
        for test_set in SETS:
            members = chosen if test_set == "pooled" else chosen[chosen["test_set"] == test_set]
            if members.empty:
                continue
            dsc = members["dsc"].to_numpy()
            measured = cell if test_set == "pooled" else cell[cell["test_set"] == test_set]
            tumours = measured[measured["volume_ml"] > 0]
            seeds = measured["seed"].nunique()
            low, high = percentile_interval(dsc)
            rows.append(
                {
                    "strategy": strategy,
                    "target_cases": target_cases,
                    "test_set": test_set,
                    "patients": len(dsc),
                    "seeds": seeds,
                    "dsc_mean": dsc.mean(),
                    "dsc_low": low,
                    "dsc_high": high,
                    "dsc_median": members["dsc"].median(),
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
