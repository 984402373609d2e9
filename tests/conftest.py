"""What every test may ask for."""

import multiprocessing.process
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Tiny tensors gain nothing from threads, and threads that wait for a busy core lose tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("UTEROSEG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


HEAVY = Path(__file__).with_name("heavy.txt")
"""Tests that ``--quick`` leaves out: they start a process, train a network or take over 0.25 s."""
_MADE_BY_TRAINING = {"tiny_model", "finished"}
"""Fixtures that train a network."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="only tests that start no process and train no network"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process waits for the other at the end."""
    longest = ("training/test_train", "experiment/", "cli/")
    items.sort(key=lambda item: not any(name in item.nodeid for name in longest))
    if config.getoption("--quick"):
        heavy = set(HEAVY.read_text("utf-8").split())
        long = [item for item in items if _name(item) in heavy or _trains(item)]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


def _name(item: pytest.Item) -> str:
    """File and function, as in `HEAVY`."""
    return item.nodeid.removeprefix("tests/").partition("[")[0]


def _trains(item: pytest.Item) -> bool:
    return not _MADE_BY_TRAINING.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold a quick test to what makes it quick."""
    if not request.config.getoption("--quick"):
        return

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(
            "a quick test starts no process and trains no network: name it in tests/heavy.txt"
        )

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
    if "torch" in sys.modules:
        monkeypatch.setattr(sys.modules["torch"].Tensor, "backward", refuse)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scanner data, which is never part of the repository."""
    if not REAL_DATA.is_dir():
        reason = f"no real scanner data at {REAL_DATA} (set UTEROSEG_TEST_DATA)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return REAL_DATA


@pytest.fixture(scope="session")
def public_index():
    """The real index of Imaging Data Commons, read once."""
    pytest.importorskip("idc_index_data", reason="the index of Imaging Data Commons is not installed")
    from uteroseg.intake.public.collections import COLLECTIONS
    from uteroseg.intake.public.index import read_index

    return read_index(COLLECTIONS)


@pytest.fixture(scope="session")
def tiny_cohorts(tmp_path_factory: pytest.TempPathFactory):
    """Two tiny cohorts, split; not to be changed."""
    from tests import tiny

    return tiny.cohorts(tmp_path_factory.mktemp("cohorts") / "dataset")


@pytest.fixture(scope="session")
def tiny_model(tiny_cohorts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained for seconds on the tiny cervical cohort."""
    from uteroseg.model.recipe import Recipe
    from uteroseg.model.spec import ModelSpec
    from uteroseg.training.train import train

    folder = tmp_path_factory.mktemp("models") / "tiny"
    spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
    train(tiny_cohorts, ["cervical"], folder, spec=spec, recipe=Recipe(steps=30, batch_size=8))
    return folder
