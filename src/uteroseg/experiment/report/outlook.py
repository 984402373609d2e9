"""The sections that look beyond the curves' points: crossovers, label efficiency, forecasts."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from uteroseg.experiment.grid import SETS
from uteroseg.experiment.outlook import (
    CROSSOVER_RULE,
    EFFICIENCY_RULE,
    FORECAST_RULE,
    GAIN,
    NEVER,
    OVERTAKES,
    REFERENCE,
)
from uteroseg.experiment.report.blocks import Cell, Group, Head, Note, Section, Table
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import capital, crossing, difference

Row = Mapping[Hashable, Any]


def crossovers(context: Context) -> Section:
    """Where training together overtakes each other strategy; without it, every pair that crosses."""
    table = context.analysis.crossovers
    sets = [name for name in reversed(SETS) if name in context.patients]
    joint = context.joint
    crosses = table[table["outcome"] == OVERTAKES]
    crossed = set(zip(crosses["strategy"], crosses["other"], strict=True))
    rows = []
    for (strategy, other), group in table.groupby(["strategy", "other"], sort=False):
        shown = strategy in joint and other not in joint if joint else (strategy, other) in crossed
        if not shown:
            continue
        by_set = {str(row["test_set"]): row for row in group.to_dict("records")}
        cells = [_where(by_set[name]) if name in by_set else Cell() for name in sets]
        rows.append((Cell(str(strategy)), Cell(str(other), kind="text"), *cells))
    title = "When to train together" if joint else "Where one strategy overtakes another"
    heads = (
        (
            Head("Strategy"),
            Head("overtakes", kind="text"),
            *(Head(capital(context.names[name])) for name in sets),
        ),
    )
    note = (
        f"The smallest number of {context.target} cases from which on the first strategy stays ahead of the "
        f"second, by mean DSC, with its 95 % interval. {CROSSOVER_RULE}"
    )
    blocks = (Table("outlook", heads, (Group(tuple(rows)),)), Note(note)) if rows else ()
    return Section(title, blocks, {"crossovers": table}, style="outlook-part")


def _where(row: Row) -> Cell:
    spread = crossing(row["low"], row["high"])
    if row["outcome"] == NEVER:
        said = "never"
    else:
        said = f"{'from' if row['outcome'] == OVERTAKES else 'throughout, from'} {row['target_cases']:.0f} on"
    return Cell(said, (spread,) if spread else ())


def label_efficiency(context: Context) -> Section:
    """The cases that each strategy needs for a level, the fewest first."""
    table = context.analysis.label_efficiency
    title, files = "Cases that a strategy saves", {"label_efficiency": table}
    if table.empty:
        return Section(title, files=files)
    ordered = sorted(table.to_dict("records"), key=lambda row: (row["target_cases"], str(row["strategy"])))
    rows = tuple(
        (
            Cell(str(row["strategy"])),
            Cell("not reached" if math.isinf(row["target_cases"]) else f"{row['target_cases']:,.0f}"),
            Cell("the level" if row["strategy"] == REFERENCE else crossing(row["low"], row["high"])),
        )
        for row in ordered
    )
    heads = ((Head("Strategy"), Head(f"{capital(context.target)} cases needed"), Head("95 % interval")),)
    level = ordered[0]
    note = (
        f"For the {context.target} DSC of {level['reference_dsc']:.2f}, which tuning every layer reaches "
        f"with {level['reference_cases']:.0f}. {EFFICIENCY_RULE}"
    )
    table_shown = Table("outlook narrow", heads, (Group(rows),))
    return Section(title, (table_shown, Note(note)), files, style="outlook-part")


def forecasts(context: Context) -> Section:
    """What a strategy tends to, what a gain would take, and how far hidden sizes were missed."""
    table, checks = context.analysis.forecasts, context.analysis.forecast_checks
    title, files = "What more cases would bring", {"forecasts": table, "forecast_checks": checks}
    if table.empty:
        return Section(title, files=files)
    of = {
        (str(row["strategy"]), int(row["fitted_to"]), int(row["target_cases"])): row
        for row in checks.to_dict("records")
    }
    largest = {str(row["strategy"]): int(row["target_cases"]) for row in table.to_dict("records")}
    places = sorted(
        {(fitted_to, size) for strategy, fitted_to, size in of if size == largest[strategy]}, reverse=True
    )
    rows = tuple(
        (
            Cell(str(row["strategy"])),
            Cell(f"{row['dsc']:.2f}"),
            Cell(f"{row['a']:.2f}"),
            Cell(_more(row["more_cases"], row["target_cases"])),
            Cell(" to ".join(_more(row[end], row["target_cases"]) for end in ("low", "high"))),
            *(_check(of.get((str(row["strategy"]), *place))) for place in places),
        )
        for row in table.to_dict("records")
    )
    heads = (
        (
            Head("Strategy"),
            Head("DSC now"),
            Head("Tends to"),
            Head("More cases", f"for +{GAIN:.2f} DSC"),
            Head("95 % interval"),
            *(Head("Error", f"{size} from up to {fitted_to}") for fitted_to, size in places),
        ),
    )
    note = " ".join(filter(None, (f"Of the {context.target} DSC.", FORECAST_RULE, _error(checks))))
    return Section(title, (Table("outlook", heads, (Group(rows),)), Note(note)), files, style="outlook-part")


def _check(row: Row | None) -> Cell:
    if row is None or math.isnan(row["error"]):
        return Cell()
    return Cell(difference(row["error"]), (f"{row['predicted']:.2f} for {row['dsc']:.2f}",))


def _error(checks: pd.DataFrame) -> str:
    """How far forecasts of hidden sizes were off; empty where none was checked."""
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


def _more(number: float, largest: int) -> str:
    """More cases in words; further than ten times the largest number nobody can see."""
    if math.isnan(number):
        return "–"
    if math.isinf(number):
        return "never"
    return f"over {9 * largest:,}" if number > 9 * largest else f"{number:,.0f}"
