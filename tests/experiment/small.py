"""A small experiment on tiny cohorts, for the tests."""

import os
from pathlib import Path

from tests.test_work import die
from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.tasks import Failure
from uteroseg.model.strategy import STRATEGIES


def config(root: Path, **changes) -> ExperimentConfig:
    """Source and two adaptations of 48 × 48 slices, a second or two each."""
    settings = {
        "source": {"cohort": "cervical", "dataset": root},
        "target": {"cohort": "uterine", "dataset": root},
        "sizes": (0, 2),
        "strategies": (STRATEGIES["all"], STRATEGIES["head"]),
        "imagenet": False,
        "spacing_mm": 6.0,
        "matrix": (32, 32),
        "budget": {"source_steps": 8, "adapt_steps": 4, "batch_size": 4},
    }
    return ExperimentConfig.model_validate(settings | changes)


def die_or_fail(config, directory, task):
    """As a run whose process is killed, and another that only fails."""
    if task.planned.seed == 1:
        die()
    return Failure(run=task.planned.run, title=str(task.planned), error=f"broken in {os.getpid()}")


def threads() -> int:
    import torch

    return torch.get_num_threads()
