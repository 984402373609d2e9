"""The sections on how it was measured and made: network, recipe, steps, machines, time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT
from uteroseg.experiment.records import RunRecord
from uteroseg.experiment.report.blocks import (
    Cell,
    Definitions,
    Folded,
    Group,
    Head,
    Note,
    Section,
    Table,
)
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import capital, counted

_CHANNELS = {"b0": "b 0 (or the lowest b)", "b1000": "b 1000", "adc": "ADC"}


def common(records: Iterable[RunRecord], *keys: str) -> Any:
    """A setting that is the same in every run that recorded it; None where there is none such.

    Parameters
    ----------
    records : iterable of RunRecord
    *keys : str
        Where it lies in ``settings``.
    """
    found: list[Any] = []
    for record in records:
        value: Any = record.settings
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and value not in found:
            found.append(value)
    return found[0] if len(found) == 1 else None


def network(records: Sequence[RunRecord]) -> str:
    """The network and what it sees; empty where it was not recorded."""
    spec = common(records, "spec")
    if not isinstance(spec, Mapping) or not {"architecture", "encoder", "matrix", "spacing_mm"} <= set(spec):
        return ""
    channels = [_CHANNELS.get(name, str(name)) for name in spec.get("channels", ())]
    seen = f"; channels {', '.join(channels)}" if channels else ""
    height, width = spec["matrix"]
    plane = f"{spec['plane']} " if spec.get("plane") else ""
    return (
        f"{spec['architecture']}, encoder {str(spec['encoder']).removeprefix('tu-')}; 2-D {plane}slices of "
        f"{height} × {width} at {spec['spacing_mm']:g} mm{seen}"
    )


def start(records: Sequence[RunRecord]) -> str:
    """What the weights begin with; empty where it was not recorded."""
    imagenet = common(records, "imagenet")
    if imagenet is None:
        return ""
    encoder = "ImageNet weights in the encoder" if imagenet else "random weights"
    return f"The source model begins with {encoder}; adaptations begin with the source model of their seed."


def recipe(records: Sequence[RunRecord]) -> str:
    """Batch, optimiser and rates; empty where they were not recorded."""
    train, adapt = common(records, "train"), common(records, "adapt")
    if not isinstance(train, Mapping) or "batch_size" not in train:
        return ""
    rates = [f"{train['learning_rate']:g} for the source model"] if "learning_rate" in train else []
    if isinstance(adapt, Mapping) and "learning_rate" in adapt:
        rates.append(f"{adapt['learning_rate']:g} for an adaptation")
    said = f"AdamW, {train['batch_size']} slices a batch"
    if rates:
        said += f", learning rate {' and '.join(rates)}"
    if "weight_decay" in train:
        said += f", weight decay {train['weight_decay']:g}"
    if "ema" in train:
        said += f", moving average of the weights with decay {train['ema']:g}"
    return said + "."


def budget(records: Sequence[RunRecord], source_runs: str = "source") -> str:
    """How many optimiser steps the runs made, and whether that was the same however many cases they had.

    Parameters
    ----------
    records : sequence of RunRecord
    source_runs : str
        The strategy of the source models.

    Returns
    -------
    str
        Empty where steps were not recorded.
    """
    steps: dict[str, set[int]] = {}
    for record in records:
        if record.steps:
            steps.setdefault(record.strategy, set()).add(record.steps)
    if not steps:
        return ""
    own = steps.pop(source_runs, set())
    said = [f"source model {_numbers(own)}"] if own else []
    by_steps: dict[tuple[int, ...], list[str]] = {}
    for name, numbers in sorted(steps.items()):
        by_steps.setdefault(tuple(sorted(numbers)), []).append(name)
    for numbers_of, names in sorted(by_steps.items()):
        said.append(f"{', '.join(names)} {_numbers(numbers_of)}")
    same = all(len(numbers) == 1 for numbers in steps.values())
    begin = (
        "Every run of a strategy has the same number of optimiser steps, however many cases it has"
        if same
        else "Runs of one strategy differ in their number of optimiser steps"
    )
    together = len(own) == 1 and (sum(own) + min(map(min, steps.values()), default=0)) in {
        number for numbers in steps.values() for number in numbers
    }
    tail = (
        " (as many as the source model and an adaptation together where it begins anew)" if together else ""
    )
    return f"{begin}: {'; '.join(said)}{tail}."


def hours(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _numbers(numbers: Iterable[int]) -> str:
    listed = sorted(numbers)
    if len(listed) == 1:
        return f"{listed[0]:,}"
    return f"{listed[0]:,} to {listed[-1]:,}"


def measured(context: Context) -> Section:
    """What the measures are, and the rules for empty masks, intervals and tests."""
    analysis = context.analysis
    compared = analysis.added_cases.rule or analysis.between.rule
    return Section(
        "How it was measured",
        (
            Definitions(
                (
                    (
                        "DSC",
                        "Dice similarity coefficient, 2 · |prediction ∩ truth| / (|prediction| + |truth|), "
                        "in three dimensions on the study’s own grid: 1 is perfect, 0 is no overlap.",
                    ),
                    (
                        "Sensitivity, PPV",
                        "Share of the truth that was found, and share of the prediction that is right "
                        "(positive predictive value), by voxels.",
                    ),
                    ("Empty masks", EMPTY_RULE),
                    ("Patients", UNIT),
                    ("Intervals", analysis.intervals),
                    ("Comparisons", analysis.comparison_rule if compared else ""),
                )
            ),
        ),
    )


def made(context: Context) -> Section:
    """What ran, on what machine, how long, and with how many optimiser steps."""
    records, unfinished = context.records, context.experiment.unfinished
    seconds = sum(sum(record.seconds.values()) for record in records)
    said = [
        f"{counted(len(records), 'run')}, {hours(seconds)} of work in all.",
        budget(records) or "The number of optimiser steps was not recorded.",
    ]
    if unfinished:
        said.append(f"{counted(unfinished, 'unfinished run')} {'is' if unfinished == 1 else 'are'} left out.")
    machines = sorted({record.machine for record in records})
    seen = network(records)
    facts = Definitions(
        (
            ("Network", f"{seen}." if seen else ""),
            ("Training", " ".join(filter(None, (start(records), recipe(records))))),
            (f"Machine{'' if len(machines) == 1 else 's'}", "; ".join(machines)),
            ("Versions", versions(records)),
        )
    )
    blocks = (_by_strategy(context), Note(" ".join(said)), Folded("Every run", _every_run(context)), facts)
    return Section("How it was made", blocks, {"runs": pd.DataFrame([_run_row(one) for one in records])})


def versions(records: Iterable[RunRecord]) -> str:
    """Each package with its version, or versions."""
    found: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            found.setdefault(name, set()).add(version)
    return ", ".join(f"{name} {' and '.join(sorted(several))}" for name, several in sorted(found.items()))


def _by_strategy(context: Context) -> Table:
    runs: dict[str, list[RunRecord]] = {}
    for record in context.records:
        runs.setdefault(record.strategy, []).append(record)
    heads = (
        (
            *(Head(text) for text in ("Strategy", "Runs")),
            Head(f"{capital(context.target)} cases", kind="text"),
            Head("Seeds"),
            Head("Optimiser steps", "each run"),
            Head("A run", "trained and evaluated"),
            Head("All"),
        ),
    )
    return Table("runs", heads, (Group(tuple(_strategy_row(name, own) for name, own in runs.items())),))


def _strategy_row(name: str, runs: Sequence[RunRecord]) -> tuple[Cell, ...]:
    seconds = [sum(record.seconds.values()) for record in runs]
    steps = sorted({record.steps for record in runs if record.steps})
    return (
        Cell(name),
        Cell(str(len(runs))),
        Cell(", ".join(map(str, sorted({record.target_cases for record in runs}))), kind="text"),
        Cell(str(len({record.seed for record in runs}))),
        Cell(_numbers(steps)) if steps else Cell(),
        Cell(hours(sum(seconds) / len(seconds))),
        Cell(hours(sum(seconds))),
    )


def _every_run(context: Context) -> Table:
    trained_on, steps = (
        list(dict.fromkeys(key for record in context.records for key in getattr(record, field)))
        for field in ("training_cases", "seconds")
    )
    heads = (
        (
            Head("Run"),
            Head("Strategy", kind="text"),
            Head(f"{capital(context.target)} cases"),
            Head("Seed"),
            *(Head("Trained on", cohort) for cohort in trained_on),
            *(Head(capital(step), "s") for step in steps),
        ),
    )
    rows = tuple(
        (
            Cell(run.run, kind="code"),
            Cell(run.strategy, kind="text"),
            Cell(str(run.target_cases)),
            Cell(str(run.seed)),
            *(Cell(str(run.training_cases.get(cohort, 0))) for cohort in trained_on),
            *(Cell(f"{run.seconds[step]:.1f}") if step in run.seconds else Cell() for step in steps),
        )
        for run in context.records
    )
    return Table("runs", heads, (Group(rows),))


def _run_row(record: RunRecord) -> dict[str, Any]:
    names = ("run", "strategy", "target_cases", "seed", "source_cohort", "target_cohort", "machine", "steps")
    cases = {f"training_cases_{cohort}": number for cohort, number in record.training_cases.items()}
    seconds = {f"{step}_s": seconds for step, seconds in record.seconds.items()}
    return {**{name: getattr(record, name) for name in names}, **cases, **seconds}
