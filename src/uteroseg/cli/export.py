"""The verb that hands data and models to other programs: export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uteroseg.cli.console import Json, print_result, progress, warn


class Target(StrEnum):
    """What to write for."""

    NNUNET = "nnunet"
    MONAI = "monai"
    ONNX = "onnx"


def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A dataset, or a model folder.")],
    to: Annotated[
        Target,
        typer.Option(
            "--to",
            help="nnunet: a dataset as nnU-Net v2 has it; monai: a model as a MONAI bundle; "
            "onnx: a model as plain ONNX with its spec.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder to write; with nnunet the one that gets Dataset<id>_<name>."
        ),
    ],
    number: Annotated[int, typer.Option("--id", help="nnU-Net's number of the dataset, 1 to 999.")] = 501,
    name: Annotated[str, typer.Option(help="nnU-Net's name of the dataset.")] = "Pelvis",
    cohort: Annotated[
        list[str] | None, typer.Option(help="Which cohorts; may be given several times; by default all.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a dataset or a model as another program reads it."""
    if to is not Target.NNUNET:
        _export_model(path, to, output, as_json=json)
        return
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


def _export_model(model: Path, to: Target, output: Path, *, as_json: bool) -> None:
    if to is Target.MONAI:
        from uteroseg.network.monai_bundle import RUN, export_monai

        card, following = export_monai(model, output), f"in {output}: {RUN}"
    else:
        from uteroseg.model.plain_onnx import SPEC, export_plain_onnx

        card, following = export_plain_onnx(model, output), f"{output / SPEC} says what goes in and comes out"
    print_result(
        {"to": to.value, "folder": str(output), "model": card.describe()},
        f"{output}: model {card.id} for {to.value}\n  next: {following}",
        as_json=as_json,
    )
