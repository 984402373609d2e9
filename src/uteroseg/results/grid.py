"""An experiment's DSC as arrays: strategy × number of target cases × seed × patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from uteroseg.results.summary import CELL, curves

Values = npt.NDArray[np.float64]

_PATIENT = ["test_set", "participant"]


@dataclass(frozen=True, eq=False)
class Curve:
    """A strategy's models.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of target cases, ascending; begins with 0 where the experiment has a model without them.
    dsc : ndarray, shape (sizes, seeds, patients)
        Mean over a patient's cases; not a number where this size has no run of this seed.
    """

    sizes: tuple[int, ...]
    dsc: Values

    @property
    def by_patient(self) -> Values:
        """Mean over seeds, shape (sizes, patients)."""
        means: Values = np.nanmean(self.dsc, axis=1)
        return means


@dataclass(frozen=True, eq=False)
class Grid:
    """All curves, in the same patients and seeds.

    Parameters
    ----------
    test_sets : ndarray of str, shape (patients,)
        Each patient's test set. Patients whom not every run measured are left out.
    curves : dict of str to Curve
        By strategy, in alphabetical order; as `uteroseg.results.summary.curves` splits them.
    """

    test_sets: npt.NDArray[np.str_]
    curves: dict[str, Curve]

    def members(self, test_set: str) -> npt.NDArray[np.intp]:
        """Places of a test set's patients; of all of them for ``pooled``."""
        chosen = np.full(len(self.test_sets), True) if test_set == "pooled" else self.test_sets == test_set
        return np.flatnonzero(chosen)


def grid(cases: pd.DataFrame) -> Grid:
    """Arrange an experiment's DSC; the order of rows changes nothing.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.
    """
    run = [*CELL, "seed"]
    ordered = cases.sort_values([*run, *_PATIENT, "case"])
    table = ordered.groupby([*run, *_PATIENT])["dsc"].mean().unstack(_PATIENT).dropna(axis="columns")
    patients, seeds = table.columns, sorted(cases["seed"].unique())
    found = {}
    runs = table.index.to_frame(index=False).assign(row=range(len(table)))
    for strategy, rows in curves(runs).items():
        sizes = sorted(rows["target_cases"].unique())
        dsc = np.full((len(sizes), len(seeds), len(patients)), np.nan)
        places = [sizes.index(size) for size in rows["target_cases"]]
        dsc[places, [seeds.index(seed) for seed in rows["seed"]]] = table.to_numpy()[rows["row"]]
        found[strategy] = Curve(tuple(map(int, sizes)), dsc)
    return Grid(patients.get_level_values("test_set").to_numpy(str), found)
