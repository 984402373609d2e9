"""Verbs that judge: evaluate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder


def evaluate(
    dataset: DatasetFolder,
    predictions: Annotated[
        Path, typer.Option(help="Folder with <case>/mask.nii.gz or <case>.nii.gz for each case.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; new or empty.")],
    split: Annotated[str, typer.Option(help="Which patients: train, test or all.")] = "test",
    json: Json = False,
) -> None:
    """Measure predicted masks against a dataset's annotations."""
    from uteroseg.dataset.store import Dataset
    from uteroseg.evaluation.cases import measure_cases, predicted_mask, require_cases, summarise, write_rows
    from uteroseg.files import require_new, staged_folder, write_json

    require_new(output)
    store = Dataset.open(dataset)
    cases = require_cases(store, split)
    with progress() as update:
        rows, problems = measure_cases(
            store,
            cases,
            lambda case: predicted_mask(predictions, case),
            lambda done: update("cases", done, len(cases), ""),
        )
    summary = {**summarise(rows), "problems": problems}
    with staged_folder(output) as stage:
        write_rows(stage / "cases.csv", rows)
        write_json(stage / "summary.json", summary)
    lines = [
        f"{name}: mean DSC {group['mean']:.3f}, {group['patients']} patients, "
        f"{group['missed_tumours']} missed tumours"
        for name, group in summary["dsc"].items()
        if group["patients"]
    ]
    print_result(summary, "\n".join([*lines, f"{output / 'cases.csv'}. {RESEARCH_USE}"]), as_json=json)
    if problems:
        warn("\n".join([f"{len(problems)} of {len(cases)} cases could not be measured:", *problems]))
        raise typer.Exit(2)


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An experiment's folder.")],
    json: Json = False,
) -> None:
    """Write an experiment's report again."""
    from uteroseg.report.page import write_report

    path = write_report(directory)
    print_result({"report": str(path)}, str(path), as_json=json)
