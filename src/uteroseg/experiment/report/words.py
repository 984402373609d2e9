"""How a report writes numbers, lists and labels, and what it must say about few patients or trainings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from uteroseg.experiment.grid import curves

VIRTUAL_LABEL = (
    "Virtual patients, calibrated to published tissue values. These results say nothing about real patients."
)
NBSP = "\N{NO-BREAK SPACE}"

FEW = 10
"""Fewer patients than this are said to be few."""


def count(number: float) -> str:
    """Write a count; a mean of counts over several seeds keeps one decimal."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def interval(low: float, high: float, method: str) -> str:
    """Write an interval, marked * where BCa is not defined; a dash where there is none."""
    return "–" if math.isnan(low) else f"{low:.2f}–{high:.2f}{_mark(method)}"


def difference(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.2f}".replace("-", "−").replace("+0.00", "0.00").replace("−0.00", "0.00")


def difference_interval(low: float, high: float, method: str) -> str:
    """Write the interval of a difference, as `interval` does."""
    return "–" if math.isnan(low) else f"{difference(low)} to {difference(high)}{_mark(method)}"


def p_value(p: float) -> str:
    """Write a p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_words(p: float) -> str:
    """Write a corrected p-value in a sentence."""
    written = f"p {'' if p < 0.001 else '= '}{p_value(p)}"
    return f"{written.replace(' ', NBSP)} after Holm"


def listed(words: Sequence[str]) -> str:
    """Write a list: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def crossing(low: float, high: float) -> str:
    """Write an interval of numbers of cases, which can run to never; empty where there is none."""
    if math.isnan(low):
        return ""
    if math.isinf(low):
        return "never"
    return f"{low:,.0f} to {'never' if math.isinf(high) else f'{high:,.0f}'}"


def patients_of(cohort: str, number: int) -> str:
    """Write a number of patients."""
    return f"{number} {cohort} patient{'' if number == 1 else 's'}"


def cases_of(cohort: str, number: int) -> str:
    """Write a number of annotated cases."""
    return f"{number} {cohort} case{'' if number == 1 else 's'}"


def leading_strategy(summary: pd.DataFrame) -> str:
    """Name the strategy with the highest pooled mean DSC where it has the most target cases."""
    reached = {
        strategy: curve[curve["test_set"] == "pooled"]["dsc_mean"].iloc[-1]
        for strategy, curve in curves(summary).items()
    }
    return max(reached, key=lambda strategy: reached[strategy])


def cautions(summary: pd.DataFrame, *, source_cohort: str, target_cohort: str) -> list[str]:
    """Say where few trainings or few patients make the figures say less than they seem to.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    source_cohort, target_cohort : str
    """
    said = []
    if (summary["seeds"] == 1).any():
        said.append(
            "Each model was trained once (one seed): how much another training would differ is not known."
            if (summary["seeds"] == 1).all()
            else "Some models were trained once (one seed), others several times."
        )
    names = {"source": source_cohort, "target": target_cohort}
    patients = summary.groupby("test_set")["patients"].max().to_dict()
    few = [patients_of(name, patients[s]) for s, name in names.items() if patients.get(s, FEW) < FEW]
    if few:
        said.append(
            f"Intervals over fewer than {FEW} patients (here {' and '.join(few)}) tend to be too narrow."
        )
    return said


def _mark(method: str) -> str:
    return "*" if method == "percentile" else ""
