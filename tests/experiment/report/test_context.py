from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from uteroseg.experiment.report.context import Context

from .sections import with_analysis


def made(*names: str, **recorded: dict[str, Any]) -> Context:
    """Of strategies with these names, and what the runs of some recorded."""
    summary = pd.DataFrame(
        {"strategy": sorted(names), "target_cases": 5, "test_set": "pooled", "dsc_mean": 0.5}
    )
    runs = [
        SimpleNamespace(record=SimpleNamespace(strategy=name, settings={"strategy": settings}))
        for name, settings in recorded.items()
    ]
    return Context(SimpleNamespace(runs=runs), SimpleNamespace(summary=summary))  # type: ignore[arg-type]


def test_strategies_are_what_their_runs_recorded(several: Context) -> None:
    assert several.layers == ("all", "encoder-early")
    assert several.joint == ("joint",)
    assert several.adapting == ("all", "default", "encoder-early")
    assert several.early == "encoder-early"
    said = {name: found.in_words for name, found in several.strategies.items() if found}
    assert said["default"] == "every layer, 50 % source cases"
    assert said["joint"] == "both cohorts from the beginning"


def test_a_strategy_of_one_s_own_is_told_by_its_settings() -> None:
    found = made("both", "mine", both={"start": "beginning", "source_share": 0.5}, mine={"trains": ["stem"]})
    assert (found.layers, found.early, found.joint) == (("mine",), "mine", ("both",))
    mine = found.strategies["mine"]
    assert mine is not None
    assert mine.in_words == "stem"


def test_without_a_record_or_with_one_of_another_version_the_name_tells() -> None:
    found = made("encoder-early", "joint", "unheard-of", joint={"unheard-of": 1})
    assert (found.layers, found.joint) == (("encoder-early",), ("joint",))
    assert found.strategies["unheard-of"] is None
    assert found.adapting == ("encoder-early", "unheard-of")


def test_the_strategy_that_reaches_most_leads(several: Context) -> None:
    pooled = several.summary[several.summary["test_set"] == "pooled"]
    largest = pooled[pooled["target_cases"] == pooled["target_cases"].max()]
    assert several.leading == largest.set_index("strategy")["dsc_mean"].idxmax()
    raised = several.summary.assign(
        dsc_mean=several.summary["dsc_mean"].where(several.summary["strategy"] != "all", 0.99)
    )
    assert with_analysis(several, summary=pd.DataFrame(raised)).leading == "all"
