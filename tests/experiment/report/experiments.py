"""Made-up experiment folders for the tests of the report.

To look at a report: ``python -m tests.experiment.report.experiments full DIR`` (or ``quick``), then
``uteroseg report DIR``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from uteroseg.experiment.records import Overlay, RunRecord, write_cases, write_run


def write_experiment(
    directory: Path,
    *,
    sizes: Iterable[int] = (0, 2, 5, 13),
    strategies: Iterable[str] = ("early_encoder",),
    seeds: Iterable[int] = (0,),
    virtual: bool = True,
    patients: dict[str, int] | None = None,
    hostile: str = "",
    cohorts: tuple[str, str] = ("cervical", "uterine"),
    picture_size: int = 48,
) -> Path:
    """Write runs whose target DSC rises with the number of cases; `hostile` ends every case id."""
    patients = patients or {"source": 8, "target": 16}
    for strategy_number, strategy in enumerate(strategies):
        for size in sizes:
            name = strategy if size else ("source" if strategy in _STRATEGIES else "source_only")
            if size == 0 and strategy_number:
                continue
            for seed in seeds:
                _write_run(directory, name, size, seed, virtual, patients, hostile, cohorts, picture_size)
    return directory


def write_full(directory: Path) -> Path:
    """Write an experiment of the paper's size: 5 strategies, 7 sizes, 3 seeds, 89 test patients."""
    return write_experiment(
        directory,
        sizes=(0, 5, 13, 26, 51, 128, 256),
        strategies=tuple(_STRATEGIES),
        seeds=(1, 2, 3),
        patients={"source": 25, "target": 64},
        picture_size=300,
    )


def write_quick(directory: Path) -> Path:
    """Write an experiment like `quick`: 1 seed, 2 strategies, few patients."""
    patients = {"source": 8, "target": 10}
    return write_experiment(
        directory,
        sizes=(0, 5, 13),
        strategies=("all", "default"),
        seeds=(1,),
        patients=patients,
        picture_size=300,
    )


