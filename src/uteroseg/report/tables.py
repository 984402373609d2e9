"""The rows of a report's tables, as plain values that the template writes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg.report.wording import count, interval
from uteroseg.results.summary import SETS, curves


@dataclass(frozen=True)
class Cell:
    """One number of target cases on one test set."""

    mean: str
    interval: str
    median: str
    missed: str


@dataclass(frozen=True)
class SummaryRow:
    """One strategy and number of target cases; a cell per test set, None where it has no patients."""

    strategy: str
    target_cases: int
    seeds: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class CaseRow:
    """One test case: what it is, and its measures with each number of target cases."""

    case: str
    cohort: str
    histology: str
    volume_ml: float
    dsc: tuple[float | None, ...]
    predicted_volume_ml: float
    sensitivity: float
    ppv: float


def summary_rows(summary: pd.DataFrame) -> list[SummaryRow]:
    """Arrange a summary as one row per strategy and number of target cases."""
    rows = []
    for _, group in summary.groupby(["strategy", "target_cases"], sort=False):
        by_set = {str(row["test_set"]): row for row in group.to_dict("records")}
        cells = tuple(_cell(by_set[name]) if name in by_set else None for name in SETS)
        first = group.iloc[0]
        rows.append(
            SummaryRow(first["strategy"], int(first["target_cases"]), int(group["seeds"].max()), cells)
        )
    return sorted(rows, key=lambda row: (row.target_cases, row.strategy))


def _cell(row: Mapping[Hashable, Any]) -> Cell:
    return Cell(
        mean=f"{row['dsc_mean']:.2f}",
        interval=interval(row["dsc_low"], row["dsc_high"]),
        median=f"{row['dsc_median']:.2f}",
        missed=f"{count(row['missed_tumours'])} of {count(row['tumours'])}",
    )


def case_rows(cases: pd.DataFrame, strategy: str) -> tuple[list[int], list[CaseRow]]:
    """List every test case of a strategy's curve, the worst first.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.
    strategy : str

    Returns
    -------
    sizes : list of int
        The numbers of target cases, a column each.
    rows : list of CaseRow
        Measures are means over seeds; all but the DSC are those with the most target cases.
    """
    curve = curves(cases)[strategy]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    rows = []
    for (_, case), group in curve.groupby(["test_set", "case"]):
        dsc = group.groupby("target_cases")["dsc"].mean().to_dict()
        latest = group[group["target_cases"] == sizes[-1]]
        rows.append(
            CaseRow(
                case=str(case),
                cohort=str(latest["cohort"].iloc[0]),
                histology=str(latest["histology"].iloc[0]) or "–",
                volume_ml=float(latest["volume_ml"].mean()),
                dsc=tuple(dsc.get(size) for size in sizes),
                predicted_volume_ml=float(latest["predicted_volume_ml"].mean()),
                sensitivity=float(latest["sensitivity"].mean()),
                ppv=float(latest["ppv"].mean()),
            )
        )
    return sizes, sorted(rows, key=lambda row: (row.dsc[-1] or 0.0, row.case))
