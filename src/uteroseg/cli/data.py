"""Verbs that need no scanner files: simulate a dataset, split one by patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.read_options import numbers_of
from uteroseg.errors import UserError

DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset (BIDS folder).")]


def simulate(
    dataset: DatasetFolder,
    cohort: Annotated[str, typer.Option(help="cervical or uterine.")],
    cases: Annotated[int, typer.Option(help="Number of patients.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same patients.")] = 1,
    scanner: Annotated[
        str | None,
        typer.Option(
            help="Whose protocol and artefacts: siemens-skyra-3t (default), siemens-trio-3t, ge-signa-1.5t, "
            "philips-ingenia-3t."
        ),
    ] = None,
    plane: Annotated[str | None, typer.Option(help="sagittal or axial, instead of the scanner's.")] = None,
    b_values: Annotated[
        str | None, typer.Option(help="s/mm² ('0,500,1000'), instead of the scanner's.")
    ] = None,
    snr: Annotated[
        float | None, typer.Option(help="Signal-to-noise ratio at b 0, instead of the scanner's.")
    ] = None,
    tumour_free: Annotated[str, typer.Option(help="Share of patients without a tumour: 10% or 0.1.")] = "0",
    second_reader: Annotated[
        bool, typer.Option("--second-reader", help="Add another reader's masks.")
    ] = False,
    reader_dsc: Annotated[
        float | None, typer.Option(help="Mean DSC between the readers; 0.90 unless given.")
    ] = None,
    randomise: Annotated[
        bool, typer.Option("--randomise", help="Contrasts beyond what is realistic, for pretraining.")
    ] = False,
    dicom: Annotated[Path | None, typer.Option(help="Also write images and masks here as DICOM.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of the DICOM files: classic (default) or enhanced.")
    ] = None,
    annotate_t2: Annotated[
        str | None,
        typer.Option(
            help="Also write a T2 series as DICOM, with the tumour drawn on it instead: rtstruct or seg."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add virtual patients to a dataset."""
    from uteroseg import library

    with progress() as update:
        done = library.simulate(
            dataset,
            cohort,
            cases=cases,
            seed=seed,
            scanner=scanner,
            plane=plane,
            b_values=numbers_of(b_values),
            snr=snr,
            tumour_free=_share(tumour_free, "--tumour-free"),
            reader_dsc=0.90 if second_reader and reader_dsc is None else reader_dsc,
            randomise=randomise,
            dicom=dicom,
            encoding=encoding,
            annotate_t2=annotate_t2,
            on_progress=update,
        )
    text = f"{done.added} virtual {cohort} patients added to {dataset}"
    if present := cases - done.added:
        text += f", {present} were there already"
    if done.cut:
        warn(f"The scanned slices do not hold all of the tumour of {', '.join(done.cut)}.")
    values = {"added": done.added, "present": present, "cut": list(done.cut), "dataset": str(dataset)}
    print_result(values, text, as_json=json)


def split(
    dataset: DatasetFolder,
    test: Annotated[float, typer.Option(help="Share of patients to keep for testing.")] = 0.2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 1,
    stratify: Annotated[str | None, typer.Option(help="Keep the share within histology or site.")] = None,
    json: Json = False,
) -> None:
    """Assign patients to train and test; those that have a split keep it."""
    from collections import Counter

    from uteroseg.dataset.split import assign_splits
    from uteroseg.dataset.store import Dataset

    store = Dataset.open(dataset)
    assigned = assign_splits(store, test=test, seed=seed, stratify=stratify)
    counts = Counter((p.cohort, p.split) for p in store.participants.values())
    cohorts = sorted({cohort for cohort, _ in counts})
    table = {c: {s: counts[c, s] for s in ("train", "test")} for c in cohorts}
    lines = [f"{assigned} patients assigned in {dataset}"]
    lines += [f"  {c}: {n['train']} train, {n['test']} test" for c, n in table.items()]
    print_result({"assigned": assigned, "cohorts": table}, "\n".join(lines), as_json=json)


def _share(text: str, option: str) -> float:
    """A share, as a number or in per cent."""
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise UserError(
            f"{option} is {text!r}.", expected="a share such as 10% or 0.1.", fix=f"correct {option}."
        ) from None
