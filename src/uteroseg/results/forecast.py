"""How much more would be gained with more target cases: an inverse power law through the sizes so far."""

from __future__ import annotations

import pandas as pd

from uteroseg.results.grid import Grid

GAIN = 0.02
"""DSC above that of the largest size whose price is asked."""

COLUMNS = (
    "strategy",
    "sizes",
    "target_cases",
    "dsc",
    "fitted_dsc",
    "a",
    "b",
    "c",
    "rmse",
    "more_cases",
    "more_low",
    "more_high",
    "not_to_be_had",
)
CHECK_COLUMNS = (
    "strategy",
    "hidden",
    "sizes",
    "fitted_to",
    "target_cases",
    "dsc",
    "predicted",
    "predicted_low",
    "predicted_high",
    "error",
    "error_low",
    "error_high",
)

FORECAST_RULE = ""


def forecasts(grid: Grid) -> pd.DataFrame:
    """Fit DSC(n) = a − b·n^(−c) to each strategy's target DSC, and find what `GAIN` more would take.

    Returns
    -------
    DataFrame
        A row for each strategy with at least three sizes from 1 on.

        ``sizes`` : int
            Number of sizes that are fitted.
        ``target_cases``, ``dsc``, ``fitted_dsc``
            The largest size, the mean target DSC there, and the fitted curve's.
        ``a``, ``b``, ``c``, ``rmse`` : float
            The curve (a is what it tends to), and its root mean square distance to the sizes' means.
        ``more_cases`` : float
            Cases beyond the largest size for `GAIN` above the curve there; inf: not to be had, as a lies less
            than `GAIN` above it.
        ``more_low``, ``more_high`` : float
            95 % interval; inf as above. Not a number with fewer than two patients.
        ``not_to_be_had`` : float
            Share of the resamples in which it is not to be had.
    """
    return pd.DataFrame(columns=list(COLUMNS))


def check_forecasts(grid: Grid) -> pd.DataFrame:
    """Hide the largest size, then the two largest, and predict them from the others.

    Returns
    -------
    DataFrame
        A row for each strategy, number of hidden sizes (``hidden``: 1 or 2) and hidden size, where three
        sizes remain.

        ``sizes``, ``fitted_to``
            Number of sizes that are fitted, and the largest of them.
        ``target_cases``, ``dsc``
            The hidden size and the mean target DSC there.
        ``predicted``, ``predicted_low``, ``predicted_high`` : float
            What the curve says, with its 95 % interval.
        ``error``, ``error_low``, ``error_high`` : float
            predicted − reached, with its 95 % interval.
    """
    return pd.DataFrame(columns=list(CHECK_COLUMNS))
