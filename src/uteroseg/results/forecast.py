"""How much more would be gained with more target cases: an inverse power law through the sizes so far.

References
----------
Figueroa RL et al., Predicting sample size required for classification performance, BMC Medical Informatics
and Decision Making 2012;12:8: the inverse power law of learning curves.
Golub GH, Pereyra V, SIAM Journal on Numerical Analysis 1973;10:413–432: with the exponent fixed, the rest
is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from uteroseg.results.grid import Values
from uteroseg.results.resampling import Resampling, bounds

GAIN = 0.02
"""DSC above that of the largest size whose price is asked."""

LEAST_SIZES = 4
"""The law has three constants: with fewer sizes nothing would speak against any curve."""

HIDDEN = (1, 2)
"""Of how many largest sizes the forecast is checked."""

COLUMNS = ("strategy", "sizes", "target_cases", "dsc", "a", "b", "c", "rmse", "more_cases", "low", "high")
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
    f"(n from 1 on, at least {LEAST_SIZES} numbers of cases; b ≥ 0, a ≤ 1, c from 0.02 to 4). More cases: "
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


def fit(sizes: Sequence[int], dsc: Values) -> Law:
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
        A row for each strategy with at least `LEAST_SIZES` sizes from 1 on.

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
    for strategy, sizes, dsc, resampled in _curves(resampling):
        if len(sizes) < LEAST_SIZES:
            continue
        law = fit(sizes, dsc)
        fitted = np.stack([law.at(n) for n in sizes], axis=1)
        largest = sizes[-1]
        rows.append(
            (
                *(strategy, len(sizes), largest, dsc[0, -1], *(float(constant[0]) for constant in law)),
                float(np.sqrt(((fitted - dsc) ** 2).mean())),
                float(law.more_than(largest, GAIN)[0]),
                *bounds(fit(sizes, resampled).more_than(largest, GAIN)),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def check_forecasts(resampling: Resampling) -> pd.DataFrame:
    """Hide the largest size, then the two largest, and predict them from the others.

    Returns
    -------
    DataFrame
        A row for each strategy, number of hidden sizes and hidden size, where `LEAST_SIZES` remain.

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
    for strategy, sizes, dsc, resampled in _curves(resampling):
        for hidden in HIDDEN:
            shown = sizes[:-hidden]
            if len(shown) < LEAST_SIZES:
                continue
            law, spread = fit(shown, dsc[:, :-hidden]), fit(shown, resampled[:, :-hidden])
            for place, size in enumerate(sizes[-hidden:], start=len(shown)):
                reached, predicted = float(dsc[0, place]), float(law.at(size)[0])
                low, high = bounds(spread.at(size))
                rows.append(
                    (strategy, hidden, shown[-1], size, reached, predicted, low, high, predicted - reached)
                )
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def _curves(resampling: Resampling) -> list[tuple[str, list[int], Values, Values]]:
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
