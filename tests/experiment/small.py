"""A small experiment on tiny cohorts, for the tests."""

from pathlib import Path

from uteroseg.experiment.config import ExperimentConfig
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
