from __future__ import annotations

from pathlib import Path

import pytest

from .experiments import write_experiment


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small experiment on virtual patients; tests that change it make their own."""
    return write_experiment(tmp_path_factory.mktemp("experiment"))
