"""Two models in the same test patients: four families of tests, each corrected after Holm."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from uteroseg.evaluation.statistics import compare, holm
from uteroseg.experiment.grid import Resampling

COMPARISON_COLUMNS = (
    "strategy",
    "target_cases",
    "other",
    "other_cases",
    "test_set",
    "patients",
    "difference",
    "difference_low",
    "difference_high",
    "difference_interval",
    "difference_median",
    "effect",
    "p",
    "p_holm",
)
"""Columns of a family. Differences are the first model − the other. ``difference_median``, ``effect`` and
``p`` (as in `Comparison`, of the patients' means over seeds) are not numbers where a set is only described.
"""

SEEDS_RULE = (
    "Tests compare the patients’ means over seeds, so p tells of patients, not of other trainings; the "
    "interval tells of both. A difference is called clear where p after Holm is below 0.05 and the "
    "interval leaves out 0."
)
FORGETTING_RULE = (
    "Forgetting is the change of the DSC on the source test set against the model without target cases, "
    "within the same patients; below 0 the model has forgotten."
)

Pair = tuple[str, int, str, int]


def against_none(resampling: Resampling) -> pd.DataFrame:
    """Each number of target cases against none; tested on the pooled set."""
    return _family(resampling, _from_start(resampling), tested="pooled")


def forgetting(resampling: Resampling) -> pd.DataFrame:
    """Each number of target cases against none on the source set, which is what this family tests."""
    found = _family(resampling, _from_start(resampling), tested="source")
    return found[found["test_set"] == "source"].reset_index(drop=True)


def added_cases(resampling: Resampling) -> pd.DataFrame:
    """Each number of target cases against the next smaller one (0: none); tested on the pooled set."""
    pairs = [
        (strategy, more, strategy, fewer)
        for strategy, sizes in resampling.grid.curves.items()
        for fewer, more in pairwise(sizes)
    ]
    return _family(resampling, pairs, tested="pooled")


def between(resampling: Resampling) -> pd.DataFrame:
    """Every two strategies, by name, at each number of cases from 1 on; tested on the pooled set."""
    curves = resampling.grid.curves
    pairs = [
        (first, size, second, size)
        for first, second in combinations(curves, 2)
        for size in sorted((curves[first].keys() & curves[second].keys()) - {0})
    ]
    return _family(resampling, pairs, tested="pooled")


def clear(table: pd.DataFrame) -> pd.Series[bool]:
    """Which differences are clear, as `SEEDS_RULE` says."""
    apart = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    return apart & (table["p_holm"].astype("float64") < 0.05)


def family(table: pd.DataFrame, against: str, *, source_cohort: str, target_cohort: str) -> str:
    """Define a family of tests in words.

    Parameters
    ----------
    table : DataFrame
        As the functions above give it.
    against : str
        What each number of target cases is compared with, such as "against none"; empty between strategies.
    source_cohort, target_cohort : str

    Returns
    -------
    str
        Empty where nothing is tested.
    """
    tested = table[table["p"].notna()]
    if tested.empty:
        return ""
    patients = tested["patients"].iloc[0]
    names = sorted({*tested["strategy"], *tested["other"]})
    several = "every two strategies" if (tested["other"] != tested["strategy"]).any() else "each strategy"
    of = f"{several} ({', '.join(names)}) with " if len(names) > 1 else ""
    sizes = ", ".join(map(str, sorted(tested["target_cases"].unique())))
    pooled = tested["test_set"].iloc[0] == "pooled"
    where = (
        f"pooled over all {patients} test patients"
        if pooled
        else f"of the {patients} {source_cohort} test patients"
    )
    number = f"{len(tested)} test{'' if len(tested) == 1 else 's'}"
    what = " ".join(filter(None, (f"{of}each number of {target_cohort} cases ({sizes})", against)))
    return f"The family of tests: {what}, on the DSC {where}; {number}."


def _from_start(resampling: Resampling) -> list[Pair]:
    return [
        (strategy, size, strategy, 0)
        for strategy, sizes in resampling.grid.curves.items()
        for size in sizes
        if size and 0 in sizes
    ]


def _family(resampling: Resampling, pairs: Iterable[Pair], *, tested: str) -> pd.DataFrame:
    grid, dsc = resampling.grid, resampling.grid.by_patient
    rows = []
    for strategy, size, other, other_size in pairs:
        first, second = grid.curves[strategy][size], grid.curves[other][other_size]
        for test_set in grid.sets:
            members = grid.members(test_set)
            pair = dsc[first, members], dsc[second, members]
            judged = (np.nan, np.nan, np.nan)
            if test_set == tested:
                found = compare(*pair)
                judged = (found.median_difference, found.effect, found.p)
            rows.append(
                (
                    *(strategy, size, other, other_size, test_set, len(members)),
                    float((pair[0] - pair[1]).mean()),
                    *resampling.interval(test_set, first, second),
                    *(*judged, np.nan),
                )
            )
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    chosen = table["p"].notna()
    table.loc[chosen, "p_holm"] = holm(table.loc[chosen, "p"].to_numpy(dtype="float64"))
    return table
