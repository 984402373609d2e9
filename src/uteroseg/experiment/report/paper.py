"""What the paper reports beside an experiment's own numbers: other data, never the same patients.

References
----------
Lin et al., Insights into Imaging 2023;14:14, doi 10.1186/s13244-022-01356-8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from uteroseg.experiment.grid import curves
from uteroseg.experiment.report.strategies import ALL, DEFAULT, StrategySet
from uteroseg.experiment.report.words import interval

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


@dataclass(frozen=True)
class PaperRow:
    """A number of target cases: the paper's model, and ours with each strategy as (mean, interval)."""

    cases: int
    reported: Reported
    ours: tuple[tuple[str, str] | None, ...]


@dataclass(frozen=True)
class BesidePaper:
    """The comparison.

    Parameters
    ----------
    strategies : tuple of str
        Of ours, a column each.
    rows : tuple of PaperRow
    ours_source : str
        What training together with every case reaches here on the source test set; empty where there is none.
    label : str
        That these are different data.
    """

    strategies: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    ours_source: str
    label: str


def beside_paper(
    summary: pd.DataFrame,
    strategies: StrategySet,
    *,
    source_cohort: str,
    target_cohort: str,
    virtual: bool,
    available: int | None,
) -> BesidePaper | None:
    """Put the paper's numbers beside ours, where the shares of the target cases are the same.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    strategies : StrategySet
    source_cohort, target_cohort : str
    virtual : bool
    available : int, optional
        Target patients that there are to train on; where that is not known, numbers of cases are matched.

    Returns
    -------
    BesidePaper, optional
        None where no number of target cases but 0 has its like in the paper.
    """
    own = curves(summary)
    shown = _shown(strategies, own)
    pooled = {name: _at(own[name], "pooled") for name in shown}
    sizes = sorted({size for found in pooled.values() for size in found})
    matched = [(n, reported) for n in sizes if (reported := matching(n, available))]
    if not any(n for n, _ in matched):
        return None
    rows = tuple(
        PaperRow(n, reported, tuple(pooled[name].get(n) for name in shown)) for n, reported in matched
    )
    last = next((n for n, reported in reversed(matched) if reported.joint), None)
    joint = next((name for name in strategies.joint if name in own), None)
    source = _at(own[joint], "source").get(last) if joint and last else None
    return BesidePaper(
        strategies=shown,
        rows=rows,
        ours_source=source[0] if source else "",
        label=_label(source_cohort, target_cohort, virtual=virtual),
    )


def _shown(strategies: StrategySet, own: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """The strategies nearest to what the paper did, and ours; the first four where none is named so."""
    asked = [strategies.early, ALL, DEFAULT, *strategies.joint]
    chosen = tuple(dict.fromkeys(name for name in asked if name is not None and name in own))
    return chosen or tuple(own)[:4]


def _at(curve: pd.DataFrame, test_set: str) -> dict[int, tuple[str, str]]:
    return {
        int(row["target_cases"]): (
            f"{row['dsc_mean']:.2f}",
            interval(row["dsc_low"], row["dsc_high"], row["dsc_interval"]),
        )
        for row in curve[curve["test_set"] == test_set].to_dict("records")
    }


def _label(source_cohort: str, target_cohort: str, *, virtual: bool) -> str:
    if virtual:
        return (
            "Different data: the paper’s patients are real, ours are virtual, calibrated to published "
            "values. Ours show whether the shape is alike; they never reproduce a clinical result."
        )
    if same_cohorts((source_cohort, target_cohort)):
        return "Different data: other patients, other scanners, other annotators."
    return (
        f"Different data, and other tumours: there from cervical to uterine, here from {source_cohort} to "
        f"{target_cohort}."
    )
