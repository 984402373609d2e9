"""Strategies against each other with the same number of target cases, within the same test patients."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from uteroseg.results.grid import Grid
from uteroseg.results.paired import DIFFERENCE, difference_row, family_table, tests, words
from uteroseg.results.summary import SETS

COLUMNS = ("strategy", "other", "target_cases", "test_set", *DIFFERENCE, "p_holm")


def compare_between(grid: Grid) -> pd.DataFrame:
    """Compare every two strategies at each number of target cases (from 1 on) that both have.

    Tested on the pooled set, one family; the source and the target set are described.

    Returns
    -------
    DataFrame
        ``strategy, other`` (in alphabetical order: every two strategies once), ``target_cases, test_set``
        (source, target, pooled), and the columns of `compare_with_none`: ``difference`` is strategy − other.
    """
    dsc = {strategy: curve.by_patient for strategy, curve in grid.curves.items()}
    rows = []
    for (strategy, first), (other, second) in combinations(grid.curves.items(), 2):
        for size in sorted(set(first.sizes) & set(second.sizes) - {0}):
            ours, theirs = dsc[strategy][first.sizes.index(size)], dsc[other][second.sizes.index(size)]
            for test_set in SETS:
                members = grid.members(test_set)
                if not len(members):
                    continue
                found = difference_row(ours[members], theirs[members], tested=test_set == "pooled")
                rows.append(
                    {
                        "strategy": strategy,
                        "other": other,
                        "target_cases": size,
                        "test_set": test_set,
                        **found,
                    }
                )
    return family_table(rows, COLUMNS)


def between_family(between: pd.DataFrame, target_cohort: str) -> str:
    """Define the family of tests in words; empty where nothing is compared."""
    tested = between[between["p"].notna()]
    if tested.empty:
        return ""
    return (
        f"The family of tests: every two strategies ({words([*tested['strategy'], *tested['other']])}) with "
        f"the same number of {target_cohort} cases ({words(tested['target_cases'])}), on the DSC pooled over "
        f"all {tested['patients'].iloc[0]} test patients; {tests(len(tested))}."
    )
