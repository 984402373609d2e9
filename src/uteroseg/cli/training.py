"""Verbs that make models: train, adapt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder

if TYPE_CHECKING:
    from uteroseg.model.spec import ModelCard

ModelOut = Annotated[
    Path, typer.Option("--output", "-o", help="Model folder to write; the same command goes on after a kill.")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same model on the same machine.")]
Steps = Annotated[int | None, typer.Option(help="Number of optimiser steps.")]
BatchSize = Annotated[int | None, typer.Option(help="Slices in a step.")]
Patience = Annotated[
    int | None,
    typer.Option(help="Stop after so many checks on validation cases (from 26 patients on) without a gain."),
]
Devices = Annotated[int, typer.Option(help="GPUs to train on, or processes on a CPU.")]


def train(
    dataset: DatasetFolder,
    cohort: Annotated[list[str], typer.Option(help="Cohort to train on; twice for joint training.")],
    output: ModelOut,
    encoder: Annotated[
        str | None,
        typer.Option(help="Any timm encoder; by default tf_efficientnet_lite0 on a CPU, resnet50 on a GPU."),
    ] = None,
    imagenet: Annotated[bool, typer.Option(help="Begin from ImageNet weights of the encoder.")] = True,
    spacing_mm: Annotated[
        float | None,
        typer.Option(
            "--spacing", min=0.1, help="Size of the pixels that the network sees, mm (default 2.5)."
        ),
    ] = None,
    matrix: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="ROWS COLUMNS", help="How many of them, multiples of 16 (default 96 96)."),
    ] = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    patience: Patience = None,
    devices: Devices = 1,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Train a model on the annotated training cases of one or more cohorts."""
    from uteroseg import library

    _say_annotated(dataset, cohort)
    with progress() as update:
        card = library.train(
            dataset,
            cohort,
            output,
            encoder=encoder,
            imagenet=imagenet,
            spacing_mm=spacing_mm,
            matrix=matrix,
            steps=steps,
            batch_size=batch_size,
            patience=patience,
            devices=devices,
            seed=seed,
            on_progress=update,
        )
    _print_model(card, output, as_json=json)


def adapt(
    dataset: DatasetFolder,
    cohort: Annotated[str, typer.Option(help="Cohort to adapt to.")],
    cases: Annotated[int, typer.Option(help="How many of its annotated training patients to use.")],
    source: Annotated[Path, typer.Option("--from", help="Model folder to start from.")],
    output: ModelOut,
    strategy: Annotated[
        str, typer.Option(help="How to adapt: a name (README, Strategies) or a YAML file.")
    ] = "default",
    source_dataset: Annotated[
        Path | None, typer.Option(help="Dataset of the source model's cases; by default the same.")
    ] = None,
    source_cohort: Annotated[
        str | None, typer.Option(help="Cohort of the source model's cases, for joint, replay and default.")
    ] = None,
    unannotated: Annotated[
        bool, typer.Option(help="Let its other training cases teach without their masks (default).")
    ] = True,
    steps: Steps = None,
    batch_size: BatchSize = None,
    patience: Patience = None,
    devices: Devices = 1,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Adapt a model to another cohort with a few of its cases."""
    from uteroseg import library

    _say_annotated(dataset, [cohort])
    with progress() as update:
        card = library.adapt(
            dataset,
            cohort,
            output,
            cases=cases,
            source=source,
            strategy=strategy,
            source_dataset=source_dataset,
            source_cohort=source_cohort,
            unannotated=unannotated,
            steps=steps,
            batch_size=batch_size,
            patience=patience,
            devices=devices,
            seed=seed,
            on_progress=update,
        )
    _print_model(card, output, as_json=json)


def _say_annotated(dataset: Path, cohorts: list[str]) -> None:
    """Say how many training cases have a mask, where not all have."""
    from uteroseg.dataset.store import Dataset

    store = Dataset.open(dataset)
    for said in filter(None, (store.annotated_in_words(cohort, "train") for cohort in cohorts)):
        warn(said)


def _print_model(card: ModelCard, folder: Path, *, as_json: bool) -> None:
    record = card.training
    seen = ", ".join(f"{count} {cohort}" for cohort, count in record.cases.items())
    values: dict[str, Any] = {"model": str(folder), **card.describe(), "seconds": record.seconds}
    values |= {"unannotated_cases": record.unannotated_cases, "left_out": record.left_out}
    taught = f", {record.unannotated_cases} without a mask" if record.unannotated_cases else ""
    text = (
        f"Model {card.id} in {folder}: {seen} cases{taught}, {record.strategy}, "
        f"{record.steps} steps in {record.seconds:.0f} s."
    )
    print_result(values, f"{text} {RESEARCH_USE}", as_json=as_json)
    if record.left_out:
        warn(f"{len(record.left_out)} cases without a mask cannot be used:")
        warn("\n".join(f"  {case}: {why}" for case, why in record.left_out.items()))
