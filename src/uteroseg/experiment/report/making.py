"""How an experiment was made, in words: network, recipe, steps, machines, time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uteroseg.experiment.records import RunRecord

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


@dataclass(frozen=True)
class StrategyRuns:
    """The runs of one strategy together."""

    strategy: str
    runs: int
    sizes: str
    seeds: int
    steps: str
    mean: str
    total: str


@dataclass(frozen=True)
class Made:
    """How an experiment was made, in words."""

    strategies: tuple[StrategyRuns, ...]
    runs: int
    total: str
    budget: str
    network: str
    training: str
    machines: tuple[str, ...]
    versions: tuple[str, ...]


def how_made(records: Sequence[RunRecord]) -> Made:
    """Sum up the records of an experiment's runs."""
    by_strategy: dict[str, list[RunRecord]] = {}
    for record in records:
        by_strategy.setdefault(record.strategy, []).append(record)
    several: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            several.setdefault(name, set()).add(version)
    return Made(
        strategies=tuple(_strategy(name, runs) for name, runs in by_strategy.items()),
        runs=len(records),
        total=hours(sum(sum(record.seconds.values()) for record in records)),
        budget=budget(records),
        network=network(records),
        training=" ".join(filter(None, (start(records), recipe(records)))),
        machines=tuple(sorted({record.machine for record in records})),
        versions=tuple(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(several.items())),
    )


def _strategy(name: str, runs: Sequence[RunRecord]) -> StrategyRuns:
    seconds = [sum(record.seconds.values()) for record in runs]
    steps = sorted({record.steps for record in runs if record.steps})
    return StrategyRuns(
        strategy=name,
        runs=len(runs),
        sizes=", ".join(str(size) for size in sorted({record.target_cases for record in runs})),
        seeds=len({record.seed for record in runs}),
        steps="–"
        if not steps
        else " to ".join(f"{number:,}" for number in dict.fromkeys((steps[0], steps[-1]))),
        mean=hours(sum(seconds) / len(seconds)),
        total=hours(sum(seconds)),
    )
