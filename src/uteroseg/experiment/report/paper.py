"""What the paper reports beside an experiment's own numbers: other data, never the same patients.

References
----------
Lin et al., Insights into Imaging 2023;14:14, doi 10.1186/s13244-022-01356-8.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from uteroseg.experiment.report.blocks import Cell, Group, Head, Note, Section, Table
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import capital, interval

SOURCE = "Lin et al., Insights into Imaging 2023;14:14"
DOI = "10.1186/s13244-022-01356-8"
SOURCE_COHORT, TARGET_COHORT = "cervical", "uterine"
TRAINING = {SOURCE_COHORT: 144, TARGET_COHORT: 256}
TEST = {SOURCE_COHORT: 25, TARGET_COHORT: 64}
EARLY_BEST = "fine-tuning the early encoder layers was better than fine-tuning others"
CROSSOVER = (
    "with half of the cases transfer learning was still ahead, with all of them training together was best"
)


@dataclass(frozen=True)
class Reported:
    """One model of the paper.

    Parameters
    ----------
    cases : int
        Annotated uterine cases that it was trained with.
    share : float
        Of the 256 that there were.
    pooled : float
        Mean DSC over the test patients of both cohorts.
    source : float, optional
        Mean DSC over the cervical ones; None where the paper gives none.
    joint : bool
        Trained on both cohorts together, not adapted.
    note : str
    """

    cases: int
    share: float
    pooled: float
    source: float | None = None
    joint: bool = False
    note: str = ""


REPORTED = (
    Reported(0, 0.0, 0.43),
    Reported(5, 0.02, 0.57, note="p < 0.001 against none"),
    Reported(13, 0.05, 0.62, note="p < 0.001 against none"),
    Reported(26, 0.10, 0.68, note="p < 0.001 against none"),
    Reported(51, 0.20, 0.70, note="p < 0.001 against none"),
    Reported(128, 0.50, 0.71, note="the crossover"),
    Reported(256, 1.00, 0.81, source=0.91, joint=True, note="training together"),
)


def matching(cases: int, available: int | None) -> Reported | None:
    """The paper's model with the same share of the target cases, or where that is not known the same number.

    Parameters
    ----------
    cases : int
        Target cases of a model.
    available : int, optional
        Target patients that there are to train on.
    """
    for reported in REPORTED:
        if cases == 0 or reported.cases == 0:
            if cases == reported.cases:
                return reported
        elif available is not None:
            if cases == max(round(reported.share * available), 1):
                return reported
        elif cases == reported.cases:
            return reported
    return None


def same_cohorts(cohorts: Collection[str]) -> bool:
    """Whether an experiment's cohorts are of the paper's kind."""
    return set(cohorts) == {SOURCE_COHORT, TARGET_COHORT}


def beside_paper(context: Context) -> Section:
    """The paper's numbers beside ours, where the shares of the target cases are the same."""
    title = "Beside the paper"
    shown = _shown(context)
    pooled = {name: _at(context.curves[name], "pooled") for name in shown}
    sizes = sorted({size for found in pooled.values() for size in found})
    available = context.experiment.target_patients
    matched = [(n, reported) for n in sizes if (reported := matching(n, available))]
    if not any(n for n, _ in matched):
        return Section(title)
    rows = tuple(
        (Cell(str(n)), *_of_paper(reported), *(pooled[name].get(n, Cell()) for name in shown))
        for n, reported in matched
    )
    heads = (
        (
            Head(f"{capital(context.target)} cases here", rows=2),
            Head("The paper, pooled", kind="group", columns=2),
            Head("Here, pooled", kind="group", columns=len(shown)),
        ),
        (Head("Cases"), Head("DSC"), *map(Head, shown)),
    )
    last = next((n for n, reported in reversed(matched) if reported.joint), None)
    joint = context.joint[0] if context.joint else None
    ours = _at(context.curves[joint], "source").get(last) if joint and last else None
    note = (
        f"{SOURCE}, doi {DOI}: {TRAINING['cervical']} cervical and up to {TRAINING['uterine']} uterine "
        f"patients to train on, {TEST['cervical']} and {TEST['uterine']} to test on. It found that "
        f"{EARLY_BEST}, and that {CROSSOVER}; trained together, the cervical patients reached "
        f"{REPORTED[-1].source:.2f}{f' ({ours.text} here)' if ours else ''}."
    )
    return Section(
        title,
        (Note(_label(context), style="different"), Table("paper", heads, (Group(rows),)), Note(note)),
        style="paper-beside",
    )


def _of_paper(reported: Reported) -> tuple[Cell, Cell]:
    share = f" ({100 * reported.share:.0f} %)" if reported.cases else ""
    small = (reported.note,) if reported.note else ()
    return Cell(f"{reported.cases}{share}"), Cell(f"{reported.pooled:.2f}", small)


def _shown(context: Context) -> tuple[str, ...]:
    """The strategies nearest to what the paper did, and ours; the first four where none is named so."""
    asked = [context.early, "all", "default", *context.joint]
    chosen = tuple(dict.fromkeys(name for name in asked if name is not None and name in context.curves))
    return chosen or tuple(context.curves)[:4]


def _at(curve: pd.DataFrame, test_set: str) -> dict[int, Cell]:
    return {
        int(row["target_cases"]): Cell(
            f"{row['dsc_mean']:.2f}", (interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"]),)
        )
        for row in curve[curve["test_set"] == test_set].to_dict("records")
    }


def _label(context: Context) -> str:
    """That these are different data."""
    if context.experiment.virtual:
        return (
            "Different data: the paper’s patients are real, ours are virtual, calibrated to published "
            "values. Ours show whether the shape is alike; they never reproduce a clinical result."
        )
    if same_cohorts((context.source, context.target)):
        return "Different data: other patients, other scanners, other annotators."
    return (
        f"Different data, and other tumours: there from cervical to uterine, here from {context.source} to "
        f"{context.target}."
    )
