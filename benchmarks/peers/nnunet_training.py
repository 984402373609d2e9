"""Train nnU-Net's stock 2-D trainer and ours on the same virtual patients and CPU, and draw both curves.

    python benchmarks/peers/nnunet_training.py --nnunet-python ENV/bin/python -o OUT

Simulates a cohort, exports it as `uteroseg export --to nnunet` does, lets nnU-Net plan and preprocess, then
trains the two one after the other, each in its own environment, with the same division and threads. Minutes
are those of training alone. The curves grow in OUT/nnunet.jsonl and OUT/ours.jsonl; the same command goes on
with what is not finished there. Prints one JSON object, also in OUT/result.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _common import machine, versions

THREADS = os.environ.get("OMP_NUM_THREADS", "2")
os.environ |= {"OMP_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS, "OPENBLAS_NUM_THREADS": THREADS}

from ours import train_ours  # noqa: E402

from uteroseg.dataset.layout import CaseId  # noqa: E402
from uteroseg.dataset.split import assign_splits  # noqa: E402
from uteroseg.dataset.store import Dataset  # noqa: E402
from uteroseg.model.nnunet import export_nnunet  # noqa: E402
from uteroseg.model.spec import ModelSpec  # noqa: E402
from uteroseg.phantom.cohort import simulate_cohort  # noqa: E402

NUMBER, NAME = 501, "Pelvis"
FOLDER = f"Dataset{NUMBER}_{NAME}"
VALIDATION_SHARE = 0.25
HERE = Path(__file__).resolve().parent


def cohort(out: Path, cases: int, seed: int) -> tuple[Dataset, list[CaseId], list[CaseId]]:
    """Virtual cervical patients, and which of them train and validate."""
    root = out / "dataset"
    if not root.exists() or len(Dataset.open(root).cases()) < cases:
        simulate_cohort(root, "cervical", cases=cases, seed=seed)
    dataset = Dataset.open(root)
    assign_splits(dataset, test=0, seed=seed)
    every = dataset.cases()
    validation = set(Random(seed).sample(every, round(VALIDATION_SHARE * len(every))))
    return dataset, [c for c in every if c not in validation], [c for c in every if c in validation]


def prepare_nnunet(out: Path, dataset: Dataset, python: Path, division: dict[str, list[str]]) -> None:
    """Export, then nnU-Net's own integrity check, plan and preprocessing."""
    splits = out / "preprocessed" / FOLDER / "splits_final.json"
    if splits.exists():
        if json.loads(splits.read_text("utf-8")) != [division]:
            raise SystemExit(f"{out} holds another cohort; choose another folder.")
        return
    if not (out / "raw" / FOLDER).exists():
        export_nnunet(dataset, out / "raw", number=NUMBER, name=NAME)
    plan = python.with_name("nnUNetv2_plan_and_preprocess" + python.suffix)
    command = [plan, "-d", NUMBER, "-c", "2d", "-np", THREADS, "-npfp", THREADS, "--verify_dataset_integrity"]
    _run(command, env=nnunet_environment(out))
    splits.write_text(json.dumps([division]), "utf-8")


def train_nnunet(out: Path, asked: argparse.Namespace) -> None:
    command = [asked.nnunet_python, HERE / "nnunet_timed_trainer.py", "--dataset", FOLDER]
    command += ["--minutes", asked.minutes, "--every", asked.every, "--schedule", asked.schedule]
    command += ["--seed", asked.seed, "--curve", out / "nnunet.jsonl"]
    _run(command, env=nnunet_environment(out))


