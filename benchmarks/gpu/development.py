"""The development experiment on one GPU, its throughput, and an archive of both; see run.sh."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from uteroseg.experiment.capacity import machine
from uteroseg.experiment.cohorts import make_cohorts
from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.results import write_archive
from uteroseg.experiment.runner import run_experiment
from uteroseg.model.strategy import STRATEGIES

PATIENTS = {"source": ("cervical", 144, 25), "target": ("uterine", 256, 64)}
SEED = 101
"""Of the development patients. Those that a result is confirmed on have another."""
SLICES = 40_000
"""That the source model is trained on; an adaptation takes half as many, one from the beginning both."""
BATCH = 32
DEFAULT = STRATEGIES["default"]
QUESTIONS: tuple[tuple[tuple[int, ...], tuple[Any, ...]], ...] = (
    ((26,), (DEFAULT, DEFAULT.model_copy(update={"name": "default-labelled", "unannotated": None}))),
    ((26, 256), (STRATEGIES["joint"],)),
    ((128,), (STRATEGIES["all"],)),
    ((5, 13, 51, 128), (DEFAULT,)),
)
"""Sizes and strategies, the largest question first."""


def main() -> None:
    """Simulate, train each seed in a process of its own, measure, pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", default="resnet50")
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--seed", type=int, help="train this one; what the command calls for each")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.seed is not None:
        train(options)
        return
    deadline = time.monotonic() + 60 * options.minutes
    options.folder = Path(mkdtemp())
    started = time.monotonic()
    make_cohorts(config(options), options.folder, lambda *progress: None)
    found = {"machine": machine(), "simulate_s": round(time.monotonic() - started, 1)}
    print(json.dumps(found), flush=True)
    children = [
        subprocess.Popen(
            [
                *(sys.executable, __file__, *sys.argv[1:]),
                *("--seed", str(seed), "--folder", str(options.folder)),
                *("--minutes", str((deadline - time.monotonic()) / 60)),
            ]
        )
        for seed in range(1, options.seeds + 1)
    ]
    for child in children:
        child.wait()
    for seed in range(1, options.seeds + 1):
        for folder in sorted(options.folder.glob(f"seed{seed}-*")):
            if (folder / "experiment.yaml").is_file():
                write_archive(folder, folder.with_suffix(".zip"))
    found["training"] = [measured(options, batch) for batch in (16, 64)]
    found |= {"seconds": round(time.monotonic() - started, 1), "options": sys.argv[1:]}
    text = json.dumps(found, indent=2)
    print(text)
    with zipfile.ZipFile(options.out / "gpu-development.zip", "w") as archive:
        archive.writestr("gpu.json", text)
        for file in sorted(options.folder.glob("*.zip")):
            archive.write(file, file.name)


def config(options: argparse.Namespace, **changes: Any) -> ExperimentConfig:
    """The experiment at the scale that was asked for, on patients as the default scanner images them."""
    values: dict[str, Any] = {
        role: {
            "cohort": cohort,
            "simulate": {"train": scaled(train, options), "test": scaled(test, options), "seed": SEED},
        }
        for role, (cohort, train, test) in PATIENTS.items()
    }
    steps = max(2, round(SLICES / BATCH * options.scale))
    values |= {
        "sizes": (26,),
        "strategies": (DEFAULT,),
        "encoder": options.encoder,
        "imagenet": False,
        "spacing_mm": 256 / options.matrix,
        "matrix": (options.matrix, options.matrix),
        "budget": {
            "source_steps": steps,
            "adapt_steps": max(1, steps // 2),
            "batch_size": BATCH,
            "checks": 4,
        },
    }
    return ExperimentConfig.model_validate(values | changes)


def scaled(number: int, options: argparse.Namespace) -> int:
    """A number of patients at the scale that was asked for."""
    return number if options.scale >= 1 else max(3, round(number * options.scale))


def train(options: argparse.Namespace) -> None:
    """One seed's runs, question by question, in folders that share the source model's settings."""
    deadline = time.monotonic() + 60 * options.minutes
    whole = config(options)
    data = {
        role: {"cohort": getattr(whole, role).cohort, "dataset": options.folder / "dataset"}
        for role in ("source", "target")
    }
    patients = whole.target.simulate.train if whole.target.simulate else 0
    for number, (sizes, strategies) in enumerate(QUESTIONS):
        fits = tuple(sorted({min(size, patients) for size in sizes}))
        settings = config(options, **data, sizes=fits, strategies=strategies, seeds=(options.seed,))
        settings = settings.model_copy(update={"keep_models": True})
        left = (deadline - time.monotonic()) / 60
        if left <= 0:
            break
        place = options.folder / f"seed{options.seed}-runs-{number}"
        share_source(options, place)
        run_experiment(
            settings, place, limit_minutes=left, on_run=lambda text: print(f"seed {options.seed}: {text}")
        )


def share_source(options: argparse.Namespace, place: Path) -> None:
    """Take the source model's run from the first question's folder."""
    first = options.folder / f"seed{options.seed}-runs-0" / "runs"
    for run in first.glob("*"):
        record = run / "run.json"
        if record.is_file() and json.loads(record.read_text("utf-8"))["strategy"] == "source":
            target = place / "runs" / run.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(run, target_is_directory=True)


def measured(options: argparse.Namespace, batch: int, steps: int = 40) -> dict[str, float]:
    """Slices a second of the real loop on random slices, beside the network alone."""
    from uteroseg.model.spec import ModelSpec
    from uteroseg.network.deeplab import build_network

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    spec = ModelSpec(encoder=options.encoder, spacing_mm=1.0, matrix=(options.matrix, options.matrix))
    network = build_network(spec, seed=1).to(device, memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), fused=device.type == "cuda")
    slices = torch.randn(batch, 3, *spec.matrix, device=device).to(memory_format=torch.channels_last)
    steps = steps if options.scale >= 1 else 2

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            loss = network(slices).float().square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    for _ in range(2):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.monotonic()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return {"batch": batch, "bare_slices_per_s": round(batch * steps / (time.monotonic() - started), 1)}


if __name__ == "__main__":
    main()
