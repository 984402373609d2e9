"""Each added share of target cases: every size against the next smaller one, within the same patients."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from uteroseg.results.grid import Grid
from uteroseg.results.paired import DIFFERENCE, difference_row, family_table, tests, words
from uteroseg.results.summary import SETS

COLUMNS = ("strategy", "target_cases", "fewer_cases", "test_set", *DIFFERENCE, "p_holm")


def compare_steps(grid: Grid) -> pd.DataFrame:
    """Compare the DSC of each number of target cases to that of the next smaller one, for each strategy.

    Tested on the pooled set, one family; the source and the target set are described.

    Returns
    -------
    DataFrame
        ``strategy, target_cases, fewer_cases`` (the next smaller number; 0 is no adaptation), ``test_set``
        (source, target, pooled), and the columns of `compare_with_none`: ``difference`` is with − fewer.
    """
    rows = []
    for strategy, curve in grid.curves.items():
        dsc = curve.by_patient
        for (before, fewer), (place, size) in pairwise(enumerate(curve.sizes)):
            for test_set in SETS:
                members = grid.members(test_set)
                if not len(members):
                    continue
                found = difference_row(dsc[place, members], dsc[before, members], tested=test_set == "pooled")
                rows.append(
                    {
                        "strategy": strategy,
                        "target_cases": size,
                        "fewer_cases": fewer,
                        "test_set": test_set,
                        **found,
                    }
                )
    return family_table(rows, COLUMNS)


def steps_family(steps: pd.DataFrame, target_cohort: str) -> str:
    """Define the family of tests in words; empty where nothing is compared."""
    tested = steps[steps["p"].notna()]
    if tested.empty:
        return ""
    return (
        f"The family of tests: each strategy ({words(tested['strategy'])}) with each number of "
        f"{target_cohort} cases ({words(tested['target_cases'])}) against the next smaller number, on the "
        f"DSC pooled over all {tested['patients'].iloc[0]} test patients; {tests(len(tested))}."
    )
