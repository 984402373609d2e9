"""Intervals over test patients and seeds.

References
----------
Owen AB, The pigeonhole bootstrap, Annals of Applied Statistics 2007;1:386–411.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from uteroseg.evaluation.statistics import INTERVAL_RULE as BCA_RULE
from uteroseg.evaluation.statistics import LEVEL, mean_interval
from uteroseg.results.grid import Grid, Values

RESAMPLES = 5_000
SEED = 20230114
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

SEEDS_RULE = (
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
        return BCA_RULE if self.grid.seeds == 1 else SEEDS_RULE

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
