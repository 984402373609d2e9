from __future__ import annotations

from uteroseg.experiment.records import Experiment
from uteroseg.experiment.report.making import budget, common, hours, how_made, network


def test_what_ran_on_what_and_how_long_is_summed_up(several: Experiment) -> None:
    records = [run.record for run in several.runs]
    made = how_made(records)
    assert made.runs == 2 * (1 + 4 * 5)
    by_name = {row.strategy: row for row in made.strategies}
    assert (by_name["joint"].runs, by_name["joint"].sizes, by_name["joint"].seeds) == (
        10,
        "5, 13, 26, 128, 256",
        2,
    )
    assert (by_name["joint"].steps, by_name["all"].steps, by_name["source"].steps) == ("450", "100", "350")
    assert made.total == hours(sum(sum(record.seconds.values()) for record in records))
    assert made.machines == ("Intel Xeon, 2 cores, 8 GB, no GPU",)
    assert "torch 2.11.0" in made.versions


def test_the_budget_is_said_to_be_the_same_only_where_it_is(several: Experiment) -> None:
    records = [run.record for run in several.runs]
    assert budget(records) == (
        "Every run of a strategy has the same number of optimiser steps, however many cases it "
        "has: source model 350; "
        "all, default, encoder-early 100; joint 450 (as many as the source model and an adaptation "
        "together where it "
        "begins anew)."
    )
    longer = [r.model_copy(update={"steps": 120}) if r.target_cases == 5 else r for r in records]
    assert budget(longer).startswith("Runs of one strategy differ")
    assert budget([r.model_copy(update={"steps": 0}) for r in records]) == ""


def test_settings_that_differ_or_are_missing_are_not_told(several: Experiment) -> None:
    records = [run.record for run in several.runs]
    assert network(records).startswith(
        "DeepLabV3Plus, encoder tf_efficientnet_lite0; 2-D sagittal slices of 80 × 80"
    )
    assert common(records, "seed") is None
    assert network([record.model_copy(update={"settings": {}}) for record in records]) == ""


def test_durations_have_the_unit_that_suits() -> None:
    assert [hours(seconds) for seconds in (45, 600, 7200)] == ["45 s", "10 min", "2.0 h"]
