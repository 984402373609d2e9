"""From how many target cases on one strategy is ahead of another."""

from __future__ import annotations

import pandas as pd

from uteroseg.results.grid import Grid

COLUMNS = (
    "strategy",
    "other",
    "key",
    "test_set",
    "outcome",
    "target_cases",
    "low",
    "high",
    "position",
    "position_low",
    "position_high",
    "ahead_throughout",
    "not_ahead",
)

KEY = "joint"
"""The strategy whose crossovers are the question: when to train on everything together."""

CROSSOVER_RULE = ""


def crossovers(grid: Grid) -> pd.DataFrame:
    """Find where each strategy overtakes each other one for good, on each test set.

    Returns
    -------
    DataFrame
        A row for each ordered pair and test set.

        ``strategy, other`` : str
            The row is about ``strategy`` overtaking ``other``; the reverse is a row of its own.
        ``key`` : bool
            Whether ``strategy`` is `KEY`, so that the row matters.
        ``test_set`` : str
            source, target or pooled.
        ``outcome`` : str
            "overtakes", "ahead throughout" or "not ahead" (at the largest size).
        ``target_cases`` : float
            The smallest size from which on it is ahead; not a number unless it overtakes.
        ``low``, ``high`` : float
            95 % interval of that, sizes; −inf: ahead throughout, inf: not ahead. Not a number unless it
            overtakes, or with fewer than two patients.
        ``position``, ``position_low``, ``position_high`` : float
            Where the difference is 0, interpolated in log n between that size and the one before, and its
            interval, likewise.
        ``ahead_throughout``, ``not_ahead`` : float
            Share of the resamples with these outcomes: together those without a crossover.
    """
    return pd.DataFrame(columns=list(COLUMNS))
