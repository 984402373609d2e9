"""Tables of strategy × number of target cases, for experiments with several strategies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from uteroseg.report.wording import count, difference, difference_interval, interval, p_value
from uteroseg.results.grid import curves

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
        As `uteroseg.results.comparisons.added_cases` gives it.
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
        As `uteroseg.results.comparisons.between` gives it.
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
