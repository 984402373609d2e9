"""A finished experiment, made once for all tests."""

import pytest

from tests.experiment.small import config
from uteroseg.experiment.runner import run_experiment


@pytest.fixture(scope="session")
def finished(tiny_cohorts, tmp_path_factory):
    """Settings, folder, outcome, what was told; made by one child process. Not to be changed."""
    folder = tmp_path_factory.mktemp("experiment")
    told, lines = [], []
    settings = config(tiny_cohorts.root)
    outcome = run_experiment(
        settings, folder, workers=1, on_progress=lambda *told_: told.append(told_), on_run=lines.append
    )
    return settings, folder, outcome, (told, lines)
