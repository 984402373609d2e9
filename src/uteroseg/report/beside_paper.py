"""The paper's numbers beside an experiment's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from uteroseg.report import paper
from uteroseg.report.paper import Reported
from uteroseg.report.strategies import ALL, DEFAULT, StrategySet
from uteroseg.report.wording import interval
from uteroseg.results.grid import curves


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
    matched = [(n, reported) for n in sizes if (reported := paper.matching(n, available))]
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
    if paper.same_cohorts((source_cohort, target_cohort)):
        return "Different data: other patients, other scanners, other annotators."
    return (
        f"Different data, and other tumours: there from cervical to uterine, here from {source_cohort} to "
        f"{target_cohort}."
    )
