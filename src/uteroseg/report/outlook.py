"""Crossovers, label efficiency and forecasts as rows of tables."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg.report.strategies import StrategySet
from uteroseg.report.wording import crossing, difference
from uteroseg.results.crossover import NEVER, OVERTAKES
from uteroseg.results.efficiency import REFERENCE
from uteroseg.results.forecast import GAIN

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
    """What a strategy tends to, what a gain would take, and how far hidden sizes were missed."""

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
    crosses = crossovers[crossovers["outcome"] == OVERTAKES]
    crossed = set(zip(crosses["strategy"], crosses["other"], strict=True))
    rows = []
    for (strategy, other), group in crossovers.groupby(["strategy", "other"], sort=False):
        if about_joint.any():
            if strategy not in strategies.joint or other in strategies.joint:
                continue
        elif (strategy, other) not in crossed:
            continue
        by_set = {str(row["test_set"]): row for row in group.to_dict("records")}
        cells = tuple(_where(by_set[name]) if name in by_set else None for name in sets)
        rows.append(CrossoverRow(str(strategy), str(other), cells))
    return rows


def _where(row: Row) -> tuple[str, str]:
    if row["outcome"] == NEVER:
        said = "never"
    else:
        said = f"{'from' if row['outcome'] == OVERTAKES else 'throughout, from'} {row['target_cases']:.0f} on"
    return said, crossing(row["low"], row["high"])


def efficiency_rows(table: pd.DataFrame) -> list[EfficiencyRow]:
    """Arrange the cases that each strategy needs, the fewest first."""
    ordered = sorted(table.to_dict("records"), key=lambda row: (row["target_cases"], str(row["strategy"])))
    return [
        EfficiencyRow(
            str(row["strategy"]),
            _cases(row["target_cases"]),
            "the level" if row["strategy"] == REFERENCE else crossing(row["low"], row["high"]),
        )
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
        What was forecast from what in each check of the largest number of cases, a column each.
    rows : list of ForecastRow
    """
    of = {
        (str(row["strategy"]), int(row["fitted_to"]), int(row["target_cases"])): row
        for row in checks.to_dict("records")
    }
    largest = {str(row["strategy"]): int(row["target_cases"]) for row in forecasts.to_dict("records")}
    places = sorted(
        {(fitted_to, size) for strategy, fitted_to, size in of if size == largest[strategy]}, reverse=True
    )
    rows = []
    for row in forecasts.to_dict("records"):
        strategy = str(row["strategy"])
        rows.append(
            ForecastRow(
                strategy=strategy,
                reached=f"{row['dsc']:.2f}",
                tends_to=f"{row['a']:.2f}",
                more=_more(row["more_cases"], row["target_cases"]),
                interval=" to ".join(_more(row[end], row["target_cases"]) for end in ("low", "high")),
                checks=tuple(_check(of.get((strategy, *place))) for place in places),
            )
        )
    return [f"{size} from up to {fitted_to}" for fitted_to, size in places], rows


def _check(row: Row | None) -> tuple[str, str] | None:
    if row is None or math.isnan(row["error"]):
        return None
    return difference(row["error"]), f"{row['predicted']:.2f} for {row['dsc']:.2f}"


def forecast_error(checks: pd.DataFrame) -> str:
    """Say how far forecasts of hidden sizes were off; empty where none was checked."""
    if checks.empty:
        return ""
    missed = checks["error"].abs()
    trust = (
        f" That is more than the gain of {GAIN:.2f} in question: take the forecast as a direction, "
        "not as a number."
        if missed.mean() > GAIN
        else ""
    )
    return (
        f"Error: forecast less reached where the largest numbers of cases are hidden; {missed.mean():.3f} "
        f"in the mean (absolute, {len(checks)} forecasts), {missed.max():.3f} at most.{trust}"
    )


def _cases(number: float) -> str:
    return "not reached" if math.isinf(number) else f"{number:,.0f}"


def _more(number: float, largest: int) -> str:
    """More cases in words; further than ten times the largest number nobody can see."""
    if math.isnan(number):
        return "–"
    if math.isinf(number):
        return "never"
    return f"over {9 * largest:,}" if number > 9 * largest else f"{number:,.0f}"
