from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.grid import curves
from uteroseg.experiment.records import read_experiment
from uteroseg.experiment.report.figures import COLOURS, curve_drawings
from uteroseg.experiment.report.strategies import StrategySet
from uteroseg.experiment.summary import summarise


@pytest.fixture(scope="module")
def summary(experiment: Path) -> pd.DataFrame:
    return summarise(read_experiment(experiment).cases)


def drawn(summary: pd.DataFrame, source: str = "cervical") -> str:
    strategies = StrategySet.of(curves(summary), [])
    (drawing,) = curve_drawings(summary, strategies, source_cohort=source, target_cohort="uterine")
    return drawing.svg


def texts(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip() for node in ET.fromstring(svg).iter() if node.tag.endswith("text")
    ]


def test_one_strategy_is_drawn_on_each_test_set(summary: pd.DataFrame) -> None:
    svg = drawn(summary)
    shown = texts(svg)
    assert {"0", "2", "5", "13", "Mean DSC (95 % interval)"} <= set(shown)
    assert any(text.startswith("Annotated uterine cases") for text in shown)
    for name in ("cervical", "uterine", "pooled"):
        assert any(text.startswith(f"{name} 0.") for text in shown)
    assert all(colour.lower() in svg for colour in COLOURS.values())
    assert "Mean DSC by number of annotated target cases" in svg


def test_several_strategies_have_a_panel_for_each_test_set(analysis: Analysis) -> None:
    svg = drawn(analysis.summary)
    shown = texts(svg)
    assert {"Pooled (both cohorts)", "Uterine test patients", "Cervical test patients"} <= set(shown)
    assert {"all", "encoder-early", "joint", "default"} <= set(shown)


def test_more_than_six_strategies_are_pale_and_named(summary: pd.DataFrame) -> None:
    adapted = summary[summary["target_cases"] > 0]
    many = pd.concat([summary, *(adapted.assign(strategy=f"s{number}") for number in range(8))])
    assert any(text.startswith("Pale, without intervals: ") for text in texts(drawn(many)))


def test_the_same_summary_gives_the_same_figure(summary: pd.DataFrame) -> None:
    assert drawn(summary) == drawn(summary.copy())


def test_a_single_number_of_cases_and_any_name_can_be_drawn(summary: pd.DataFrame) -> None:
    assert "13" in texts(drawn(summary[summary["target_cases"] == 13]))
    assert "$x^2$ <b> 0." in " ".join(texts(drawn(summary, "$x^2$ <b>")))
