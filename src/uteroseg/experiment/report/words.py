"""How a report writes numbers, lists and labels, and what it must say about few patients or trainings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uteroseg.experiment.report.context import Context

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


def capital(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def counted(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def patients_of(cohort: str, number: int) -> str:
    """Write a number of patients."""
    return counted(number, f"{cohort} patient")


def cases_of(cohort: str, number: int) -> str:
    """Write a number of annotated cases."""
    return counted(number, f"{cohort} case")


def cautions(context: Context) -> list[str]:
    """Say where few trainings or few patients make the figures say less than they seem to."""
    seeds, said = context.summary["seeds"], []
    if (seeds == 1).any():
        said.append(
            "Each model was trained once (one seed): how much another training would differ is not known."
            if (seeds == 1).all()
            else "Some models were trained once (one seed), others several times."
        )
    few = [
        patients_of(context.names[name], number)
        for name, number in context.patients.items()
        if name != "pooled" and number < FEW
    ]
    if few:
        said.append(
            f"Intervals over fewer than {FEW} patients (here {' and '.join(few)}) tend to be too narrow."
        )
    return said


def _mark(method: str) -> str:
    return "*" if method == "percentile" else ""
