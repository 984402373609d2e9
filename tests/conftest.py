"""What every test may ask for."""

import os
from pathlib import Path

import pytest

# Tiny tensors gain nothing from threads, and threads that wait for a busy core lose tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("UTEROSEG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process waits for the other at the end."""
    longest = ("training/test_train", "experiment/", "cli/")
    items.sort(key=lambda item: not any(name in item.nodeid for name in longest))


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
