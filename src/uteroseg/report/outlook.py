"""Crossovers, label efficiency and forecasts as rows of tables."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg.report.strategies import StrategySet
from uteroseg.report.wording import difference

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class CrossoverRow:
    """Where one strategy overtakes another for good, on each test set in words."""

    strategy: str
    other: str
    cells: tuple[tuple[str, str] | None, ...]


@dataclass(frozen=True)
class EfficiencyRow:
    """Cases that a strategy needs for the level, with the interval."""

    strategy: str
    cases: str
    interval: str


@dataclass(frozen=True)
class ForecastRow:
    """What a strategy tends to, how many more cases a gain would take, and how far hidden sizes were missed."""

    strategy: str
    reached: str
    tends_to: str
    more: str
    interval: str
    checks: tuple[tuple[str, str] | None, ...]


def crossover_rows(
    crossovers: pd.DataFrame, strategies: StrategySet, sets: tuple[str, ...]
) -> list[CrossoverRow]:
    """Arrange where training together overtakes each other strategy; without it, every pair that crosses.

    Parameters
    ----------
    crossovers : DataFrame
        As `uteroseg.results.crossover.crossovers` gives it.
    strategies : StrategySet
    sets : tuple of str
        Test sets, a cell each.
    """
    about_joint = crossovers["strategy"].isin(strategies.joint)
    crossing = set(
        crossovers.loc[crossovers["outcome"] == "overtakes", ["strategy", "other"]].itertuples(
            index=False, name=None
        )
    )
    rows = []
    for (strategy, other), group in crossovers.groupby(["strategy", "other"], sort=False):
        if about_joint.any():
            if strategy not in strategies.joint or other in strategies.joint:
                continue
        elif (strategy, other) not in crossing:
            continue
        by_set = {str(row["test_set"]): row for row in group.to_dict("records")}
        cells = tuple(_crossing(by_set[name]) if name in by_set else None for name in sets)
        rows.append(CrossoverRow(str(strategy), str(other), cells))
    return rows


def _crossing(row: Row) -> tuple[str, str]:
    if row["outcome"] != "overtakes":
        return {"ahead throughout": "ahead throughout", "not ahead": "nowhere"}.get(row["outcome"], "–"), ""
    return f"from {row['target_cases']:.0f}", _interval(row["low"], row["high"], before="throughout")


def efficiency_rows(table: pd.DataFrame) -> list[EfficiencyRow]:
    """Arrange the cases that each strategy needs, the fewest first."""
    ordered = sorted(table.to_dict("records"), key=lambda row: (row["target_cases"], str(row["strategy"])))
    return [
        EfficiencyRow(str(row["strategy"]), _cases(row["target_cases"]), _interval(row["low"], row["high"]))
        for row in ordered
    ]


def forecast_rows(forecasts: pd.DataFrame, checks: pd.DataFrame) -> tuple[list[str], list[ForecastRow]]:
    """Arrange forecasts with their checks.

    Parameters
    ----------
    forecasts, checks : DataFrame
        As `forecasts` and `check_forecasts` of `uteroseg.results.forecast` give them.

    Returns
    -------
    hidden : list of str
        What was forecast from what in each check, a column each.
    rows : list of ForecastRow
    """
    of = {
        (str(row["strategy"]), int(row["fitted_to"]), int(row["target_cases"])): row
        for row in checks.to_dict("records")
    }
    places = sorted({(fitted_to, size) for _, fitted_to, size in of}, reverse=True)
    rows = []
    for row in forecasts.to_dict("records"):
        strategy = str(row["strategy"])
        rows.append(
            ForecastRow(
                strategy=strategy,
                reached=f"{row['dsc']:.2f}",
                tends_to=f"{row['a']:.2f}",
                more=_cases(row["more_cases"]),
                interval=_interval(row["more_low"], row["more_high"]),
                checks=tuple(_check(of.get((strategy, *place))) for place in places),
            )
        )
    return [f"{size} from up to {fitted_to}" for fitted_to, size in places], rows


def _check(row: Row | None) -> tuple[str, str] | None:
    if row is None or math.isnan(row["error"]):
        return None
    return difference(row["error"]), f"{row['predicted']:.2f} for {row['dsc']:.2f}"


def _cases(number: float) -> str:
    return "not reached" if math.isinf(number) else f"{number:,.0f}"


def _interval(low: float, high: float, *, before: str = "0") -> str:
    if math.isnan(low) or math.isnan(high):
        return "–"
    ends = (before if math.isinf(low) and low < 0 else _bound(low), _bound(high))
    return " to ".join(ends)


def _bound(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:,.0f}"
