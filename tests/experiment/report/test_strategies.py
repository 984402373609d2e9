from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from uteroseg.experiment.records import Experiment
from uteroseg.experiment.report.strategies import StrategySet


def recorded(name: str, **settings: Any) -> SimpleNamespace:
    return SimpleNamespace(
        strategy=name, settings={"strategy": {"start": "source", "trains": ["all"], **settings}}
    )


def test_strategies_are_what_their_runs_recorded(several: Experiment) -> None:
    found = StrategySet.of(("all", "default", "encoder-early", "joint"), [run.record for run in several.runs])
    assert found.layers == ("all", "encoder-early")
    assert found.joint == ("joint",)
    assert found.adapting == ("all", "default", "encoder-early")
    assert found.early == "encoder-early"
    assert found.summary("default") == "every layer, 50 % source cases"
    assert found.summary("joint") == "both cohorts from the beginning"


def test_a_strategy_of_one_s_own_is_told_by_its_settings() -> None:
    records = [recorded("mine", trains=["stem"]), recorded("both", start="beginning", source_share=0.5)]
    found = StrategySet.of(("both", "mine"), records)
    assert (found.layers, found.early, found.joint) == (("mine",), "mine", ("both",))
    assert found.summary("mine") == "stem"


def test_without_a_record_the_name_tells() -> None:
    found = StrategySet(("encoder-early", "joint", "unheard-of"))
    assert (found.layers, found.joint) == (("encoder-early",), ("joint",))
    assert found.summary("unheard-of") == ""


def test_at_most_six_are_highlighted_and_looks_differ() -> None:
    names = (*(f"s{number}" for number in range(8)), "all", "joint")
    found = StrategySet(names)
    bright = found.highlighted({name: place / 10 for place, name in enumerate(names)})
    assert len(bright) == 6
    assert {"all", "joint"} <= set(bright)
    assert len({found.look(name) for name in bright}) == 6
