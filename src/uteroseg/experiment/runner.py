"""Run an experiment: every run that is not finished, side by side, whatever happens to one of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from uteroseg import work
from uteroseg.errors import UserError
from uteroseg.experiment.capacity import Pace, default_workers, has_gpu, machine
from uteroseg.experiment.cohorts import OnProgress, check_cohorts, make_cohorts, open_cohorts
from uteroseg.experiment.config import CONFIG_FILE, ExperimentConfig, differences, load_config, save_config
from uteroseg.experiment.plan import PlannedRun, make_plan, refuse_others, resolve_sizes
from uteroseg.experiment.records import RUN_FILE, read_run
from uteroseg.experiment.results import finished_folders
from uteroseg.experiment.tasks import SINGLE_THREADED, Failure, Task, drop_model, is_model, make_run
from uteroseg.files import write_text

ERROR_NAME = "error.json"


@dataclass
class Standing:
    """How an experiment stands.

    Parameters
    ----------
    planned : tuple of PlannedRun
    made : int
        Runs that were made by this call.
    failures : list of Failure
        Runs that could not be made.
    remaining : int
        Runs that are not finished, those that failed included.
    seconds, work_seconds : float
        Since the first run was begun, times the number of processes; of that, trained and evaluated.
    """

    planned: tuple[PlannedRun, ...]
    made: int = 0
    failures: list[Failure] = field(default_factory=list)
    remaining: int = 0
    seconds: float = 0.0
    work_seconds: float = 0.0


def run_experiment(
    config: ExperimentConfig,
    directory: Path,
    *,
    workers: int | None = None,
    limit_minutes: float | None = None,
    on_progress: OnProgress = lambda what, done, total, note: None,
    on_run: Callable[[str], None] = lambda text: None,
) -> Standing:
    """Make every run of an experiment that is not finished yet.

    The same call goes on after a kill. A run that fails leaves ``error.json`` in its folder, and the next
    call tries it again.

    Parameters
    ----------
    config : ExperimentConfig
    directory : Path
    workers : int, optional
        Processes on a CPU; by default one for each core, as far as memory goes. On a GPU runs are made in
        this process, one at a time.
    limit_minutes : float, optional
        Begin no run that would not end within so many minutes of the call.
    on_progress : callable
    on_run : callable
        Told of every run that ended, and before, which cohorts are not wholly annotated.

    Raises
    ------
    UserError
        If the settings or the data are impossible, or are not those of the runs in the folder, before
        anything is trained; or if the disk is full.
    """
    deadline = time.monotonic() + 60 * limit_minutes if limit_minutes is not None else None
    _refuse_change(config, directory)
    if config.target.simulate:
        resolve_sizes(config, config.target.simulate.train)
    make_cohorts(config, directory, on_progress)
    cohorts = open_cohorts(config, directory)
    for cohort in cohorts.values():
        for split in ("train", "test"):
            if said := cohort.dataset.annotated_in_words(cohort.name, split):
                on_run(said)
    fingerprints = check_cohorts(config, cohorts)
    planned = make_plan(config, patients=cohorts["target"].patients, fingerprints=fingerprints)
    refuse_others(planned, directory)
    save_config(config, directory / CONFIG_FILE)
    workers = 1 if has_gpu() else workers or default_workers(config, cohorts)
    return _Grid(config, directory, planned, deadline, on_progress, on_run).run(workers)


class _Grid:
    """The runs of an experiment, and how far each is."""

    def __init__(
        self,
        config: ExperimentConfig,
        directory: Path,
        planned: tuple[PlannedRun, ...],
        deadline: float | None,
        on_progress: OnProgress,
        on_run: Callable[[str], None],
    ) -> None:
        self._config, self._directory, self._deadline = config, directory, deadline
        self._on_progress, self._on_run = on_progress, on_run
        self._standing = Standing(planned)
        self._pace = Pace(machine())
        for one in planned:
            if one.is_finished(directory):
                self._pace.learn(read_run(one.folder(directory) / RUN_FILE))
        self._waiting = self._tasks()
        self._busy: dict[work.Item[Failure | None], Task] = {}
        self._steps: dict[work.Item[Failure | None], int] = {}
        self._total = sum(one.steps for one in planned)
        self._done = self._begun_with = self._total - sum(
            task.planned.steps for task in self._waiting if not task.only_model
        )

    def run(self, workers: int) -> Standing:
        """Make the runs."""
        started = time.monotonic()
        self._began = started
        workers = min(workers, len(self._waiting))
        with work.Workers(0 if has_gpu() else workers, environment=SINGLE_THREADED) as crew:
            for item, outcome in crew.make(self._begin, self._progressed):
                self._ended(item, outcome)
        self._drop_source_models()
        self._standing.seconds = (time.monotonic() - started) * max(1, workers)
        self._standing.remaining = sum(not one.is_finished(self._directory) for one in self._standing.planned)
        return self._standing

    def _tasks(self) -> list[Task]:
        """What is to be made: source models first, then what takes longest."""
        unfinished = [one for one in self._standing.planned if not one.is_finished(self._directory)]
        needed = {one.source for one in unfinished if not one.is_source}
        tasks = [Task(planned=one) for one in unfinished]
        for one in self._standing.planned:
            if one.run in needed and one not in unfinished and not self._has_model(one):
                tasks.append(Task(planned=one, only_model=True))
        return sorted(tasks, key=lambda task: (not task.planned.is_source, -task.planned.steps))

    def _next(self) -> Task | None:
        """Take the first run that can be begun and would end in time."""
        making = {task.planned.run for task in (*self._waiting, *self._busy.values())}
        for task in self._waiting:
            planned = task.planned
            if not planned.is_source and planned.source in making:
                continue
            seconds = self._pace.seconds(planned)
            if task.only_model:  # which is of use with one of the runs that start from it
                seconds += min(
                    self._pace.seconds(other.planned)
                    for other in self._waiting
                    if other.planned.source == planned.run and other is not task
                )
            if self._deadline is None or time.monotonic() + seconds <= self._deadline:
                self._waiting.remove(task)
                return task
        return None

    def _begin(self) -> work.Item[Failure | None] | None:
        task = self._next()
        if task is None:
            return None
        item = work.Item(str(task.planned), partial(make_run, self._config, self._directory, task))
        self._busy[item] = task
        return item

    def _progressed(self, item: work.Item[Failure | None], what: str, done: int, *_: object) -> None:
        if what == "training steps" and not self._busy[item].only_model:
            self._steps[item] = done
        self._tell()

    def _ended(self, item: work.Item[Failure | None], failure: Failure | work.Failure | None) -> None:
        task = self._busy.pop(item)
        self._steps.pop(item, None)
        folder = task.planned.folder(self._directory)
        if isinstance(failure, work.Failure):
            failure = Failure(run=task.planned.run, title=failure.name, error=failure.reason)
        if failure:
            self._fail(task, failure, folder)
            return
        with suppress(OSError):
            (folder / ERROR_NAME).unlink(missing_ok=True)
        if not task.only_model:
            record = read_run(folder / RUN_FILE)
            self._pace.learn(record)
            self._standing.made += 1
            self._standing.work_seconds += sum(record.seconds.values())
            self._done += task.planned.steps
            seconds = ", ".join(f"{name} {value:.0f} s" for name, value in record.seconds.items())
            self._on_run(f"{task.planned}: {seconds} ({self._count()})")
        self._tell()

    def _fail(self, task: Task, failure: Failure, folder: Path) -> None:
        if failure.disk_full:
            raise UserError(
                f"{self._directory} cannot be written to any more: the disk is full.",
                expected="room for models, predictions and tables.",
                fix="free some room and repeat the command: finished runs stay, and it goes on from there.",
            )
        with suppress(OSError):
            write_text(folder / ERROR_NAME, failure.model_dump_json(indent=2) + "\n")
        self._standing.failures.append(failure)
        self._on_run(f"FAILED {failure.title}: {failure.error}")
        if task.planned.is_source:
            self._waiting = [other for other in self._waiting if other.planned.source != task.planned.run]

    def _count(self) -> str:
        finished = sum(one.is_finished(self._directory) for one in self._standing.planned)
        return f"{finished} of {len(self._standing.planned)}"

    def _tell(self) -> None:
        """Say how far it all is, in optimiser steps, and how long it will take."""
        done = self._done + sum(self._steps.values())
        now, note = done - self._begun_with, f"{self._count()} runs"
        if now:
            left = (self._total - done) * (time.monotonic() - self._began) / now
            note += f", about {left / 60:.0f} min left" if left > 90 else f", about {left:.0f} s left"
        self._on_progress("optimiser steps of all runs", done, self._total, note)

    def _has_model(self, planned: PlannedRun) -> bool:
        return is_model(planned.folder(self._directory) / "model")

    def _drop_source_models(self) -> None:
        """Delete models that nothing needs any more, also those that a killed call left behind."""
        if self._config.keep_models:
            return
        unfinished = [one for one in self._standing.planned if not one.is_finished(self._directory)]
        needed = {one.source for one in unfinished}
        for one in self._standing.planned:
            if one.is_finished(self._directory):
                drop_model(one.folder(self._directory), keep_model=one.run in needed)
        if not unfinished:
            shutil.rmtree(self._directory / "dataset.cache", ignore_errors=True)


def _refuse_change(config: ExperimentConfig, directory: Path) -> None:
    """Refuse an experiment that is not the one the folder holds."""
    file = directory / CONFIG_FILE
    if not file.is_file():
        return
    changes = differences(load_config(str(file)), config)
    simulated = (directory / "dataset").exists() and any(
        change.startswith(("source.simulate", "target.simulate")) for change in changes
    )
    if changes and (simulated or finished_folders(directory)):
        raise UserError(
            f"{directory} holds an experiment with other settings: {'; '.join(changes)}.",
            expected=f"the settings in {file}.",
            fix="choose another folder, or undo the change.",
        )
