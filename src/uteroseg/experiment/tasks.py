"""What workers are told and what they answer; no torch, so that a process that only waits needs none."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from uteroseg.errors import UserError
from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.plan import PlannedRun
from uteroseg.model.folder import read_card
from uteroseg.work import tell

SINGLE_THREADED = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc then keeps a step's memory for the next one: 25 000 page faults a step less, 8 % of a step's time
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}
"""What processes that make runs side by side find in their environment: one thread each."""


class Task(BaseModel):
    """What a worker is to make.

    Parameters
    ----------
    planned : PlannedRun
    only_model : bool
        The run is finished and its model, which others start from, is missing.
    """

    model_config = ConfigDict(frozen=True)

    planned: PlannedRun
    only_model: bool = False


class Failure(BaseModel):
    """Why a run could not be made (``error.json``).

    Parameters
    ----------
    run, title : str
        Its hash, and what it was to be.
    error : str
    traceback : str
        Empty where the error is one that the user can mend.
    disk_full : bool
        No other run could be written either.
    """

    run: str
    title: str
    error: str
    traceback: str = ""
    disk_full: bool = False


def make_run(config: ExperimentConfig, directory: Path, task: Task) -> Failure | None:
    """Make a run in this process; what went wrong, if anything did."""
    from uteroseg.experiment.worker import Performer  # torch

    return Performer(config, directory, tell).attempt(task)


def is_model(folder: Path) -> bool:
    """Whether a folder is a whole model."""
    try:
        read_card(folder)
    except UserError:
        return False
    return True


def drop_model(folder: Path, *, keep_model: bool = False) -> None:
    """Delete a finished run's predictions and model; other runs may still start from a source model."""
    for name in ("predictions", "model.training", *(() if keep_model else ("model",))):
        shutil.rmtree(folder / name, ignore_errors=True)
