"""What every benchmark says of itself: the machine, the versions, medians. No host names, no paths."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from uteroseg.model.spec import TrainingRecord

REPOSITORY = Path(__file__).resolve().parents[1]
T = TypeVar("T")
COMMAND = "from uteroseg.__main__ import main; main()"
"""What the command ``uteroseg`` runs, for ``python -c``."""


def default_data() -> Path:
    """The real scanner data, as the tests find them."""
    return Path(os.environ.get("UTEROSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def machine() -> dict[str, object]:
    """Platform and cores, and how busy the machine is, without a host name."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load_1min": load and round(load, 2),
    }


def versions(*packages: str) -> dict[str, str]:
    """Python's version and those of packages."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def training_record(cohort: str, *, cases: int, steps: int, seed: int) -> TrainingRecord:
    """The record of a model that is made to be measured; what it saw is not told."""
    from uteroseg.model.spec import TrainingRecord

    return TrainingRecord(
        strategy="benchmark",
        cases={cohort: cases},
        virtual=True,
        data_fingerprint="none",
        seed=seed,
        steps=steps,
        batch_size=8,
        seconds=0,
        final_loss=0,
        b_values=[0, 1000],
        slice_spacing_mm=[4.5],
        software={},
    )


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that it takes, and its result."""
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def median_s(work: Callable[[], object], runs: int) -> float:
    """Median seconds of several runs."""
    return statistics.median(timed(work)[0] for _ in range(runs))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
