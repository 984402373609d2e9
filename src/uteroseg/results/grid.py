"""An experiment's DSC as one array: model × seed × test patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float64]

SETS = ("source", "target", "pooled")

CELL = ["strategy", "target_cases"]
"""What tells the models of an experiment apart; each was trained once per seed."""

_PATIENT = ["test_set", "participant"]


@dataclass(frozen=True, eq=False)
class Grid:
    """The DSC of every model in the same test patients.

    Parameters
    ----------
    models : tuple of (str, int)
        Strategy and number of target cases.
    dsc : ndarray, shape (models, seeds, patients)
        Mean over a patient's cases; not a number where a model has no run of a seed.
    test_sets : ndarray of str, shape (patients,)
        source or target.
    curves : dict of str to dict
        By strategy, in alphabetical order: number of target cases, ascending, to the place in `models`; the
        model without target cases begins every curve that has none of its own.
    """

    models: tuple[tuple[str, int], ...]
    dsc: Values
    test_sets: npt.NDArray[np.str_]
    curves: dict[str, dict[int, int]]

    @property
    def by_patient(self) -> Values:
        """Mean over seeds, shape (models, patients)."""
        means: Values = np.nanmean(self.dsc, axis=1)
        return means

    @property
    def seeds(self) -> int:
        """Number of different seeds."""
        return int(self.dsc.shape[1])

    @property
    def sets(self) -> tuple[str, ...]:
        """Test sets that have patients, and pooled."""
        return tuple(name for name in SETS if len(self.members(name)))

    def members(self, test_set: str) -> npt.NDArray[np.intp]:
        """Places of a test set's patients; of all of them for ``pooled``."""
        return np.flatnonzero((self.test_sets == test_set) | (test_set == "pooled"))


def grid(cases: pd.DataFrame) -> Grid:
    """Arrange an experiment's DSC; the order of rows changes nothing.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs on the same test cases.

    Raises
    ------
    ValueError
        If a run lacks a patient of another.
    """
    run = [*CELL, "seed"]
    ordered = cases.sort_values([*run, *_PATIENT, "case"])
    table = ordered.groupby([*run, *_PATIENT])["dsc"].mean().unstack(_PATIENT).sort_index(axis="columns")
    if table.isna().any(axis=None):
        raise ValueError("runs of one experiment need the same test patients")
    by_seed = table.unstack("seed").stack(_PATIENT, future_stack=True)
    models = sorted({(str(strategy), int(size)) for strategy, size, _ in table.index})
    places = pd.DataFrame(models, columns=CELL).assign(place=range(len(models)))
    return Grid(
        models=tuple(models),
        dsc=by_seed.to_numpy().reshape(len(models), len(table.columns), -1).swapaxes(1, 2),
        test_sets=table.columns.get_level_values("test_set").to_numpy(str),
        curves={
            strategy: dict(zip(curve["target_cases"].tolist(), curve["place"].tolist(), strict=True))
            for strategy, curve in curves(places).items()
        },
    )


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
