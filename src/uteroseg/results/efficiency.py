"""How many target cases each strategy needs for what every layer reaches with half of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from uteroseg.results.grid import Values
from uteroseg.results.resampling import Resampling, bounds

COLUMNS = ("strategy", "reference_cases", "reference_dsc", "target_cases", "low", "high")

REFERENCE = "all"
SHARE = 0.5
LEAST_SIZES = 3
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
        `LEAST_SIZES` sizes that spans the half.

        ``reference_cases``, ``reference_dsc`` : float
            `SHARE` of the available cases, and the mean target DSC that `REFERENCE` reaches with it: the
            level.
        ``target_cases`` : float
            Cases needed; the smallest number that was tried where that is enough; inf: not reached.
        ``low``, ``high`` : float
            95 % interval. Not a number with fewer than two patients.
    """
    grid = resampling.grid
    members, empty = grid.members("target"), pd.DataFrame(columns=list(COLUMNS))
    tried = [size for size in grid.curves.get(REFERENCE, {}) if size]
    half = SHARE * (available or max(tried, default=0))
    if not len(members) or len(tried) < LEAST_SIZES or not tried[0] <= half <= tried[-1]:
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
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
