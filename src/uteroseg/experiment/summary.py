"""What the cases of an experiment come to: per patient, per model, per stratum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from uteroseg.evaluation.patients import patient_means
from uteroseg.evaluation.strata import NOT_STATED, volume_names, volume_places, volume_tertiles_ml
from uteroseg.experiment.grid import CELL, SETS, Resampling, grid


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


def describe_models(resampling: Resampling, test_set: str) -> list[dict[str, Any]]:
    """Mean, interval and median of the DSC of every model, as columns.

    Returns
    -------
    list of dict
        ``strategy, target_cases, test_set, seeds, patients``, ``dsc_mean``, ``dsc_low``, ``dsc_high`` (95 %
        interval of the mean; not a number for one patient), ``dsc_interval`` (its method, see `Spread`) and
        ``dsc_median``.
    """
    grid = resampling.grid
    members = grid.members(test_set)
    rows = []
    for place, (strategy, target_cases) in enumerate(grid.models):
        dsc, interval = grid.by_patient[place, members], resampling.interval(test_set, place)
        rows.append(
            {
                "strategy": strategy,
                "target_cases": target_cases,
                "test_set": test_set,
                "seeds": int(np.isfinite(grid.dsc[place, :, members[0]]).sum()),
                "patients": len(members),
                "dsc_mean": float(dsc.mean()),
                "dsc_low": interval.low,
                "dsc_high": interval.high,
                "dsc_interval": interval.method,
                "dsc_median": float(np.median(dsc)),
            }
        )
    return rows


def summarise(cases: pd.DataFrame, resampling: Resampling | None = None) -> pd.DataFrame:
    """Summarise the DSC per strategy, number of target cases and test set.

    The unit is the patient. Pooled is the mean over all test patients, so a larger cohort weighs more; it is
    not the mean of the two cohorts' means.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.
    resampling : Resampling, optional
        Of these cases, where there is one already.

    Returns
    -------
    DataFrame
        The columns of `describe_models`, ``tumours`` (test cases whose truth is not empty) and
        ``missed_tumours`` (those with a DSC of 0, the mean over seeds).
    """
    resampling = resampling or Resampling(grid(cases))
    order = {name: place for place, name in enumerate(SETS)}
    rows = [row for test_set in resampling.grid.sets for row in describe_models(resampling, test_set)]
    rows.sort(key=lambda row: (row["strategy"], row["target_cases"], order[row["test_set"]]))
    tumours = cases[cases["volume_ml"] > 0]
    for row in rows:
        own = tumours[
            (tumours["strategy"] == row["strategy"]) & (tumours["target_cases"] == row["target_cases"])
        ]
        own = in_set(own, row["test_set"])
        row["tumours"] = len(own[["test_set", "case"]].drop_duplicates())
        row["missed_tumours"] = (own["dsc"] == 0).sum() / row["seeds"]
    return pd.DataFrame(rows)


_PATIENT = ["test_set", "participant"]


def stratify(cases: pd.DataFrame) -> pd.DataFrame:
    """Describe the DSC per stratum, strategy and number of target cases, over the patients of both test sets.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs; a column ``scanner`` is used where there is one.

    Returns
    -------
    DataFrame
        ``by`` (histology, volume or scanner), ``stratum`` and the columns of `describe_models`. A patient
        with cases in several strata counts in each, with those cases. A division with one stratum only is
        left out: it is the pooled set.
    """
    rows = []
    for by, strata in _divisions(cases).items():
        names = strata.sort_values("place")["name"].unique()
        for stratum in names if len(names) > 1 else []:
            chosen = Resampling(grid(cases[strata["name"] == stratum]))
            rows += [{"by": by, "stratum": stratum} | row for row in describe_models(chosen, "pooled")]
    return pd.DataFrame(rows)


def volume_cuts_ml(cases: pd.DataFrame) -> tuple[float, float] | None:
    """Cut points of the tertiles of the true volume over the test patients, as `volume_tertiles_ml`."""
    return volume_tertiles_ml(_volumes(cases))


def _divisions(cases: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Name each case's stratum (``name``), with its place in the order to show them (``place``)."""
    found = {"histology": _by_name(cases["histology"])}
    if cuts := volume_cuts_ml(cases):
        found["volume"] = _by_volume(cases, cuts)
    if "scanner" in cases:
        found["scanner"] = _by_name(cases["scanner"])
    return found


def _by_name(column: pd.Series[str]) -> pd.DataFrame:
    names = column.fillna("").replace("", NOT_STATED)
    return pd.DataFrame({"name": names, "place": names})


def _by_volume(cases: pd.DataFrame, cuts: tuple[float, float]) -> pd.DataFrame:
    volumes = cases[_PATIENT].merge(_volumes(cases).rename("volume").reset_index(), on=_PATIENT)["volume"]
    places, names = volume_places(volumes.tolist(), cuts), volume_names(cuts)
    return pd.DataFrame({"name": [names[place] for place in places], "place": places}, index=cases.index)


def _volumes(cases: pd.DataFrame) -> pd.Series[float]:
    """True volume of each patient, the mean over their cases."""
    each: pd.Series[float] = cases.drop_duplicates([*_PATIENT, "case"]).groupby(_PATIENT)["volume_ml"].mean()
    return each
