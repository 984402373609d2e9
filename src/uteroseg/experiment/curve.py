"""The learning curve: a source model, and its adaptations with more and more target cases.

Each run is made once: its folder is named by a hash of its settings, its data and ``RECIPE_VERSION``, and
``run.json``, written last, says that it is finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uteroseg.dataset.store import Dataset
from uteroseg.experiment.evaluate import draw_overlays, evaluate_run
from uteroseg.model.spec import ModelCard, ModelSpec
from uteroseg.results.cases import write_cases
from uteroseg.results.runs import RunRecord, read_run, write_run
from uteroseg.training.fit import Recipe
from uteroseg.training.strategy import Strategy
from uteroseg.training.train import adapt, choose_cases, train

RECIPE_VERSION = 1
"""Raised by hand when training changes, so that runs made before are made again."""

SOURCE = "source"

OnProgress = Callable[[str, int, int, str], None]
"""Told what is being done, how much of it is done, how much there is, and a note."""


@dataclass(frozen=True)
class CurveSettings:
    """A learning curve.

    Parameters
    ----------
    source_cohort, target_cohort : str
    target_cases : tuple of int
        Ascending; 0 is the source model itself.
    strategy : Strategy
    spec : ModelSpec
    train_recipe, adapt_recipe : Recipe
    seed : int
    """

    source_cohort: str
    target_cohort: str
    target_cases: tuple[int, ...]
    strategy: Strategy
    spec: ModelSpec
    train_recipe: Recipe
    adapt_recipe: Recipe
    seed: int


class LearningCurve:
    """The runs of a learning curve in an experiment's folder.

    Parameters
    ----------
    dataset : Dataset
    settings : CurveSettings
    directory : Path
    on_progress : callable

    Raises
    ------
    UserError
        If a cohort, split, mask or number of cases is not there.
    """

    def __init__(
        self, dataset: Dataset, settings: CurveSettings, directory: Path, on_progress: OnProgress
    ) -> None:
        self.dataset, self.settings, self.directory = dataset, settings, directory
        self._on_progress = on_progress
        self._fingerprint = dataset.fingerprint()
        self._test = {
            "source": dataset.annotated_cases(settings.source_cohort, "test"),
            "target": dataset.annotated_cases(settings.target_cohort, "test"),
        }
        dataset.annotated_cases(settings.source_cohort, "train")
        choose_cases(dataset, settings.target_cohort, max(1, *settings.target_cases), seed=settings.seed)

    def folder(self, size: int) -> Path:
        """The folder of the run with this many target cases."""
        s = self.settings
        values: dict[str, Any] = {
            "recipe_version": RECIPE_VERSION,
            "data": self._fingerprint,
            "cohorts": [s.source_cohort, s.target_cohort],
            "spec": s.spec.model_dump(mode="json"),
            "train": asdict(s.train_recipe),
            "seed": s.seed,
        }
        if size:
            values |= {"strategy": asdict(s.strategy), "adapt": asdict(s.adapt_recipe), "cases": size}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        return self.directory / "runs" / digest

    def run(self, size: int) -> RunRecord:
        """Make a run, unless it is finished; the source model must have been made before."""
        folder = self.folder(size)
        if (folder / "run.json").is_file():
            return read_run(folder / "run.json")
        if folder.exists():
            shutil.rmtree(folder)  # what a killed run left
        folder.mkdir(parents=True)
        started = time.monotonic()
        card = self._make_model(size, folder)
        trained = time.monotonic()
        rows = self._evaluate(size, folder)
        record = RunRecord(
            run=folder.name,
            strategy=self._strategy(size),
            target_cases=size,
            seed=self.settings.seed,
            source_cohort=self.settings.source_cohort,
            target_cohort=self.settings.target_cohort,
            virtual=any(p.source == "virtual" for p in self.dataset.participants.values()),
            training_cases=card.training.cases,
            seconds={
                "train": round(trained - started, 1),
                "evaluate": round(time.monotonic() - trained, 1),
            },
            versions=card.training.software,
            machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            overlays=draw_overlays(self.dataset, rows, folder),
        )
        write_run(folder / "run.json", record)
        return record

    def _strategy(self, size: int) -> str:
        return self.settings.strategy.name if size else SOURCE

    def _make_model(self, size: int, folder: Path) -> ModelCard:
        s = self.settings
        recipe = s.adapt_recipe if size else s.train_recipe

        def on_step(step: int, loss: float) -> None:
            self._on_progress("training steps", step, recipe.steps, f"loss {loss:.2f}")

        model = folder / "model"
        if not size:
            return train(
                self.dataset,
                [s.source_cohort],
                model,
                spec=s.spec,
                recipe=recipe,
                seed=s.seed,
                on_step=on_step,
            )
        return adapt(
            self.dataset,
            s.target_cohort,
            model,
            cases=size,
            source=self.folder(0) / "model",
            strategy=s.strategy,
            recipe=recipe,
            seed=s.seed,
            on_step=on_step,
        )

    def _evaluate(self, size: int, folder: Path) -> list[dict[str, Any]]:
        """Write ``cases.csv`` and give its rows without what is the same in all of them."""
        sets = {str(case): name for name, members in self._test.items() for case in members}
        cases = [case for members in self._test.values() for case in members]
        rows = evaluate_run(
            self.dataset,
            cases,
            folder,
            lambda done: self._on_progress("test cases", done, len(cases), ""),
        )
        about = {
            "run": folder.name,
            "strategy": self._strategy(size),
            "target_cases": size,
            "seed": self.settings.seed,
        }
        write_cases(folder / "cases.csv", [{**about, "test_set": sets[row["case"]], **row} for row in rows])
        return rows
