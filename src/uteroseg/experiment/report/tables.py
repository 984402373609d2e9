"""The tables of a report, as plain values that the template writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from uteroseg.experiment.grid import curves
from uteroseg.experiment.outlook import GAIN, NEVER, OVERTAKES, REFERENCE
from uteroseg.experiment.report.strategies import StrategySet
from uteroseg.experiment.report.words import (
    count,
    crossing,
    difference,
    difference_interval,
    interval,
    p_value,
)

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class Cell:
    """A number, what stands below it in small print, and whether it is the column's best."""

    value: str
    small: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class MatrixRow:
    """A strategy with a cell for each number of target cases; None where there is none."""

    strategy: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Strategies × numbers of target cases.

    Parameters
    ----------
    title, about : str
    sizes : tuple of int
    rows : tuple of MatrixRow
    heads : tuple of str
        What stands above each column.
    start : Cell, optional
        Of the model without target cases, which all strategies share; None where each has its own or none.
    """

    title: str
    about: str
    sizes: tuple[int, ...]
    rows: tuple[MatrixRow, ...]
    heads: tuple[str, ...]
    start: Cell | None = None


def dsc_matrices(
    summary: pd.DataFrame, comparisons: pd.DataFrame, *, source_cohort: str, target_cohort: str
) -> list[Matrix]:
    """Mean DSC by strategy and number of target cases, a matrix for each test set, pooled first.

    Parameters
    ----------
    summary, comparisons : DataFrame
        As `summarise` and `compare_with_none` give them.
    source_cohort, target_cohort : str

    Returns
    -------
    list of Matrix
        Pooled cells say the corrected p-value against no target cases.
    """
    tested = comparisons[comparisons["test_set"] == "pooled"]
    p_of = {(row["strategy"], row["target_cases"]): row["p_holm"] for row in tested.to_dict("records")}

    def cell(row: Row) -> Cell:
        small = [interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"])]
        p = p_of.get((row["strategy"], row["target_cases"])) if row["test_set"] == "pooled" else None
        if p is not None and not pd.isna(p):
            small.append(f"p {p_value(p)}")
        return Cell(f"{row['dsc_mean']:.2f}", tuple(small))

    found = []
    titles = {"pooled": "Pooled", "target": _capital(target_cohort), "source": _capital(source_cohort)}
    for test_set, title in titles.items():
        table = summary[summary["test_set"] == test_set]
        if len(table):
            patients = int(table["patients"].max())
            about = f"{patients} patient{'' if patients == 1 else 's'}"
            found.append(_matrix(title, about, table, "dsc_mean", cell))
    return found


def missed_matrix(summary: pd.DataFrame) -> Matrix:
    """Missed tumours by strategy and number of target cases, over both test sets."""
    table = summary[summary["test_set"] == "pooled"]
    tumours = count(float(table["tumours"].max()))
    return _matrix(
        "Missed tumours", f"of {tumours}", table, "missed_tumours",
        lambda row: Cell(count(row["missed_tumours"])), least=True,
    )  # fmt: skip


def forgetting_matrix(forgetting: pd.DataFrame, *, source_cohort: str) -> Matrix | None:
    """Change of the DSC on the source test set against the source model; None where there is none.

    Parameters
    ----------
    forgetting : DataFrame
        As `uteroseg.results.forgetting.forgetting` gives it.
    source_cohort : str
    """
    return difference_matrix(forgetting, title=_capital(source_cohort)) if len(forgetting) else None


def added_matrix(added: pd.DataFrame) -> Matrix | None:
    """Change of the pooled DSC with each added share of cases; None where there is none.

    Parameters
    ----------
    added : DataFrame
        As `uteroseg.experiment.comparisons.added_cases` gives it.
    """
    table = added[added["test_set"] == "pooled"]
    if table.empty:
        return None
    found = difference_matrix(table, title="Pooled")
    fewer = table.groupby("target_cases")["other_cases"].unique()
    heads = tuple(f"{' or '.join(map(str, sorted(fewer[size])))} → {size}" for size in found.sizes)
    return replace(found, heads=heads)


def against_matrix(between: pd.DataFrame, reference: str) -> Matrix | None:
    """Pooled DSC of every other strategy less that of a reference; None where there is no other.

    Parameters
    ----------
    between : DataFrame
        As `uteroseg.experiment.comparisons.between` gives it.
    reference : str
        Strategy.
    """
    pooled = between[between["test_set"] == "pooled"]
    first, second = pooled[pooled["other"] == reference], pooled[pooled["strategy"] == reference]
    turned = second.assign(
        strategy=second["other"],
        difference=-second["difference"],
        difference_low=-second["difference_high"],
        difference_high=-second["difference_low"],
    )
    table = pd.concat([first, turned])
    return difference_matrix(table, title=f"Pooled, less “{reference}”") if len(table) else None


def difference_matrix(table: pd.DataFrame, *, title: str) -> Matrix:
    """Differences with their interval and corrected p-value; none is marked as best."""
    patients = int(table["patients"].max())

    def cell(row: Row) -> Cell:
        spread = difference_interval(
            row["difference_low"], row["difference_high"], row["difference_interval"]
        )
        p: tuple[str, ...] = () if pd.isna(row["p_holm"]) else (f"p {p_value(row['p_holm'])}",)
        return Cell(difference(row["difference"]), (spread, *p))

    about = f"{patients} patient{'' if patients == 1 else 's'}"
    return _matrix(title, about, table.assign(mark=0.0), "mark", cell, mark=False)


def _matrix(
    title: str,
    about: str,
    table: pd.DataFrame,
    value: str,
    cell: Callable[[Row], Cell],
    *,
    least: bool = False,
    mark: bool = True,
) -> Matrix:
    own = curves(table)
    starts = table[table["target_cases"] == 0]
    start = cell(starts.to_dict("records")[0]) if len(starts) == 1 else None
    sizes = tuple(sorted({int(n) for n in table["target_cases"]} - ({0} if start else set())))
    adapted = table[table["target_cases"].isin(sizes)]
    chosen = adapted.groupby("target_cases")[value]
    best = (chosen.min() if least else chosen.max()).round(2).to_dict()
    spread = (chosen.max() - chosen.min()).round(2).to_dict()
    rows = []
    for strategy, curve in own.items():
        of_size = {int(row["target_cases"]): row for row in curve.to_dict("records")}
        cells: list[Cell | None] = []
        for size in sizes:
            made = cell(of_size[size]) if size in of_size else None
            if made and mark and spread[size] and round(of_size[size][value], 2) == best[size]:
                made = Cell(made.value, made.small, best=True)
            cells.append(made)
        rows.append(MatrixRow(strategy, tuple(cells)))
    return Matrix(title, about, sizes, tuple(rows), tuple(map(str, sizes)), start)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        As `uteroseg.experiment.outlook.crossovers` gives it.
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
        As `forecasts` and `check_forecasts` of `uteroseg.experiment.outlook` give them.

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
