"""Damage real scanner files at random and ingest them: only a UserError or a whole dataset may come of it.

    python benchmarks/reliability/fuzz_ingest.py --count 1000 --seed 1 > fuzz_ingest.json

Every trial stands alone: ``--only 17`` repeats number 17. Trials run in a process that is killed when one
hangs. Ends with 1 if a trial failed: another exception, a hang, gigabytes of memory, or a dataset that is not
whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _common import default_data, machine, versions
from _damage import damage
from _samples import sample
from _trials import peak_mb, run_trials, serve

GOOD = ("ingested", "refused")
MEMORY_MB = 2000
SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this one trial and print its traceback")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve(lambda number: trial(chosen.data, chosen.seed, number))
    if chosen.only is not None:
        print(json.dumps(trial(chosen.data, chosen.seed, chosen.only), indent=2))
        return 0
    begin = perf_counter()
    outcomes = run_trials(__file__, chosen.data, chosen.seed, count=chosen.count, jobs=chosen.jobs, good=GOOD)
    counts = Counter(outcome["outcome"] for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome["outcome"] not in GOOD]
    result = {
        "trials": len(outcomes),
        "ingested": counts["ingested"],
        "refused": counts["refused"],
        "tracebacks": counts["traceback"],
        "hangs": counts["hang"],
        "half_written": counts["half written"],
        "memory": counts["memory"],
        "seed": chosen.seed,
        "by_sample": dict(sorted(Counter(outcome["sample"] for outcome in outcomes).items())),
        "by_damage": dict(sorted(Counter(_kind(d) for o in outcomes for d in o["damage"]).items())),
        "slowest_s": max((outcome["seconds"] for outcome in outcomes), default=0),
        "versions": versions("uteroseg", "pydicom", "numpy"),
        "machine": machine(),
        "wall_s": round(perf_counter() - begin, 1),
        "failing": failed[:SHOWN],
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def trial(data: Path, seed: int, number: int) -> dict[str, object]:
    """Damage one sample and ingest it."""
    random = Random(f"{seed} {number}")
    name, files = sample(data, random)
    files = dict(files)
    done = damage(files, random)
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "scan"
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        source.mkdir(exist_ok=True)
        outcome, detail = _ingest(source, Path(folder) / "out")
    found = {"trial": number, "sample": name, "damage": done, "outcome": outcome, "detail": detail}
    found["seconds"] = round(perf_counter() - start, 2)
    if outcome != "hang" and peak_mb() > MEMORY_MB:
        found["outcome"], found["detail"] = "memory", f"{peak_mb():.0f} MB"
    return found


def _ingest(source: Path, out: Path) -> tuple[str, str]:
    from uteroseg.errors import UserError
    from uteroseg.inference.inputs import find_inputs
    from uteroseg.intake.ingest import ingest

    out.mkdir()
    outcome, detail = "refused", ""
    try:
        studies = ingest(source, out / "dataset", cohort="fuzz")
        outcome = "ingested" if any(study.case for study in studies) else "refused"
        detail = "; ".join(study.error for study in studies if study.error)
    except UserError as error:
        detail = str(error)
    except Exception:
        return "traceback", traceback.format_exc(limit=-4)
    try:
        find_inputs(source)
    except UserError:
        pass
    except Exception:
        return "traceback", traceback.format_exc(limit=-4)
    problem = not_whole(out, expected=outcome == "ingested")
    return ("half written", problem) if problem else (outcome, detail)


def not_whole(out: Path, *, expected: bool) -> str:
    """What is wrong with a dataset and its surroundings; empty if nothing."""
    import numpy as np

    from uteroseg.dataset.store import Dataset

    root = out / "dataset"
    strange = {path.name for path in out.iterdir()} - ({"dataset", "dataset.key"} if expected else set())
    strange |= {p.name for p in root.rglob(".*") if p.name != ".bidsignore"}
    if strange:
        return f"left behind: {', '.join(sorted(strange))}"
    if not expected:
        return ""
    try:
        dataset = Dataset.open(root)
        if not dataset.cases():
            return "a dataset without cases"
        for case in dataset.cases():
            study = dataset.load_study(case)
            if not np.isfinite(study.signal).all():
                return f"{case} holds values that are not finite"
    except Exception:
        return traceback.format_exc(limit=-4)
    return ""


def _kind(damage: str) -> str:
    return damage.rsplit(" ", 1)[0]


if __name__ == "__main__":
    sys.exit(main())
