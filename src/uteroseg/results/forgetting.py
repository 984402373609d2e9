"""What an adaptation costs on the source test set."""

from __future__ import annotations

import pandas as pd

from uteroseg.results.grid import Grid
from uteroseg.results.paired import DIFFERENCE, difference_row, family_table, tests, words

COLUMNS = ("strategy", "target_cases", *DIFFERENCE, "p_holm")

FORGETTING_RULE = (
    "Forgetting is the change of the DSC on the source test set against the model without target cases, "
    "within the same patients; below 0 the model has forgotten."
)


def forgetting(grid: Grid) -> pd.DataFrame:
    """Compare the DSC on the source test set with each number of target cases to that without.

    All are tested, a family of their own.

    Returns
    -------
    DataFrame
        ``strategy, target_cases`` and the columns of `compare_with_none`: ``difference`` is with − without,
        so that forgetting is negative.
    """
    members = grid.members("source")
    rows = []
    for strategy, curve in grid.curves.items():
        if curve.sizes[0] != 0 or not len(members):
            continue
        dsc = curve.by_patient[:, members]
        for size, adapted in zip(curve.sizes[1:], dsc[1:], strict=True):
            found = difference_row(adapted, dsc[0], tested=True)
            rows.append({"strategy": strategy, "target_cases": size, **found})
    return family_table(rows, COLUMNS)


def forgetting_family(table: pd.DataFrame, source_cohort: str, target_cohort: str) -> str:
    """Define the family of tests in words; empty where nothing is compared."""
    if table.empty:
        return ""
    return (
        f"The family of tests: each strategy ({words(table['strategy'])}) with each number of "
        f"{target_cohort} cases ({words(table['target_cases'])}) against none, on the DSC of the "
        f"{table['patients'].iloc[0]} {source_cohort} test patients; {tests(len(table))}."
    )
