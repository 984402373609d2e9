"""From how many target cases on one strategy is ahead of another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from uteroseg.results.grid import Values
from uteroseg.results.resampling import Resampling, bounds

COLUMNS = ("strategy", "other", "test_set", "outcome", "target_cases", "low", "high")

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
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
