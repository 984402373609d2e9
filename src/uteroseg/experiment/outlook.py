"""What the learning curves say beyond their points: crossovers, label efficiency, forecasts.

References
----------
Figueroa RL et al., Predicting sample size required for classification performance, BMC Medical Informatics
and Decision Making 2012;12:8: the inverse power law of learning curves.
Golub GH, Pereyra V, SIAM Journal on Numerical Analysis 1973;10:413–432: with the exponent fixed, the rest
is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd

from uteroseg.experiment.grid import Resampling, Values, bounds

CROSSOVER_COLUMNS = ("strategy", "other", "test_set", "outcome", "target_cases", "low", "high")

OVERTAKES, THROUGHOUT, NEVER = "overtakes", "ahead throughout", "not ahead"

CROSSOVER_RULE = (
    "One strategy overtakes another at the smallest number of cases from which on its mean DSC stays "
    "higher, up to the largest number that was tried. The interval holds the middle 95 % of where it does "
    "so in the resamples; it runs from the smallest number (ahead throughout) to never."
)


def crossovers(resampling: Resampling) -> pd.DataFrame:
    """Find where each strategy overtakes each other one for good, on each test set.

    Returns
    -------
    DataFrame
        A row for each ordered pair and test set.

        ``strategy, other`` : str
            The row is about ``strategy`` overtaking ``other``; the reverse is a row of its own.
        ``outcome`` : str
            `OVERTAKES`, `THROUGHOUT` (ahead from the smallest number on) or `NEVER` (not with the largest).
        ``target_cases`` : float
            The smallest number, from 1 on, from which on it is ahead; inf: never.
        ``low``, ``high`` : float
            95 % interval of that. Not a number with fewer than two patients.
    """
    found, models = resampling.grid, resampling.grid.curves
    rows = []
    for strategy, other in permutations(models, 2):
        sizes = sorted((models[strategy].keys() & models[other].keys()) - {0})
        if not sizes:
            continue
        first, second = ([models[name][size] for size in sizes] for name in (strategy, other))
        for test_set in found.sets:
            members = found.members(test_set)
            dsc = found.by_patient[:, members].mean(axis=1)
            (reached,) = ahead_from(sizes, (dsc[first] - dsc[second])[None])
            low = high = float("nan")
            if len(members) > 1:
                means = resampling.means(test_set)
                low, high = bounds(ahead_from(sizes, means[:, first] - means[:, second]))
            outcome = NEVER if np.isinf(reached) else THROUGHOUT if reached == sizes[0] else OVERTAKES
            rows.append((strategy, other, test_set, outcome, float(reached), low, high))
    return pd.DataFrame(rows, columns=list(CROSSOVER_COLUMNS))


def ahead_from(sizes: Sequence[int], differences: Values) -> Values:
    """The smallest size from which on all differences are above 0.

    Parameters
    ----------
    sizes : sequence of int
        Ascending.
    differences : ndarray, shape (resamples, sizes)

    Returns
    -------
    ndarray, shape (resamples,)
        inf where the last is not above 0; not a number where a difference is none.
    """
    stays = np.logical_and.accumulate(differences[:, ::-1] > 0, axis=1)[:, ::-1]
    smallest = np.where(stays[:, -1], np.asarray(sizes, np.float64)[stays.argmax(axis=1)], np.inf)
    return np.where(np.isnan(differences).any(axis=1), np.nan, smallest)


EFFICIENCY_COLUMNS = ("strategy", "reference_cases", "reference_dsc", "target_cases", "low", "high")

REFERENCE = "all"
SHARE = 0.5
SIZES_TO_READ_OFF = 3
"""With fewer the curve between them says nothing."""

EFFICIENCY_RULE = (
    "Cases needed: where a strategy’s mean DSC on the target set first reaches the level, read off its "
    "curve between the numbers of cases that were tried (straight lines over log n). The interval holds "
    "the middle 95 % over the resamples, in each of which level and curves are those of the resample; it "
    "can run to never (not within the numbers that were tried)."
)


def label_efficiency(resampling: Resampling, available: int | None = None) -> pd.DataFrame:
    """Find how many target cases each strategy needs for a level of DSC on the target set.

    Parameters
    ----------
    resampling : Resampling
    available : int, optional
        Target cases that there are to train on; where that is not known, the largest number that was tried.

    Returns
    -------
    DataFrame
        A row for each strategy; empty without target patients or a curve of `REFERENCE` with at least
        `SIZES_TO_READ_OFF` sizes that spans the half.

        ``reference_cases``, ``reference_dsc`` : float
            `SHARE` of the available cases, and the mean target DSC that `REFERENCE` reaches with it: the
            level.
        ``target_cases`` : float
            Cases needed; the smallest number that was tried where that is enough; inf: not reached.
        ``low``, ``high`` : float
            95 % interval. Not a number with fewer than two patients.
    """
    grid = resampling.grid
    members, empty = grid.members("target"), pd.DataFrame(columns=list(EFFICIENCY_COLUMNS))
    tried = [size for size in grid.curves.get(REFERENCE, {}) if size]
    half = SHARE * (available or max(tried, default=0))
    if not len(members) or len(tried) < SIZES_TO_READ_OFF or not tried[0] <= half <= tried[-1]:
        return empty
    dsc = grid.by_patient[:, members].mean(axis=1)[None]
    resampled = resampling.means("target") if len(members) > 1 else np.full((1, dsc.shape[1]), np.nan)
    reference = [grid.curves[REFERENCE][size] for size in tried]
    level, levels = (_at(tried, values[:, reference], half) for values in (dsc, resampled))
    rows = []
    for strategy, places in grid.curves.items():
        sizes = [size for size in places if size]
        own = [places[size] for size in sizes]
        (needed,) = cases_needed(sizes, dsc[:, own], level)
        low, high = bounds(cases_needed(sizes, resampled[:, own], levels))
        rows.append((strategy, half, float(level[0]), float(needed), low, high))
    return pd.DataFrame(rows, columns=list(EFFICIENCY_COLUMNS))


def cases_needed(sizes: Sequence[int], dsc: Values, level: Values) -> Values:
    """Where curves first reach a level.

    Parameters
    ----------
    sizes : sequence of int
        From 1 on, ascending.
    dsc : ndarray, shape (resamples, sizes)
    level : ndarray, shape (resamples,)

    Returns
    -------
    ndarray, shape (resamples,)
        inf where it is not reached; not a number where a value is none.
    """
    above = dsc >= level[:, None] - 1e-12
    place, row = above.argmax(axis=1), np.arange(len(dsc))
    before = np.maximum(place - 1, 0)
    low, high, logs = dsc[row, before], dsc[row, place], np.log(sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(place > 0, np.clip((level - low) / (high - low), 0, 1), 0)
    needed = np.where(above.any(axis=1), np.exp(logs[before] + share * (logs[place] - logs[before])), np.inf)
    return np.where(np.isnan(dsc).any(axis=1) | np.isnan(level), np.nan, needed)


def _at(sizes: Sequence[int], dsc: Values, size: float) -> Values:
    """The value of curves at a size between those that were tried, on straight lines over log n."""
    right = min(int(np.searchsorted(sizes, size)), len(sizes) - 1)
    left = max(right - 1, 0)
    if sizes[right] == size:
        return dsc[:, right]
    share = np.log(size / sizes[left]) / np.log(sizes[right] / sizes[left])
    between: Values = (1 - share) * dsc[:, left] + share * dsc[:, right]
    return between


GAIN = 0.02
"""DSC above that of the largest size whose price is asked."""

SIZES_TO_FIT = 4
"""The law has three constants: with fewer sizes nothing would speak against any curve."""

HIDDEN = (1, 2)
"""Of how many largest sizes the forecast is checked."""

FORECAST_COLUMNS = (
    "strategy",
    "sizes",
    "target_cases",
    "dsc",
    "a",
    "b",
    "c",
    "rmse",
    "more_cases",
    "low",
    "high",
)
CHECK_COLUMNS = (
    "strategy",
    "hidden",
    "fitted_to",
    "target_cases",
    "dsc",
    "predicted",
    "low",
    "high",
    "error",
)

_EXPONENTS = np.geomspace(0.02, 4, 100)

FORECAST_RULE = (
    "An inverse power law, DSC = a − b·n^−c, is fitted by least squares to the mean DSC on the target set "
    f"(n from 1 on, at least {SIZES_TO_FIT} numbers of cases; b ≥ 0, a ≤ 1, c from 0.02 to 4). More cases: "
    f"how many beyond the largest number would raise the fitted curve by {GAIN:.2f}; never where it tends "
    "to less. The interval holds the middle 95 % over the resamples, each with a fit of its own."
)


class Law(NamedTuple):
    """DSC = a − b·n^−c, the constants of each resample."""

    a: Values
    b: Values
    c: Values

    def at(self, n: float) -> Values:
        """The DSC with n cases."""
        return self.a - self.b * n**-self.c

    def more_than(self, n: float, gain: float) -> Values:
        """How many cases beyond n raise the curve by a gain; inf: it tends to less."""
        left = self.a - self.at(n) - gain
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(left > 0, (self.b / left) ** (1 / self.c) - n, np.inf)


def fit_law(sizes: Sequence[int], dsc: Values) -> Law:
    """Fit the law by least squares.

    Parameters
    ----------
    sizes : sequence of int
        From 1 on.
    dsc : ndarray, shape (resamples, sizes)

    Returns
    -------
    Law
        Of each resample. The exponent is the best of 100 between 0.02 and 4; a and b are exact for it, with
        b ≥ 0 and a ≤ 1.
    """
    n, mean = np.asarray(sizes, np.float64), dsc.mean(axis=1)
    least = np.full(len(dsc), np.inf)
    best = [np.full(len(dsc), np.nan) for _ in range(3)]
    for c in _EXPONENTS:
        x = n**-c
        b = np.maximum(-(dsc @ (x - x.mean())) / ((x - x.mean()) ** 2).sum(), 0)
        a = mean + b * x.mean()
        over = a > 1
        b, a = np.where(over, np.maximum(((1 - dsc) @ x) / (x @ x), 0), b), np.minimum(a, 1)
        squares = ((a[:, None] - b[:, None] * x - dsc) ** 2).sum(axis=1)
        better = squares < least
        least = np.where(better, squares, least)
        best = [np.where(better, new, old) for new, old in zip((a, b, np.full_like(a, c)), best, strict=True)]
    return Law(*best)


def forecasts(resampling: Resampling) -> pd.DataFrame:
    """Fit the law to each strategy's target DSC, and find what `GAIN` more would take.

    Returns
    -------
    DataFrame
        A row for each strategy with at least `SIZES_TO_FIT` sizes from 1 on.

        ``sizes`` : int
            Number of sizes that are fitted.
        ``target_cases``, ``dsc``
            The largest size, and the mean target DSC there.
        ``a``, ``b``, ``c``, ``rmse`` : float
            The curve (a is what it tends to), and its root mean square distance to the sizes' means.
        ``more_cases`` : float
            Cases beyond the largest size for `GAIN` above the curve there; inf: not to be had.
        ``low``, ``high`` : float
            95 % interval. Not a number with fewer than two patients.
    """
    rows = []
    for strategy, sizes, dsc, resampled in _target_curves(resampling):
        if len(sizes) < SIZES_TO_FIT:
            continue
        law = fit_law(sizes, dsc)
        fitted = np.stack([law.at(n) for n in sizes], axis=1)
        largest = sizes[-1]
        rows.append(
            (
                *(strategy, len(sizes), largest, dsc[0, -1], *(float(constant[0]) for constant in law)),
                float(np.sqrt(((fitted - dsc) ** 2).mean())),
                float(law.more_than(largest, GAIN)[0]),
                *bounds(fit_law(sizes, resampled).more_than(largest, GAIN)),
            )
        )
    return pd.DataFrame(rows, columns=list(FORECAST_COLUMNS))


def check_forecasts(resampling: Resampling) -> pd.DataFrame:
    """Hide the largest size, then the two largest, and predict them from the others.

    Returns
    -------
    DataFrame
        A row for each strategy, number of hidden sizes and hidden size, where `SIZES_TO_FIT` remain.

        ``hidden``, ``fitted_to`` : int
            How many sizes were hidden, and the largest size that was not hidden.
        ``target_cases``, ``dsc``
            The hidden size and the mean target DSC there.
        ``predicted``, ``low``, ``high`` : float
            What the curve says, with its 95 % interval.
        ``error`` : float
            predicted − reached.
    """
    rows = []
    for strategy, sizes, dsc, resampled in _target_curves(resampling):
        for hidden in HIDDEN:
            shown = sizes[:-hidden]
            if len(shown) < SIZES_TO_FIT:
                continue
            law, spread = fit_law(shown, dsc[:, :-hidden]), fit_law(shown, resampled[:, :-hidden])
            for place, size in enumerate(sizes[-hidden:], start=len(shown)):
                reached, predicted = float(dsc[0, place]), float(law.at(size)[0])
                low, high = bounds(spread.at(size))
                rows.append(
                    (strategy, hidden, shown[-1], size, reached, predicted, low, high, predicted - reached)
                )
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def _target_curves(resampling: Resampling) -> list[tuple[str, list[int], Values, Values]]:
    """Each strategy's sizes from 1 on, its mean target DSC (one row) and that of each resample."""
    grid = resampling.grid
    members = grid.members("target")
    if not len(members):
        return []
    dsc = grid.by_patient[:, members].mean(axis=1)[None]
    resampled = resampling.means("target")
    if len(members) < 2:
        resampled = np.full((1, dsc.shape[1]), np.nan)
    found = []
    for strategy, places in grid.curves.items():
        sizes = [size for size in places if size]
        own = [places[size] for size in sizes]
        complete = resampled[:, own]
        found.append((strategy, sizes, dsc[:, own], complete[~np.isnan(complete).any(axis=1)]))
    return found
