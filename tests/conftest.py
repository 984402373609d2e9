"""What every test may ask for."""

import os
from pathlib import Path

import pytest

# Tiny tensors gain nothing from threads, and threads that wait for a busy core lose tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("UTEROSEG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scanner data, which is never part of the repository."""
    if not REAL_DATA.is_dir():
        reason = f"no real scanner data at {REAL_DATA} (set UTEROSEG_TEST_DATA)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return REAL_DATA
