"""How fast training is: the real loop beside the bare network, an adaptation's whole time, memory.

    python benchmarks/training.py > training.json

``efficiency`` is the throughput of the real loop (batches drawn, varied, averaged, logged) over that of
forward, backward and optimiser step of the same network on a constant batch of the same size and precision;
both are timed in turn in one process, ``runs`` times. ``adapt_s`` is `adapt` with 13 virtual patients on a
cold cache.
``peak_mb`` is the peak of a fresh process that loads ``--cases`` cases of 24 slices and trains on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from _common import machine, versions

STEPS = 12
"""In each timed stretch of either loop."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", type=int, default=500, help="for the peak")
    parser.add_argument("--patients", type=int, default=13, help="of the adaptation")
    parser.add_argument("--no-adapt", action="store_true", help="leave the adaptation out")
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        _train_on_copies(chosen.peak, chosen.cases)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset = _cohort(root / "dataset", chosen.patients)
        result = {
            **_efficiency(dataset, chosen.runs, root),
            "peak_mb": _peak_mb(dataset.root, chosen.cases),
            "peak_cases": chosen.cases,
        }
        if not chosen.no_adapt:
            result |= _adaptation(dataset, chosen.patients, root)
    about = {"machine": machine(), "versions": versions("uteroseg", "torch", "timm", "lightning-fabric")}
    print(json.dumps({**result, **about, "runs": chosen.runs}, indent=2))


def _cohort(root, patients):
    """Cervical patients to start from, uterine ones to adapt to and to test on; 128 × 128 × 24."""
    from uteroseg.dataset.split import assign_splits
    from uteroseg.dataset.store import Dataset
    from uteroseg.phantom.cohort import simulate_cohort

    for cohort, number, test in (("cervical", 16, 0.0), ("uterine", patients + 12, 12 / (patients + 12))):
        simulate_cohort(root, cohort, cases=number, seed=11)
        assign_splits(Dataset.open(root), test=test, seed=1)
    return Dataset.open(root)


def _efficiency(dataset, runs, root):
    """Slices per second of the real loop and of the bare network, in turn."""
    import torch

    from uteroseg.model.recipe import Recipe
    from uteroseg.model.spec import ModelSpec
    from uteroseg.network.deeplab import build_network, default_encoder
    from uteroseg.network.layers import expand_groups
    from uteroseg.training.data import load_training_data
    from uteroseg.training.fit import dice_cross_entropy, fit, make_fabric

    spec, recipe = ModelSpec(encoder=default_encoder()), Recipe(steps=STEPS, batch_size=16)
    cases = dataset.annotated_cases("cervical", "train")
    data = load_training_data([(dataset, cases, 1.0)], spec)
    fabric = make_fabric()
    network = build_network(spec, seed=1, imagenet=True)
    bare = build_network(spec, seed=1, imagenet=True).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(bare.parameters(), lr=1e-4)
    bare, optimiser = fabric.setup(bare, optimiser)
    shape = (recipe.batch_size, len(spec.channels), *spec.matrix)
    images = torch.randn(shape, device=fabric.device).contiguous(memory_format=torch.channels_last)
    targets = (torch.rand(shape[0], 1, *shape[2:], device=fabric.device) < 0.02).float()

    def make_bare_steps(steps):
        for _ in range(steps):
            optimiser.zero_grad()
            fabric.backward(dice_cross_entropy(bare(images), targets))
            optimiser.step()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    def make_real_steps(steps, run):
        ends = []
        fit(
            network,
            spec,
            data,
            replace(recipe, steps=steps),
            groups=expand_groups(network, ["all"]),
            seed=run,
            folder=root / f"run{run}",
            settings="benchmark",
            fabric=fabric,
            on_progress=lambda *_: ends.append(perf_counter()),
        )
        return ends

    make_bare_steps(3)
    make_real_steps(3, -1)
    real, floor = [], []
    for run in range(runs):
        start = perf_counter()
        make_bare_steps(STEPS)
        floor.append(STEPS * recipe.batch_size / (perf_counter() - start))
        ends = make_real_steps(STEPS, run)
        real.append((len(ends) - 1) * recipe.batch_size / (ends[-1] - ends[0]))
    return {
        "efficiency": round(statistics.median(r / f for r, f in zip(real, floor, strict=True)), 3),
        "slices_per_s": round(statistics.median(real), 1),
        "bare_slices_per_s": round(statistics.median(floor), 1),
        "threads": torch.get_num_threads(),
        "matrix": list(spec.matrix),
        "encoder": spec.encoder,
        "batch_size": recipe.batch_size,
        "precision": fabric._precision.precision,
        "device": fabric.device.type,
    }


def _adaptation(dataset, patients, root):
    """Seconds and DSC of an adaptation with the default recipe, and of one four times as long."""
    from uteroseg.experiment.evaluate import evaluate_run
    from uteroseg.model.spec import ModelSpec
    from uteroseg.model.strategy import strategy_named
    from uteroseg.training.train import ADAPT, TRAIN, adapt, train

    train(
        dataset,
        ["cervical"],
        root / "source" / "model",
        spec=ModelSpec(),
        recipe=replace(TRAIN, steps=300),
        seed=1,
    )
    test = dataset.annotated_cases("uterine", "test")
    found = {}
    for name, factor in (("adapt", 1), ("converged", 4)):
        start = perf_counter()
        adapt(
            dataset,
            "uterine",
            root / name / "model",
            cases=patients,
            source=root / "source" / "model",
            strategy=strategy_named("default"),
            source_cases=(dataset, "cervical"),
            recipe=replace(ADAPT, steps=ADAPT.steps * factor),
        )
        found[f"{name}_s"] = round(perf_counter() - start, 1)
        rows = evaluate_run(dataset, test, root / name)
        found[f"{name}_target_dsc"] = round(statistics.mean(row["dsc"] for row in rows), 4)
    return {**found, "adapt_steps": ADAPT.steps, "adapt_patients": patients, "test_patients": len(test)}


def _peak_mb(root, cases):
    command = [sys.executable, __file__, "--peak", str(root), "--cases", str(cases)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    return round(int(answer.stdout) / 1e6, 1)


def _train_on_copies(root, number):
    """Train a few steps on as many cases as wanted, the dataset's over and over; print the peak in bytes."""
    from resource import RUSAGE_SELF, getrusage

    from uteroseg.dataset.store import Dataset
    from uteroseg.model.recipe import Recipe
    from uteroseg.model.spec import ModelSpec
    from uteroseg.network.deeplab import build_network
    from uteroseg.network.layers import expand_groups
    from uteroseg.training.data import load_training_data
    from uteroseg.training.fit import fit, make_fabric

    dataset, spec = Dataset.open(root), ModelSpec()
    cases = dataset.annotated_cases("cervical", "train")
    data = load_training_data([(dataset, [cases[i % len(cases)] for i in range(number)], 1.0)], spec)
    network = build_network(spec, seed=1, imagenet=True)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            network,
            spec,
            data,
            Recipe(steps=6),
            groups=expand_groups(network, ["all"]),
            seed=1,
            folder=Path(folder),
            settings="benchmark",
            fabric=make_fabric(),
        )
    print(getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    main()
