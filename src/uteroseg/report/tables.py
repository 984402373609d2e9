"""The rows of a report's tables, as plain values that the template writes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg.report.wording import count, difference, difference_interval, interval, p_value
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
class Difference:
    """A mean difference between two models on one test set."""

    mean: str
    interval: str


@dataclass(frozen=True)
class ComparisonRow:
    """One strategy and number of target cases against none: the test on all patients, and forgetting."""

    strategy: str
    target_cases: int
    pooled: Difference
    median: str
    effect: str
    p: str
    p_holm: str
    source: Difference | None


@dataclass(frozen=True)
class StratumRow:
    """One stratum: its patients, and mean DSC and interval with each number of target cases."""

    stratum: str
    patients: int
    cells: tuple[tuple[str, str] | None, ...]


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
        interval=interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"]),
        median=f"{row['dsc_median']:.2f}",
        missed=f"{count(row['missed_tumours'])} of {count(row['tumours'])}",
    )


def comparison_rows(comparisons: pd.DataFrame) -> list[ComparisonRow]:
    """Arrange comparisons as one row per strategy and number of target cases."""
    rows = []
    for _, group in comparisons.groupby(["strategy", "target_cases"]):
        by_set = {str(row["test_set"]): row for row in group.to_dict("records")}
        pooled = by_set["pooled"]
        rows.append(
            ComparisonRow(
                strategy=pooled["strategy"],
                target_cases=pooled["target_cases"],
                pooled=_difference(pooled),
                median=difference(pooled["difference_median"]),
                effect=difference(pooled["effect"]),
                p=p_value(pooled["p"]),
                p_holm=p_value(pooled["p_holm"]),
                source=_difference(by_set["source"]) if "source" in by_set else None,
            )
        )
    return sorted(rows, key=lambda row: (row.target_cases, row.strategy))


def _difference(row: Mapping[Hashable, Any]) -> Difference:
    return Difference(
        mean=difference(row["difference"]),
        interval=difference_interval(
            row["difference_low"], row["difference_high"], row["difference_interval"]
        ),
    )


def strata_rows(strata: pd.DataFrame, strategy: str) -> tuple[list[int], dict[str, list[StratumRow]]]:
    """Arrange the strata of a strategy's curve by what divides them.

    Parameters
    ----------
    strata : DataFrame
        As `stratify` gives it.
    strategy : str

    Returns
    -------
    sizes : list of int
        The numbers of target cases, a column each.
    rows : dict
        By division (histology, volume, scanner). Patients are those with the most target cases.
    """
    if strata.empty:
        return [], {}
    curve = curves(strata)[strategy]
    sizes = sorted(int(size) for size in curve["target_cases"].unique())
    rows: dict[str, list[StratumRow]] = {}
    for (by, stratum), group in curve.groupby(["by", "stratum"], sort=False):
        of_size = {int(row["target_cases"]): row for row in group.to_dict("records")}
        cells = tuple(_stratum_cell(of_size[size]) if size in of_size else None for size in sizes)
        patients = of_size[max(of_size)]["patients"]
        rows.setdefault(str(by), []).append(StratumRow(str(stratum), patients, cells))
    return sizes, rows


def _stratum_cell(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    return f"{row['dsc_mean']:.2f}", interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"])


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