def curve(path: Path) -> tuple[list[dict[str, object]], dict[str, object], bool]:
    """The points of a curve, what was said about it, and whether it is finished."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    values = [json.loads(line) for line in lines]
    about: dict[str, object] = {}
    for value in values:
        about |= value if "dsc" not in value else {}
    finished = bool(about.pop("finished", False))
    return [value for value in values if "dsc" in value], about, finished


def result(out: Path, asked: argparse.Namespace, division: dict[str, list[str]]) -> dict[str, object]:
    (nnunet, about, _), (ours, about_ours, _) = (curve(out / f"{name}.jsonl") for name in ("nnunet", "ours"))
    best = max((point["dsc"] for point in nnunet), default=None)
    reached = [point["minutes"] for point in ours if best is not None and point["dsc"] >= best]
    return {
        "ours_minutes_to_best": min(reached, default=None),
        "best_nnunet": best,
        "best_ours": max((point["dsc"] for point in ours), default=None),
        "nnunet": nnunet,
        "ours": ours,
        "nnunet_plan": about,
        "ours_plan": about_ours,
        "train_cases": len(division["train"]),
        "validation_cases": len(division["val"]),
        "virtual_patients": True,
        "seed": asked.seed,
        "runs": 1,
        "machine": machine() | {"threads": int(THREADS)},
        "versions": versions("uteroseg", "numpy", "torch") | nnunet_versions(asked.nnunet_python),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--nnunet-python", type=Path, required=True, help="Python of an environment with nnU-Net"
    )
    options.add_argument("--minutes", type=float, default=60, help="nnU-Net's training minutes")
    options.add_argument("--ours-minutes", type=float, default=6, help="our training minutes")
    options.add_argument("--spacing", type=float, default=2.5, help="of our network's pixels, mm")
    options.add_argument("--matrix", type=int, default=96, help="our network's rows and columns")
    options.add_argument("--every", type=float, default=5, help="nnU-Net's minutes between validations")
    options.add_argument(
        "--schedule", choices=["budget", "stock"], default="budget", help="its learning rate"
    )
    options.add_argument("--cases", type=int, default=40, help="virtual patients; a quarter validates")
    options.add_argument("--seed", type=int, default=3)
    options.add_argument("--only", choices=["nnunet", "ours"], help="train one of the two, keep the other")
    options.add_argument("-o", "--output", type=Path, required=True)
    asked = options.parse_args()
    # absolute, but not resolved: the Python of an environment is a link
    out, asked.nnunet_python = asked.output.resolve(), asked.nnunet_python.absolute()
    dataset, train, validation = cohort(out, asked.cases, asked.seed)
    division = {"train": [str(case) for case in train], "val": [str(case) for case in validation]}
    if asked.only != "ours" and not curve(out / "nnunet.jsonl")[2]:
        prepare_nnunet(out, dataset, asked.nnunet_python, division)
        train_nnunet(out, asked)
    if asked.only != "nnunet" and not curve(out / "ours.jsonl")[2]:
        (out / "ours.jsonl").unlink(missing_ok=True)

        def report(point: dict[str, object]) -> None:
            print(json.dumps(point), file=sys.stderr, flush=True)
            with (out / "ours.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")

        shutil.rmtree(out / "model", ignore_errors=True)
        minutes, model = asked.ours_minutes, out / "model"
        spec = ModelSpec(spacing_mm=asked.spacing, matrix=(asked.matrix, asked.matrix))
        train_ours(
            dataset, train, validation, minutes, spec=spec, seed=asked.seed, report=report, model=model
        )
        report({"finished": True})
    text = json.dumps(result(out, asked, division), indent=2)
    (out / "result.json").write_text(text + "\n", "utf-8")
    print(text)


def nnunet_environment(out: Path) -> dict[str, str]:
    folders = {f"nnUNet_{name}": str(out / name) for name in ("raw", "preprocessed", "results")}
    for folder in folders.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    return {**os.environ, **folders, "nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": THREADS}


def nnunet_versions(python: Path) -> dict[str, str]:
    code = "import json; from importlib.metadata import version as v; "
    code += "print(json.dumps({f'nnunet_{n}': v(n) for n in ('nnunetv2', 'torch', 'numpy')}))"
    return json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout)


def _run(command: list[object], env: dict[str, str] | None = None) -> None:
    """Run a program; what it prints is not our result and goes to standard error."""
    subprocess.run([str(part) for part in command], check=True, env=env, stdout=sys.stderr)


if __name__ == "__main__":
    main()
