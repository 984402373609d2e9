"""What a report says in words: the answer in at most three sentences, labels, and how numbers are written."""

from __future__ import annotations

import math

import pandas as pd

from uteroseg.results.summary import curves

VIRTUAL_LABEL = (
    "Virtual patients, calibrated to published tissue values. These results say nothing about real patients."
)


FEW = 10
"""Fewer patients than this are said to be few."""


def count(number: float) -> str:
    """Write a count; a mean of counts over several seeds keeps one decimal."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def interval(low: float, high: float, method: str) -> str:
    """Write an interval, marked * where it is not BCa; a dash where there is none."""
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
    return "" if method == "BCa" else "*"


def answer(summary: pd.DataFrame, *, source_cohort: str, target_cohort: str) -> list[str]:
    """Answer in at most three sentences what the target cases changed, from the numbers alone.

    Compares the fewest with the most target cases of the leading strategy.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    source_cohort, target_cohort : str
    """
    panels = curves(summary)
    strategy = leading_strategy(summary)
    curve = panels[strategy]
    first, last = int(curve["target_cases"].min()), int(curve["target_cases"].max())
    start = curve[curve["target_cases"] == first].set_index("test_set")
    end = curve[curve["target_cases"] == last].set_index("test_set")
    given = f"With {cases_of(target_cohort, last)}" if last else f"Without {target_cohort} cases"
    if len(panels) > 1:
        given += f" and the strategy “{strategy}”, the best of {len(panels)} on these test patients,"
    low, high = _value(end, "pooled", "dsc_low"), _value(end, "pooled", "dsc_high")
    spread = "" if math.isnan(low) else f" (95 % interval {low:.2f} to {high:.2f})"
    all_patients = patients_of("test", int(_value(end, "pooled", "patients")))
    before = start if first != last else None
    sentences = [
        f"{given} the pooled DSC of {all_patients} {_course(before, end, 'pooled')}{spread}{_peak(curve)}."
    ]
    apart = [
        f"on the {patients_of(name, int(_value(end, test_set, 'patients')))} "
        f"it {_course(before, end, test_set)}"
        for test_set, name in (("target", target_cohort), ("source", source_cohort))
        if test_set in end.index
    ]
    if len(apart) > 1:
        sentences.append(_capital("; ".join(apart)) + ".")
    tumours, missed = _value(end, "pooled", "tumours"), _value(end, "pooled", "missed_tumours")
    verb = "was" if missed in (0, 1) else "were"
    sentence = f"Of {count(tumours)} tumours {count(missed) if missed else 'none'} {verb} missed"
    if before is not None:
        with_first = f"with {cases_of(target_cohort, first)}" if first else f"without {target_cohort} cases"
        sentence += f", against {count(_value(before, 'pooled', 'missed_tumours'))} {with_first}"
    return [*sentences, sentence + "."]


def _course(before: pd.DataFrame | None, after: pd.DataFrame, test_set: str) -> str:
    """Say how a mean DSC went, after rounding, so that words and figures agree."""
    reached = f"{_value(after, test_set, 'dsc_mean'):.2f}"
    if before is None or test_set not in before.index:
        return f"is {reached}"
    began = f"{_value(before, test_set, 'dsc_mean'):.2f}"
    if began == reached:
        return f"stayed at {reached}"
    return f"{'rose' if reached > began else 'fell'} from {began} to {reached}"


def _peak(curve: pd.DataFrame) -> str:
    """Say so where the pooled mean was higher with fewer cases, so that the ends do not hide the way."""
    pooled = curve[curve["test_set"] == "pooled"]
    means = pooled["dsc_mean"].round(2).to_numpy()
    if means.max() == means[-1]:
        return ""
    return f"; it was highest, {means.max():.2f}, with {pooled['target_cases'].iloc[means.argmax()]}"


def _value(rows: pd.DataFrame, test_set: str, column: str) -> float:
    return float(rows[column].to_dict()[test_set])


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
