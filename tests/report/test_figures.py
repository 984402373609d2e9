from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

from uteroseg.report.figures import COLOURS, _apart, learning_curve
from uteroseg.results.experiment import read_experiment
from uteroseg.results.summary import summarise


@pytest.fixture(scope="module")
def summary(experiment: Path) -> pd.DataFrame:
    return summarise(read_experiment(experiment).cases)


def texts(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip()
        for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_the_figure_names_its_axes_cohorts_and_sizes(summary: pd.DataFrame) -> None:
    svg = learning_curve(summary, source_cohort="cervical", target_cohort="uterine")
    shown = texts(svg)
    assert {"0", "2", "5", "13", "Mean DSC (95 % interval)"} <= set(shown)
    assert any(text.startswith("Annotated uterine cases") for text in shown)
    for name in ("cervical", "uterine", "pooled"):
        assert any(text.startswith(f"{name} 0.") for text in shown)
    assert all(colour.lower() in svg for colour in COLOURS.values())


def test_the_figure_is_an_inline_element_that_scales_and_is_described(summary: pd.DataFrame) -> None:
    svg = learning_curve(summary)
    root = ET.fromstring(svg)
    assert svg.startswith("<svg ")
    assert root.get("role") == "img"
    assert root.get("viewBox")
    assert root.get("width") is None
    assert "Mean DSC by number of annotated target cases" in svg


def test_the_same_summary_gives_the_same_figure(summary: pd.DataFrame) -> None:
    assert learning_curve(summary) == learning_curve(summary.copy())


def test_each_strategy_has_a_panel(summary: pd.DataFrame) -> None:
    other = summary[summary["target_cases"] > 0].assign(strategy="all_layers")
    shown = texts(learning_curve(pd.concat([summary, other])))
    assert {"Strategy: early_encoder", "Strategy: all_layers"} <= set(shown)


def test_a_single_number_of_cases_can_be_drawn(summary: pd.DataFrame) -> None:
    assert "13" in texts(learning_curve(summary[summary["target_cases"] == 13]))


def test_names_are_written_as_they_are(summary: pd.DataFrame) -> None:
    assert "$x^2$ <b> 0." in " ".join(texts(learning_curve(summary, source_cohort="$x^2$ <b>")))


def test_labels_that_would_overlap_are_moved_apart_in_their_order() -> None:
    moved = _apart({"a": 0.70, "b": 0.71, "c": 0.69})
    assert moved["c"] < moved["a"] < moved["b"]
    assert min(moved["b"] - moved["a"], moved["a"] - moved["c"]) > 0.055
    assert all(0 < height < 1 for height in _apart({"a": 0.0, "b": 0.0, "c": 0.0}).values())
    assert all(0 < height < 1 for height in _apart({"a": 1.0, "b": 1.0, "c": 1.0}).values())
