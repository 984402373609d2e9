"""Verbs that make and use models: train, adapt, predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress
from uteroseg.cli.data import DatasetFolder
from uteroseg.cli.reading import AdcBMin, Align, BValues, DropIncomplete, reading_of

if TYPE_CHECKING:
    from uteroseg.inference.outputs import Finding
    from uteroseg.model.spec import ModelCard

ModelOut = Annotated[Path, typer.Option("--output", "-o", help="Model folder to write; new or empty.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same model on the same machine.")]
Steps = Annotated[int | None, typer.Option(help="Number of optimiser steps.")]


def train(
    dataset: DatasetFolder,
    cohort: Annotated[list[str], typer.Option(help="Cohort to train on; twice for joint training.")],
    output: ModelOut,
    steps: Steps = None,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Train a model on the training cases of one or more cohorts."""
    from dataclasses import replace

    from uteroseg.dataset.store import Dataset
    from uteroseg.model.spec import ModelSpec
    from uteroseg.training.train import TRAIN
    from uteroseg.training.train import train as run

    recipe = TRAIN if steps is None else replace(TRAIN, steps=steps)
    with progress() as update:
        card = run(
            Dataset.open(dataset),
            cohort,
            output,
            spec=ModelSpec(),
            recipe=recipe,
            seed=seed,
            on_step=lambda step, loss: update("training steps", step, recipe.steps, f"loss {loss:.2f}"),
        )
    _print_model(card, output, as_json=json)


def adapt(
    dataset: DatasetFolder,
    cohort: Annotated[str, typer.Option(help="Cohort to adapt to.")],
    cases: Annotated[int, typer.Option(help="How many of its training patients to use.")],
    source: Annotated[Path, typer.Option("--from", help="Model folder to start from.")],
    output: ModelOut,
    strategy: Annotated[
        str, typer.Option(help="Layers to train: all, encoder-early, encoder, decoder or head.")
    ] = "encoder-early",
    steps: Steps = None,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Adapt a model to another cohort with a few of its cases."""
    from dataclasses import replace

    from uteroseg.dataset.store import Dataset
    from uteroseg.training.strategy import strategy_named
    from uteroseg.training.train import ADAPT
    from uteroseg.training.train import adapt as run

    recipe = ADAPT if steps is None else replace(ADAPT, steps=steps)
    with progress() as update:
        card = run(
            Dataset.open(dataset),
            cohort,
            output,
            cases=cases,
            source=source,
            strategy=strategy_named(strategy),
            recipe=recipe,
            seed=seed,
            on_step=lambda step, loss: update("training steps", step, recipe.steps, f"loss {loss:.2f}"),
        )
    _print_model(card, output, as_json=json)


def predict(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="DICOM folder or zip, NIfTI with .bval, or dataset.")
    ],
    model: Annotated[Path, typer.Option("--model", "-m", help="Model folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; new or empty.")],
    b_values: BValues = None,
    drop_incomplete: DropIncomplete = False,
    align: Align = False,
    adc_b_min: AdcBMin = 0.0,
    json: Json = False,
) -> None:
    """Segment the tumour in every study of a folder."""
    from uteroseg.dicom.archive import unpacked
    from uteroseg.inference.batch import predict_all

    reading = reading_of(b_values, drop_incomplete, align, adc_b_min)
    with unpacked(source) as folder, progress() as update:
        findings, card = predict_all(
            folder,
            model,
            output,
            reading=reading,
            on_study=lambda finding, done, total: update("studies", done, total, ""),
        )
    lines = [_finding_text(finding, output) for finding in findings]
    if card.training.virtual:
        lines.append("The model was trained on virtual patients: what it finds means nothing clinically.")
    print_result(
        {"output": str(output), "notice": RESEARCH_USE, "studies": [vars(finding) for finding in findings]},
        "\n".join([*lines, f"{output / 'predictions.csv'} lists all studies. {RESEARCH_USE}"]),
        as_json=json,
    )
    if any(finding.error for finding in findings):
        raise typer.Exit(2)


def _print_model(card: ModelCard, folder: Path, *, as_json: bool) -> None:
    record = card.training
    seen = ", ".join(f"{count} {cohort}" for cohort, count in record.cases.items())
    values: dict[str, Any] = {"model": str(folder), **card.describe(), "seconds": record.seconds}
    text = f"Model {card.id} in {folder}: {seen} cases, {record.steps} steps in {record.seconds:.0f} s."
    print_result(values, f"{text} {RESEARCH_USE}", as_json=as_json)


def _finding_text(finding: Finding, output: Path) -> str:
    if finding.error:
        return f"FAILED {finding.origin}: {finding.error}"
    adc = "" if finding.mean_adc is None else f", mean ADC {finding.mean_adc:.2f} · 10⁻³ mm²/s"
    warnings = f", {len(finding.warnings)} warnings (result.json)" if finding.warnings else ""
    dsc = "" if finding.expected_dsc is None else f", expected DSC {finding.expected_dsc:.2f}"
    return f"{output / finding.case}: tumour {finding.volume_ml:.1f} mL{adc}{dsc}{warnings}"
