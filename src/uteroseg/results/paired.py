"""Differences between models within the same patients, as rows of a table, with one family of tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from uteroseg.evaluation.statistics import compare, holm
from uteroseg.results.grid import Values

DIFFERENCE = (
    "patients",
    "difference",
    "difference_low",
    "difference_high",
    "difference_interval",
    "difference_median",
    "effect",
    "p",
)
"""Columns of a difference; ``p_holm`` follows where the family is known."""


def difference_row(first: Values, second: Values, *, tested: bool) -> dict[str, Any]:
    """Compare two models, first − second.

    Parameters
    ----------
    first, second : ndarray, shape (patients,)
    tested : bool
        Whether the comparison belongs to the family; otherwise it describes, and ``p`` is not a number.
    """
    found = compare(first, second)
    interval = found.interval
    values = (
        found.patients,
        found.difference,
        interval.low,
        interval.high,
        interval.method,
        found.median_difference,
        found.effect,
        found.p if tested else float("nan"),
    )
    return dict(zip(DIFFERENCE, values, strict=True))


def family_table(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Make a table of differences, ``p_holm`` adjusted over all its tests.

    Parameters
    ----------
    rows : iterable of dict
        Each with `DIFFERENCE`.
    columns : tuple of str
        The table's columns, ``p_holm`` among them.
    """
    table = pd.DataFrame(list(rows), columns=list(columns))
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(dtype="float64"))
    return table


def words(values: Iterable[object]) -> str:
    """Different values in order, with commas."""
    return ", ".join(map(str, sorted(set(values))))  # type: ignore[type-var]


def tests(number: int) -> str:
    """How many tests a family has, in words."""
    return f"{number} test{'' if number == 1 else 's'}"
