"""The DSC of every model in the same test patients as one array, and one set of resamples of it.

Every interval, crossover and forecast of a report comes from the same resampled means.

References
----------
Owen AB, The pigeonhole bootstrap, Annals of Applied Statistics 2007;1:386–411.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from uteroseg.evaluation.statistics import INTERVAL_RULE as BCA_RULE
from uteroseg.evaluation.statistics import LEVEL, mean_interval

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


RESAMPLES = 5_000
SEED = 20230114
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

RESAMPLING_RULE = (
    f"95 % bootstrap intervals over test patients and seeds, {RESAMPLES:,} resamples: patients are drawn "
    "within each test set and seeds among the trainings, independently (Owen’s pigeonhole bootstrap), and "
    "the interval holds the middle 95 % of the means. They describe the spread between test patients and "
    "between trainings; with few seeds the second is underestimated (with 3 seeds its variance by a "
    "third). None with fewer than two patients."
)


class Spread(NamedTuple):
    """An interval and how it was found; not a number where there is none.

    ``method`` is "patients and seeds", or with one seed that of `uteroseg.evaluation.statistics.Interval`.
    """

    low: float
    high: float
    method: str


class Resampling:
    """The same resamples of patients and seeds for every statistic of a grid, so that differences are paired.

    Parameters
    ----------
    grid : Grid
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        random = np.random.default_rng(SEED)
        self._patients = np.zeros((RESAMPLES, len(grid.test_sets)))
        for test_set in ("source", "target"):
            if len(members := grid.members(test_set)):
                self._patients[:, members] = _counts(random, len(members))
        self._seeds = _counts(random, grid.seeds)
        self._means: dict[str, Values] = {}

    @property
    def rule(self) -> str:
        """How intervals are found, in words."""
        return BCA_RULE if self.grid.seeds == 1 else RESAMPLING_RULE

    def means(self, test_set: str) -> Values:
        """Mean DSC of every model in every resample, shape (resamples, models).

        Not a number where none of the seeds that were drawn has a run of the model.
        """
        if test_set not in self._means:
            members = self.grid.members(test_set)
            dsc = self.grid.dsc[:, :, members]
            weights = self._patients[:, members] / len(members)
            by_seed = np.einsum("rp,msp->rms", weights, np.nan_to_num(dsc), optimize=True)
            drawn = self._seeds[:, None, :] * np.isfinite(dsc[:, :, 0])
            with np.errstate(invalid="ignore"):
                self._means[test_set] = (by_seed * drawn).sum(axis=2) / drawn.sum(axis=2)
        return self._means[test_set]

    def interval(self, test_set: str, model: int, minus: int | None = None) -> Spread:
        """The interval of a model's mean DSC, or of its difference to another's.

        Parameters
        ----------
        test_set : str
        model, minus : int
            Places in the grid's models.
        """
        members = self.grid.members(test_set)
        if self.grid.seeds == 1 or len(members) < 2:
            dsc = self.grid.by_patient[:, members]
            difference = np.round(
                dsc[model] - (0 if minus is None else dsc[minus]), 12
            )  # as `compare` does: ties
            found = mean_interval(difference)
            return Spread(found.low, found.high, found.method)
        means = self.means(test_set)
        low, high = np.nanquantile(means[:, model] - (0 if minus is None else means[:, minus]), TAILS)
        return Spread(float(low), float(high), "patients and seeds")


def bounds(values: npt.ArrayLike) -> tuple[float, float]:
    """The middle 95 % of resampled values that can be infinite; values that are not numbers are left out."""
    sample = np.asarray(values, np.float64)
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        return float("nan"), float("nan")
    low, high = np.quantile(sample, TAILS, method="inverted_cdf")
    return float(low), float(high)


def _counts(random: np.random.Generator, number: int) -> Values:
    """How often each of some units is drawn, in every resample."""
    drawn: Values = random.multinomial(number, np.full(number, 1 / number), RESAMPLES).astype(np.float64)
    return drawn
