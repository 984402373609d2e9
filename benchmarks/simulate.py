"""How fast virtual patients are made, in how much memory: 128 × 128 × 24 at three b-values.

    python benchmarks/simulate.py > simulate.json

``cases_per_s_per_core`` is one process that makes patients and throws them away; ``cases_per_s_all_cores`` is
a process per core, each making its own. ``peak_mb`` is the peak of a fresh process that makes patients.
Medians of several runs; libraries are held to one thread.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import process_time

from _common import machine, timed, versions

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

SEED = 6
PEAK = """
import sys
from resource import RUSAGE_SELF, getrusage
sys.path.insert(0, sys.argv[1])
from simulate import make
for number in range(6):
    make(number)
print(getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", type=int, default=6, help="per run and process")
    chosen = parser.parse_args()
    cores = os.cpu_count() or 1
    one = [_rates(chosen.cases, run) for run in range(chosen.runs)]
    every = [_all_cores(chosen.cases, cores) for _ in range(chosen.runs)]
    result = {
        "cases_per_s_per_core": round(statistics.median(rate for rate, _ in one), 3),
        "cases_per_cpu_s": round(statistics.median(rate for _, rate in one), 3),
        "cases_per_s_all_cores": round(statistics.median(every), 3),
        "peak_mb": _peak_mb(),
        "cases": chosen.cases,
        "machine": machine(),
        "versions": versions("uteroseg", "numpy", "scipy"),
        "runs": chosen.runs,
    }
    print(json.dumps(result, indent=2))


def make(number: int) -> None:
    """Make one patient, cervical and uterine ones in turn."""
    from uteroseg.phantom.acquisition import DEFAULT
    from uteroseg.phantom.patient import simulate_patient

    acquisition = replace(DEFAULT, b_values=(0.0, 500.0, 1000.0))
    simulate_patient("uterine" if number % 2 else "cervical", number, seed=SEED, acquisition=acquisition)


def _rates(cases: int, run: int) -> tuple[float, float]:
    """Patients per second of wall time, and of processor time, which other work does not lengthen."""
    make(0)
    before = process_time()
    seconds, _ = timed(lambda: [make(run * cases + n) for n in range(cases)])
    return cases / seconds, cases / (process_time() - before)


def _all_cores(cases: int, cores: int) -> float:
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(make, range(cores)))  # start every process and import
        seconds, _ = timed(lambda: list(pool.map(make, range(cases * cores))))
    return cases * cores / seconds


def _peak_mb() -> float | None:
    if find_spec("resource") is None:  # Windows
        return None
    command = [sys.executable, "-c", PEAK, str(Path(__file__).parent)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    return round(int(answer.stdout) / 1e6, 1)


if __name__ == "__main__":
    main()
