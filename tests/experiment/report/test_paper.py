from __future__ import annotations

import pandas as pd

from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.grid import curves
from uteroseg.experiment.report.paper import REPORTED, BesidePaper, beside_paper, matching
from uteroseg.experiment.report.strategies import StrategySet


def beside(
    summary: pd.DataFrame, *, virtual: bool = True, available: int | None = 256, **cohorts: str
) -> BesidePaper | None:
    named = {"source_cohort": "cervical", "target_cohort": "uterine"} | cohorts
    return beside_paper(
        summary, StrategySet.of(curves(summary), []), virtual=virtual, available=available, **named
    )


def test_the_paper_s_table_is_what_it_printed() -> None:
    assert [(row.cases, row.pooled) for row in REPORTED] == [
        (0, 0.43), (5, 0.57), (13, 0.62), (26, 0.68), (51, 0.70), (128, 0.71), (256, 0.81)
    ]  # fmt: skip
    assert REPORTED[-1].source == 0.91


def test_ours_stand_beside_the_paper_s_and_are_said_to_be_other_data(analysis: Analysis) -> None:
    found = beside(analysis.summary)
    assert found is not None
    assert found.strategies == ("encoder-early", "all", "default", "joint")
    assert [row.cases for row in found.rows] == [0, 5, 13, 26, 128, 256]
    mean = analysis.summary.set_index(["strategy", "target_cases", "test_set"])["dsc_mean"]
    last = found.rows[-1].ours[3]
    assert last is not None
    assert last[0] == f"{mean['joint', 256, 'pooled']:.2f}"
    assert found.ours_source == f"{mean['joint', 256, 'source']:.2f}"
    assert found.label.startswith("Different data")
    assert "calibrated to" in found.label


def test_real_patients_are_other_patients(analysis: Analysis) -> None:
    real = beside(analysis.summary, virtual=False)
    other = beside(analysis.summary, virtual=False, target_cohort="bladder")
    assert real is not None
    assert other is not None
    assert "virtual" not in real.label
    assert "to bladder" in other.label


def test_shares_are_matched_where_the_number_of_cases_is_known() -> None:
    assert matching(10, 100) == REPORTED[3]
    assert matching(10, None) is None
    assert matching(26, None) == REPORTED[3]
    assert matching(0, 100) == REPORTED[0]


def test_without_the_paper_s_shares_there_is_no_comparison(analysis: Analysis) -> None:
    assert beside(analysis.summary[analysis.summary["target_cases"] == 0]) is None
    assert beside(analysis.summary, available=7) is None
