"""Make single runs."""

from __future__ import annotations

import errno
import shutil
import time
import traceback
from pathlib import Path
from typing import Any

from uteroseg.errors import UserError
from uteroseg.experiment.capacity import machine
from uteroseg.experiment.cohorts import ROLES, OnProgress, open_cohorts
from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.evaluate import draw_overlays, evaluate_run
from uteroseg.experiment.plan import PlannedRun
from uteroseg.experiment.records import CASES_FILE, RUN_FILE, RunRecord, write_cases, write_run
from uteroseg.experiment.results import run_folder
from uteroseg.experiment.tasks import Failure, Task, drop_model, is_model
from uteroseg.model.folder import read_card
from uteroseg.model.spec import ModelCard
from uteroseg.training.fit import CHECKPOINT
from uteroseg.training.train import adapt, train


class Performer:
    """Makes an experiment's runs, one after the other.

    Parameters
    ----------
    config : ExperimentConfig
    directory : Path
    on_progress : callable
    """

    def __init__(self, config: ExperimentConfig, directory: Path, on_progress: OnProgress) -> None:
        self._config, self._directory, self._on_progress = config, directory, on_progress
        self._cohorts = open_cohorts(config, directory)

    def attempt(self, task: Task) -> Failure | None:
        """Make a run; what went wrong, if anything did."""
        run, title = task.planned.run, str(task.planned)
        try:
            self.perform(task)
        except UserError as error:
            return Failure(run=run, title=title, error=str(error))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
            return Failure(
                run=run, title=title, error=str(error), traceback=traceback.format_exc(), disk_full=full
            )
        except Exception as error:  # whatever it is, the other runs go on
            message = f"{type(error).__name__}: {error}"
            return Failure(run=run, title=title, error=message, traceback=traceback.format_exc())
        return None

    def perform(self, task: Task) -> None:
        """Train, evaluate and record a run; ``run.json``, written last, says that it is finished."""
        planned = task.planned
        folder = planned.folder(self._directory)
        folder.mkdir(parents=True, exist_ok=True)
        if not task.only_model:
            for left in ("predictions", "overlays"):
                shutil.rmtree(folder / left, ignore_errors=True)
        for stage in folder.glob(".*"):
            shutil.rmtree(stage, ignore_errors=True) if stage.is_dir() else stage.unlink()
        started = time.monotonic()
        card = self._model(planned, folder / "model")
        if task.only_model:
            return
        trained = time.monotonic()
        rows = self._evaluate(planned, folder)
        write_cases(folder / CASES_FILE, rows)
        overlays = draw_overlays({role: self._cohorts[role].dataset for role in ROLES}, rows, folder)
        record = RunRecord(
            run=planned.run,
            strategy=planned.strategy_name,
            target_cases=planned.target_cases,
            seed=planned.seed,
            source_cohort=self._cohorts["source"].name,
            target_cohort=self._cohorts["target"].name,
            virtual=any(cohort.virtual for cohort in self._cohorts.values()),
            training_cases=card.training.cases,
            seconds={
                "train": max(card.training.seconds, round(trained - started, 1)),
                "evaluate": round(time.monotonic() - trained, 1),
            },
            versions=card.training.software,
            machine=machine(),
            overlays=overlays,
            steps=card.training.steps if planned.steps else 0,
            settings=planned.settings,
            target_patients=self._cohorts["target"].patients,
            unannotated_cases=card.training.unannotated_cases,
        )
        write_run(folder / RUN_FILE, record)
        if not self._config.keep_models:
            drop_model(folder, keep_model=planned.is_source)

    def _model(self, planned: PlannedRun, model: Path) -> ModelCard:
        """The run's model, which a killed run may have made already or begun."""
        workspace = model.with_name(f"{model.name}.training")
        if is_model(model):
            shutil.rmtree(workspace, ignore_errors=True)
            return read_card(model)
        shutil.rmtree(model, ignore_errors=True)
        if not (workspace / CHECKPOINT).is_file():
            return self._train(planned, model)
        try:
            return self._train(planned, model)
        except UserError:  # the checkpoint may be broken, or of a source model that was made elsewhere
            shutil.rmtree(workspace, ignore_errors=True)
            return self._train(planned, model)

    def _train(self, planned: PlannedRun, model: Path) -> ModelCard:
        config, source, target = self._config, self._cohorts["source"], self._cohorts["target"]
        if planned.strategy is None:
            return train(
                source.dataset,
                [source.name],
                model,
                spec=config.spec,
                recipe=config.budget.source,
                seed=planned.seed,
                imagenet=config.imagenet,
                on_progress=self._on_progress,
            )
        return adapt(
            target.dataset,
            target.name,
            model,
            cases=planned.target_cases,
            source=run_folder(self._directory, planned.source) / "model",
            strategy=planned.strategy,
            source_cases=(source.dataset, source.name),
            recipe=config.budget.adapt,
            seed=planned.seed,
            on_progress=self._on_progress,
        )

    def _evaluate(self, planned: PlannedRun, folder: Path) -> list[dict[str, Any]]:
        """The rows of ``cases.csv``."""
        about = {
            "run": planned.run,
            "strategy": planned.strategy_name,
            "target_cases": planned.target_cases,
            "seed": planned.seed,
        }
        total = sum(len(cohort.test) for cohort in self._cohorts.values())
        rows: list[dict[str, Any]] = []
        for role, cohort in self._cohorts.items():
            before = len(rows)

            def on_case(done: int, before: int = before) -> None:
                self._on_progress("test cases", before + done, total, "")

            found = evaluate_run(
                cohort.dataset, cohort.test, folder, on_case, predictions=f"predictions/{role}"
            )
            rows += [{**about, "test_set": role, **row} for row in found]
        return rows
