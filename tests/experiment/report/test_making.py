from __future__ import annotations

from uteroseg.experiment.report.blocks import Definitions
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.making import budget, common, hours, made, network

from .sections import note_of, with_records


def test_what_ran_on_what_and_how_long_is_summed_up(several: Context) -> None:
    section = made(several)
    by_strategy, _, every, facts = section.blocks
    rows = {row[0].text: [cell.text for cell in row[1:5]] for row in by_strategy.groups[0].rows}  # type: ignore[union-attr]
    assert rows["joint"] == ["10", "5, 13, 26, 128, 256", "2", "450"]
    assert (rows["all"][3], rows["source"][3]) == ("100", "350")
    total = hours(sum(sum(record.seconds.values()) for record in several.records))
    assert note_of(section).startswith(f"{2 * (1 + 4 * 5)} runs, {total} of work in all. Every run of")
    assert len(every.table.groups[0].rows) == len(section.files["runs"]) == len(several.records)  # type: ignore[union-attr]
    assert isinstance(facts, Definitions)
    told = dict(facts.items)
    assert told["Machine"] == "Intel Xeon, 2 cores, 8 GB, no GPU"
    assert "torch 2.11.0" in told["Versions"]
    assert note_of(made(with_records(several, steps=0))).endswith("steps was not recorded.")


def test_the_budget_is_said_to_be_the_same_only_where_it_is(several: Context) -> None:
    records = several.records
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


def test_settings_that_differ_or_are_missing_are_not_told(several: Context) -> None:
    records = several.records
    assert network(records).startswith(
        "DeepLabV3Plus, encoder tf_efficientnet_lite0; 2-D sagittal slices of 80 × 80"
    )
    assert common(records, "seed") is None
    assert network([record.model_copy(update={"settings": {}}) for record in records]) == ""


def test_durations_have_the_unit_that_suits() -> None:
    assert [hours(seconds) for seconds in (45, 600, 7200)] == ["45 s", "10 min", "2.0 h"]
