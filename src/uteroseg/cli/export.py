"""The verb that hands data to other programs: export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uteroseg.cli.console import Json, print_result, progress, warn


class Target(StrEnum):
    """What to write for."""

    NNUNET = "nnunet"


def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A dataset.")],
    to: Annotated[Target, typer.Option("--to", help="nnunet: a raw dataset of nnU-Net v2.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that gets Dataset<id>_<name>, such as nnUNet_raw.")
    ],
    number: Annotated[int, typer.Option("--id", help="nnU-Net's number of the dataset, 1 to 999.")] = 501,
    name: Annotated[str, typer.Option(help="nnU-Net's name of the dataset.")] = "Pelvis",
    cohort: Annotated[
        list[str] | None, typer.Option(help="Which cohorts; may be given several times; by default all.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a dataset as another program reads it."""
    from uteroseg.dataset.store import Dataset
    from uteroseg.model.nnunet import export_nnunet

    dataset = Dataset.open(path)
    with progress() as update:
        done = export_nnunet(
            dataset,
            output,
            number=number,
            name=name,
            cohorts=cohort or (),
            on_case=lambda case, total: update("cases", case, total, ""),
        )
    if done.unannotated:
        warn(f"Test cases without a mask have no label: {', '.join(map(str, done.unannotated))}.")
    print_result(
        {
            "to": to.value,
            "folder": str(done.folder),
            "train": [str(case) for case in done.train],
            "test": [str(case) for case in done.test],
            "unannotated": [str(case) for case in done.unannotated],
        },
        f"{done.folder}: {len(done.train)} train and {len(done.test)} test cases\n"
        f"  next: nnUNetv2_plan_and_preprocess -d {number} -c 2d --verify_dataset_integrity",
        as_json=json,
    )