def _write_run(
    directory: Path,
    strategy: str,
    size: int,
    seed: int,
    virtual: bool,
    patients: dict[str, int],
    hostile: str,
    cohorts: tuple[str, str],
    picture_size: int,
) -> None:
    run = f"{strategy if strategy.isalnum() or '-' in strategy else strategy[:2]}{size:04d}{seed}a7"
    folder = directory / "runs" / run
    (folder / "overlays").mkdir(parents=True)
    rows = [
        row
        for test_set, cohort in zip(("source", "target"), cohorts, strict=True)
        for row in _rows(run, strategy, size, seed, test_set, cohort, patients.get(test_set, 0), hostile)
    ]
    write_cases(folder / "cases.csv", rows)
    by_dsc = sorted(rows, key=lambda row: row["dsc"])
    overlays = {}
    for rank, row in (("worst", by_dsc[0]), ("median", by_dsc[len(by_dsc) // 2]), ("best", by_dsc[-1])):
        _picture(folder / "overlays" / f"{rank}.png", row["dsc"], picture_size)
        overlays[rank] = Overlay(case=row["case"], dsc=row["dsc"], file=f"overlays/{rank}.png")
    record = RunRecord.model_validate(
        {
            "run": run,
            "strategy": strategy,
            "target_cases": size,
            "seed": seed,
            "source_cohort": cohorts[0],
            "target_cohort": cohorts[1],
            "virtual": virtual,
            "training_cases": {cohorts[0]: 24, cohorts[1]: size},
            "seconds": {"train": 40.2 + size, "evaluate": 4.5},
            "versions": {"uteroseg": "0.1.0", "torch": "2.11.0", "numpy": "2.3.1", "python": "3.11.9"},
            "machine": "Intel Xeon, 2 cores, 8 GB, no GPU",
            "overlays": overlays,
            **_settings(strategy, size, seed, cohorts),
        }
    )
    write_run(folder / "run.json", record)


def _settings(strategy: str, size: int, seed: int, cohorts: tuple[str, str]) -> dict[str, Any]:
    """Steps and settings, which only the runs of named strategies recorded."""
    if strategy not in (*_STRATEGIES, "source"):
        return {}
    spec = {
        "architecture": "DeepLabV3Plus",
        "encoder": "tu-tf_efficientnet_lite0",
        "plane": "sagittal",
        "spacing_mm": 3.0,
        "matrix": [80, 80],
        "channels": ["b0", "b1000", "adc"],
    }
    recipe = {"batch_size": 16, "weight_decay": 0.01, "warmup": 0.1, "ema": 0.98, "checks": 5}
    settings: dict[str, Any] = {
        "recipe_version": 3,
        "data": {"source": "5f0c", "target": "77aa"},
        "cohorts": list(cohorts),
        "spec": spec,
        "imagenet": True,
        "train": {**recipe, "steps": 350, "learning_rate": 0.002},
        "seed": seed,
    }
    if strategy == "source":
        return {"steps": 350, "settings": settings}
    start, trains, share = _STRATEGIES[strategy]
    settings |= {
        "strategy": {"name": strategy, "start": start, "trains": trains, "source_share": share},
        "adapt": {**recipe, "steps": 100, "learning_rate": 0.001},
        "cases": size,
    }
    return {"steps": 450 if start == "beginning" else 100, "settings": settings}


_STRATEGIES: dict[str, tuple[str, list[str], Any]] = {
    "all": ("source", ["all"], 0.0),
    "encoder-early": ("source", ["stem", "stage1", "stage2"], 0.0),
    "head": ("source", ["head"], 0.0),
    "joint": ("beginning", ["all"], "pooled"),
    "default": ("source", ["all"], 0.5),
}


def _rows(
    run: str, strategy: str, size: int, seed: int, test_set: str, cohort: str, count: int, hostile: str
) -> list[dict[str, Any]]:
    random = np.random.default_rng([size, seed, len(strategy), count])
    patient = np.random.default_rng(7).normal(0, 0.1, count)
    level = _level(strategy, size, test_set)
    rows = []
    for number in range(count):
        volume = 3 + 2.0 * number
        dsc = float(np.clip(level + patient[number] + random.normal(0, 0.06), 0, 0.97))
        if test_set == "target" and number < 4 and size < 2 + 3 * number:
            dsc = 0.0
        subject = f"sub-{test_set[0]}{number:03d}"
        predicted = volume * (0.7 + 0.4 * dsc) if dsc else 0.0
        rows.append(
            {
                "run": run,
                "strategy": strategy,
                "target_cases": size,
                "seed": seed,
                "test_set": test_set,
                "case": subject + hostile,
                "participant": subject,
                "cohort": cohort,
                "histology": (
                    "squamous" if test_set == "source" else ("endometrioid", "carcinosarcoma")[number % 2]
                ),
                "volume_ml": volume,
                "predicted_volume_ml": predicted,
                "dsc": dsc,
                "sensitivity": min(1.0, dsc * 1.02),
                "ppv": min(1.0, dsc * 1.01),
                "volume_error_ml": predicted - volume,
            }
        )
    return rows


_SHAPES = {
    "encoder-early": (0.30, 18, 0.05),
    "all": (0.34, 30, 0.10),
    "head": (0.16, 20, 0.03),
    "joint": (0.42, 70, -0.05),
    "default": (0.40, 20, 0.01),
}
"""Gain on the target set, the cases that it takes, and the loss on the source set."""


def _level(strategy: str, size: int, test_set: str) -> float:
    if strategy in _SHAPES:
        gain, cases, loss = _SHAPES[strategy]
        learnt = 1 - np.exp(-size / cases)
        return float(0.85 - loss * learnt if test_set == "source" else 0.35 + gain * learnt)
    return float(0.8 - 0.004 * size if test_set == "source" else 0.3 + 0.4 * (1 - np.exp(-size / 5)))


def _picture(path: Path, dsc: float, size: int) -> None:
    grey = np.random.default_rng(3).normal(70, 12, (size, size)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(image)
    middle, radius, shift = size / 2, size / 6, size / 5 * (1 - dsc)
    width = max(1, size // 110)
    draw.ellipse(
        [middle - radius, middle - radius, middle + radius, middle + radius], outline="#00b09b", width=width
    )
    draw.ellipse(
        [middle - radius + shift, middle - radius, middle + radius + shift, middle + radius],
        outline="#e0218a",
        width=width,
    )
    image.save(path)


if __name__ == "__main__":
    {"full": write_full, "quick": write_quick}[sys.argv[1]](Path(sys.argv[2]))
