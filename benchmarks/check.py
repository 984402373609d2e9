"""How fast a dataset is checked, in how much memory: cases of 128 × 128 × 24 at two b-values.

    python benchmarks/check.py > check.json
    python benchmarks/check.py --cases 500

``seconds`` is the whole command in a fresh process; ``peak_mb`` is the sum of the peaks of that process and
of its workers. With fewer than 500 cases, ``seconds_of_500`` is extrapolated: what a single case takes, start
included, and the rest in proportion. ``cpu_s`` is processor time, which another job on the machine does not
lengthen much. ``--patients`` different patients are simulated; the other cases are copies with names of their
own, so that duplicates are found too. Their simulation is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from _common import machine, timed, versions

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

CHECK = """
import json, sys
from pathlib import Path

def main():
    from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
    from uteroseg.dataset.check.run import check_dataset
    workers = int(sys.argv[2])
    report = check_dataset(Path(sys.argv[1]), workers=workers)
    own, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    peaks = own.ru_maxrss + workers * children.ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    cpu_s = sum(one.ru_utime + one.ru_stime for one in (own, children))
    peak_mb = round(peaks * unit / 1e6, 1)
    print(json.dumps({"cases": len(report.cases), "cpu_s": round(cpu_s, 2), "peak_mb": peak_mb}))

if __name__ == "__main__":
    main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "check.py").write_text(CHECK)
        start_s, _ = _check(folder, _dataset(folder / "one", 1, 1), chosen.workers)
        root = _dataset(folder / "many", chosen.cases, min(chosen.patients, chosen.cases))
        seconds, measured = _check(folder, root, chosen.workers)
    each_s = (seconds - start_s) / max(chosen.cases - 1, 1)
    result = {
        "seconds": round(seconds, 2),
        "seconds_of_500": round(start_s + 499 * each_s, 1),
        "extrapolated": chosen.cases < 500,
        **measured,
        "workers": chosen.workers,
        "machine": machine(),
        "versions": versions("uteroseg", "numpy", "scipy", "nibabel"),
        "runs": 1,
    }
    print(json.dumps(result, indent=2))


def _check(folder: Path, root: Path, workers: int) -> tuple[float, dict[str, float]]:
    command = [sys.executable, str(folder / "check.py"), str(root), str(workers)]
    seconds, answer = timed(lambda: subprocess.run(command, capture_output=True, check=True, text=True))
    return seconds, json.loads(answer.stdout)


def _dataset(root: Path, cases: int, patients: int) -> Path:
    from uteroseg.dataset.layout import ANNOTATIONS
    from uteroseg.dataset.participants import read_participants, write_participants
    from uteroseg.phantom.cohort import simulate_cohort

    simulate_cohort(root, "cervical", cases=patients, seed=5)
    people = read_participants(root / "participants.tsv")
    for number in range(patients, cases):
        old, new = f"sub-{number % patients + 1:04d}", f"sub-{number + 1:04d}"
        for part in (Path(), ANNOTATIONS):
            for source in (root / part / old).rglob("*.*"):
                if source.is_file():
                    name = source.relative_to(root).as_posix().replace(old, new)
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, root / name)
        people[new] = replace(people[old], participant_id=new, source_key=f"copy-{number}")
    write_participants(root / "participants.tsv", people.values())
    return root


if __name__ == "__main__":
    main()
