"""The DSC by histology, by volume of the tumour and by scanner; by cohort it stands in the summary."""

from __future__ import annotations

import pandas as pd

from uteroseg.evaluation.strata import NOT_STATED, volume_names, volume_places, volume_tertiles_ml
from uteroseg.results.grid import grid
from uteroseg.results.resampling import Resampling
from uteroseg.results.summary import describe_models

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
