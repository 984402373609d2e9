"""What ran, on what machine, how long, and with how many optimiser steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uteroseg.report.settings import budget, hours, network, recipe, start
from uteroseg.results.runs import RunRecord


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
