from __future__ import annotations

from pathlib import Path

import pytest

from uteroseg.experiment.analysis import analyse
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.results import Experiment, read_experiment

from .experiments import write_experiment


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small experiment on virtual patients; tests that change it make their own."""
    return write_experiment(tmp_path_factory.mktemp("experiment"))


@pytest.fixture(scope="session")
def single(experiment: Path) -> Context:
    """Of the experiment with a single strategy."""
    return context_of(read_experiment(experiment))


@pytest.fixture(scope="session")
def several_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with every kind of strategy, five sizes and two seeds."""
    return write_experiment(
        tmp_path_factory.mktemp("several"),
        sizes=(0, 5, 13, 26, 128, 256),
        strategies=("all", "encoder-early", "joint", "default"),
        seeds=(1, 2),
        patients={"source": 12, "target": 24},
    )


@pytest.fixture(scope="session")
def several(several_folder: Path) -> Context:
    return context_of(read_experiment(several_folder))


def context_of(experiment: Experiment) -> Context:
    return Context(experiment, analyse(experiment))
