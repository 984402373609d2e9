"""Kill an experiment at random moments: in the end its table is that of one that was left alone.

    python benchmarks/reliability/kill_experiment.py --kills 20 --seed 1 > kill_experiment.json

The experiment is a small one on virtual patients: a source model and three adaptations at two sizes, three
seeds. It is begun again after every kill, at a random moment of its first quarter (of what it takes when left
alone), so that kills come before, in and after runs; in the end it is left to finish. Ends with 1 if the
table differs, a run failed, or anything half-written is left behind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _common import machine, versions

CONFIG = """
source:
  cohort: cervical
  simulate: &patients {train: 6, test: 3, matrix: [64, 64], spacing_mm: 4.0, slices: 8, slice_mm: 12}
target:
  cohort: uterine
  simulate: *patients
sizes: [0, 2, 5]
strategies: [all, head, joint]
seeds: [1, 2, 3]
imagenet: false
spacing_mm: 4.0
matrix: [64, 64]
budget: {source_steps: 30, adapt_steps: 15, batch_size: 4}
"""
SCRIPT = """
import sys
from pathlib import Path
from uteroseg.experiment.config import load_config
from uteroseg.experiment.runner import run_experiment

outcome = run_experiment(load_config(sys.argv[1]), Path(sys.argv[2]))
sys.exit(len(outcome.failures))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    random = Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "experiment.yaml").write_text(CONFIG)
        start = perf_counter()
        _begin(root, root / "alone").wait()
        alone_s = perf_counter() - start
        start = perf_counter()
        kills = []
        while len(kills) < chosen.kills:
            process = _begin(root, root / "killed")
            wait = random.uniform(0, alone_s / 4)
            time.sleep(wait)
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            kills.append({"after_s": round(wait, 2), "finished_runs": len(_finished(root / "killed"))})
            print(json.dumps(kills[-1]), file=sys.stderr, flush=True)
        code = _begin(root, root / "killed").wait()
        killed_s = perf_counter() - start
        left = _left_behind(root / "killed")
        same = _table(root / "killed") == _table(root / "alone")
        result = {
            "kills": len(kills),
            "runs": len(_finished(root / "killed")),
            "same_table": same,
            "left_behind": left,
            "failed_runs": code,
            "alone_s": round(alone_s, 1),
            "killed_s": round(killed_s, 1),
            "each": kills,
            "seed": chosen.seed,
            "versions": versions("uteroseg", "torch", "numpy"),
            "machine": machine(),
        }
    print(json.dumps(result, indent=2))
    return 0 if same and not left and not code else 1


def _begin(root: Path, output: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(root / "experiment.yaml"), str(output)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _finished(directory: Path) -> list[Path]:
    return sorted(path.parent for path in directory.glob("runs/*/run.json"))


def _table(directory: Path) -> dict[str, str]:
    """Every run's table by the run's name."""
    return {folder.name: (folder / "cases.csv").read_text("utf-8") for folder in _finished(directory)}


def _left_behind(directory: Path) -> list[str]:
    """What a finished experiment does not hold."""
    expected = {"run.json", "cases.csv", "overlays"}
    strange = [
        path for folder in _finished(directory) for path in folder.iterdir() if path.name not in expected
    ]
    strange += [path for path in directory.rglob(".*") if path.name != ".bidsignore"]
    return sorted(path.relative_to(directory).as_posix() for path in strange)


if __name__ == "__main__":
    sys.exit(main())
