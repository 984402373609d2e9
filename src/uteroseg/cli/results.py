"""Verbs that judge: evaluate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder


def evaluate(
    dataset: DatasetFolder,
    predictions: Annotated[
        Path,
        typer.Option(
            help="Folder of masks as 'predict' or nnU-Net (<case>.nii.gz) writes them, or SEG (<case>.dcm)."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; new or empty.")],
    split: Annotated[str, typer.Option(help="Which patients: train, test or all.")] = "test",
    label: Annotated[
        int | None, typer.Option(help="The tumour's value in the masks, where they are not 0 and 1.", min=1)
    ] = None,
    tolerance_mm: Annotated[
        float, typer.Option("--tolerance", help="Tolerance of the NSD, mm.", min=0)
    ] = 2.0,
    json: Json = False,
) -> None:
    """Measure masks, whoever made them, against a dataset's annotations."""
    from uteroseg import library

    with progress() as update:
        assessed = library.evaluate(
            dataset,
            predictions,
            output=output,
            split=split,
            label=label,
            tolerance_mm=tolerance_mm,
            on_progress=update,
        )
    lines = [_group_text(name, group) for name, group in assessed.summary["groups"].items()]
    print_result(
        assessed.summary,
        "\n".join([*lines, f"{output}: cases.csv, summary.json, tables, figures. {RESEARCH_USE}"]),
        as_json=json,
    )
    if assessed.summary["annotated"] < assessed.summary["cases"]:
        warn(f"{assessed.summary['annotated']} of {assessed.summary['cases']} cases are annotated.")
    if assessed.problems:
        warn("\n".join([f"{len(assessed.problems)} masks or cases do not count:", *assessed.problems]))
        raise typer.Exit(2)


def _group_text(name: str, group: dict[str, Any]) -> str:
    if not group["patients"]:
        return f"{name}: nothing was measured"
    dsc, distance = group["dsc"], group["hd95_mm"]
    return (
        f"{name}: mean DSC {dsc['mean']:.3f}, median {dsc['median']:.3f}, "
        f"median HD95 {distance['median']:.1f} mm, {group['patients']} patients, "
        f"{group['missed_tumours']} of {group['tumours']} tumours missed"
    )


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An experiment's folder.")],
    json: Json = False,
) -> None:
    """Write an experiment's report again."""
    from uteroseg.experiment.report.page import write_report

    path = write_report(directory)
    print_result({"report": str(path)}, str(path), as_json=json)
