"""Which runs an experiment has, and where each lies: a folder named by a hash of all that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from uteroseg.errors import UserError
from uteroseg.experiment.cohorts import Role
from uteroseg.experiment.config import SOURCE, ExperimentConfig
from uteroseg.experiment.records import RUN_FILE, read_run
from uteroseg.experiment.results import finished_folders, is_finished, run_folder
from uteroseg.model.strategy import Strategy

RECIPE_VERSION = 3
"""Raised by hand when training changes, so that runs made before are made again."""


class PlannedRun(BaseModel):
    """A run that an experiment has.

    Parameters
    ----------
    run : str
        A hash of the settings.
    strategy : Strategy, optional
        None for the source model.
    target_cases, seed : int
    steps : int
        Of the optimiser.
    settings : dict
        All that decides the result: recipe, data, cohorts, network, strategy, cases, seed.
    source : str
        The source model's run; of the source model, its own.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    strategy: Strategy | None
    target_cases: int
    seed: int
    steps: int
    settings: dict[str, Any]
    source: str

    @property
    def strategy_name(self) -> str:
        """The strategy as the tables name it."""
        return self.strategy.name if self.strategy else SOURCE

    @property
    def is_source(self) -> bool:
        """Whether it is the source model."""
        return self.run == self.source

    def __str__(self) -> str:
        if self.is_source:
            return f"source model, seed {self.seed}"
        return f"{self.strategy_name}, {self.target_cases} cases, seed {self.seed}"

    def folder(self, directory: Path) -> Path:
        """Where it lies in an experiment's folder."""
        return run_folder(directory, self.run)

    def is_finished(self, directory: Path) -> bool:
        """Whether its record and its table are there."""
        return is_finished(self.folder(directory))


def resolve_sizes(config: ExperimentConfig, patients: int) -> tuple[int, ...]:
    """The numbers of target patients, ascending and without 0.

    Raises
    ------
    UserError
        If there are fewer patients than asked for.
    """
    found = set()
    for number, size in enumerate(config.sizes):
        if isinstance(size, str):
            share = float(size[:-1]) / 100
            found.add(max(round(share * patients), 1 if share else 0))
        elif size > patients:
            raise UserError(
                f"{config.where('sizes', number)}{size} {config.target.cohort} cases are asked for, and "
                f"there are {patients} to train on.",
                expected=f"sizes of at most {patients}.",
                fix="take a smaller size, or add patients to the training split.",
            )
        else:
            found.add(size)
    return tuple(sorted(found - {0}))


def make_plan(
    config: ExperimentConfig, *, patients: int, fingerprints: Mapping[Role, str]
) -> tuple[PlannedRun, ...]:
    """List an experiment's runs: for each seed the source model, then its adaptations by size.

    Parameters
    ----------
    config : ExperimentConfig
    patients : int
        Of the target cohort, to train on.
    fingerprints : mapping
        Of the ``source`` and the ``target`` cohort.
    """
    sizes, budget = resolve_sizes(config, patients), config.budget
    planned = []
    for seed in config.seeds:
        common = {
            "recipe_version": RECIPE_VERSION,
            "data": {str(role): value for role, value in fingerprints.items()},
            "cohorts": [config.source.cohort, config.target.cohort],
            "spec": config.spec.model_dump(mode="json"),
            "imagenet": config.imagenet,
            "train": asdict(budget.source),
            "seed": seed,
        }
        source = _hash(common)
        planned.append(
            PlannedRun(
                run=source,
                strategy=None,
                target_cases=0,
                seed=seed,
                steps=budget.source_steps,
                settings=common,
                source=source,
            )
        )
        for size in sizes:
            for strategy in config.strategies:
                settings = common | {
                    "strategy": strategy.model_dump(mode="json", exclude={"summary"}),
                    "adapt": asdict(budget.adapt),
                    "cases": size,
                }
                planned.append(
                    PlannedRun(
                        run=_hash(settings),
                        strategy=strategy,
                        target_cases=size,
                        seed=seed,
                        steps=_steps(strategy, budget.source_steps, budget.adapt_steps),
                        settings=settings,
                        source=source,
                    )
                )
    return tuple(planned)


def refuse_others(plan: tuple[PlannedRun, ...], directory: Path) -> None:
    """Refuse a folder with finished runs that are not of this experiment.

    Raises
    ------
    UserError
        If there is one; what differs is named.
    """
    own = {planned.run: planned for planned in plan}
    for folder in finished_folders(directory):
        if folder.name in own:
            continue
        record = read_run(folder / RUN_FILE)
        cell = (record.strategy, record.target_cases, record.seed)
        like = [p for p in plan if (p.strategy_name, p.target_cases, p.seed) == cell]
        settings = like[0].settings if like else {}
        changed = [key for key in settings if settings[key] != record.settings.get(key)]
        difference = ", ".join(
            f"{key} was {_short(record.settings.get(key))}, is {_short(settings[key])}" for key in changed
        )
        raise UserError(
            f"{folder} holds a finished run ({cell[0]}, {cell[1]} cases, seed {cell[2]}) that is not of this "
            f"experiment{f': {difference}' if difference else ''}.",
            expected="runs of these settings, these patients and this version of training alone.",
            fix="choose another folder, or move that run away.",
        )


def _steps(strategy: Strategy, source: int, adapt: int) -> int:
    if not strategy.trains:
        return 0
    return source + adapt if strategy.start == "beginning" else adapt


def _hash(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]} …"
