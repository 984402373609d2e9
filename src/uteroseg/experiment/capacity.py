"""How many runs fit beside each other, and how long a run takes."""

from __future__ import annotations

import os
import platform
import shutil
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from uteroseg.experiment.cohorts import Cohort, Role
from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.plan import PlannedRun
from uteroseg.experiment.records import RunRecord

_PROCESS_BYTES = 1e9
_BYTES_PER_PIXEL = 3000
"""Of a batch: what the layers keep for the backward pass (tf_efficientnet_lite0; measured 1.2–2.6 kB)."""
_WRITE_S = 5.0
"""To read the cases and to write the model."""


def default_workers(config: ExperimentConfig, cohorts: Mapping[Role, Cohort]) -> int:
    """One process for each core that this one may use, as far as free memory goes; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = _free_bytes()
    if free is None:
        return cores
    pixels = config.matrix[0] * config.matrix[1]
    slices = 0
    for cohort in cohorts.values():
        cases = [*cohort.train, *cohort.unannotated]
        slices += len(cases) * cohort.dataset.grid(cases[0]).shape[0]
    data = slices * pixels * 4 * 2  # float16, four channels
    need = _PROCESS_BYTES + 1.2 * data + config.budget.batch_size * pixels * _BYTES_PER_PIXEL
    return max(1, min(cores, int(0.8 * free / need)))


def _free_bytes() -> float | None:
    """Memory that is free; None where nothing tells."""
    info = Path("/proc/meminfo")
    if not info.is_file():
        return None
    values = dict(line.split(":", 1) for line in info.read_text("utf-8").splitlines() if ":" in line)
    return float(values["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in values else None


@cache
def has_gpu() -> bool:
    """Whether there is a GPU to train on; torch, which takes seconds to load, is asked where there may be."""
    drivers = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
    if not shutil.which("nvidia-smi") and not any(driver.exists() for driver in drivers):
        return False
    import torch

    return torch.cuda.is_available()


def machine() -> str:
    """The kind of machine this is."""
    text = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if has_gpu():
        import torch

        text += f", {torch.cuda.get_device_name()}"
    return text


class Pace:
    """How long runs take on this machine, as those that are finished tell.

    Parameters
    ----------
    machine : str
        Runs that were made on another kind do not count.
    """

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._step: dict[str, list[float]] = defaultdict(list)
        self._rest: list[float] = []

    def learn(self, record: RunRecord) -> None:
        """Take a finished run into account."""
        if record.machine == self._machine:
            self._rest.append(record.seconds.get("evaluate", 0.0))
            if record.steps:
                self._step[record.strategy].append(record.seconds.get("train", 0.0) / record.steps)

    def seconds(self, planned: PlannedRun) -> float:
        """Seconds that a run will take, at most as far as is known; 0 where nothing is."""
        known = self._step.get(planned.strategy_name) or [s for each in self._step.values() for s in each]
        if not self._rest:
            return 0.0
        return planned.steps * max(known, default=0.0) + max(self._rest) + _WRITE_S
