"""What ``ingest`` does with images of other programs: NIfTI, nnU-Net, Medical Segmentation Decathlon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from uteroseg.cli.console import print_result, progress, warn
from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.dataset.store import Dataset
    from uteroseg.intake.study import FileStudy
    from uteroseg.intake.take import Taken

Kind = Literal["dicom", "nifti", "nnunet"]


def kind_of(source: Path) -> Kind:
    """What a source holds, from the names of its files.

    Raises
    ------
    UserError
        If it holds scanner files beside NIfTI images with ``.bval``, or is a dataset of ours.
    """
    if (source / "dataset.json").is_file() and (source / "imagesTr").is_dir():
        return "nnunet"
    if not source.is_dir():
        return "dicom"
    from uteroseg.dataset.skeleton import made_by_uteroseg

    if made_by_uteroseg(source):
        raise UserError(
            f"{source} is a dataset of uteroseg already.",
            expected="images that are not in a dataset yet.",
            fix="use it as it is, or copy the folder and its key.",
        )
    endings = {path.suffix.lower() for path in source.rglob("*") if path.suffix}
    if ".bval" not in endings:
        return "dicom"
    if ".dcm" in endings:
        raise UserError(
            f"{source} holds both scanner files (.dcm) and NIfTI images with .bval.",
            expected="one of the two.",
            fix="name the folder of the scanner files, which tell more.",
        )
    return "nifti"


def ingest_images(
    kind: Literal["nifti", "nnunet"],
    source: Path,
    dataset: Path,
    *,
    cohort: str | None,
    annotations: Path | None,
    label: str | None,
    adc_b_min: float,
    dry_run: bool,
    json: bool,
) -> None:
    """Take the images of a folder into a dataset, and say what became of each."""
    from uteroseg.intake.original import original_in
    from uteroseg.intake.take import Origin, take_studies

    if kind == "nnunet" and (original := original_in(source)):
        _copy(original, dataset, cohort, dry_run=dry_run, json=json)
        return
    studies, kind_name = _find(kind, source, annotations, label)
    if cohort is None:
        raise no_cohort()
    with progress() as update:
        taken = take_studies(
            studies,
            dataset,
            Origin(kind_name, source.resolve().name, cohort),
            adc_b_min=adc_b_min,
            only_look=dry_run,
            on_study=lambda done, total: update("studies", done, total, ""),
        )
    counts = Counter(one.status for one in taken)
    lines = [_text(one) for one in taken]
    became = ", ".join(f"{number} {status}" for status, number in counts.items())
    patients = len({one.found.patient for one in taken})
    lines.append(f"{dataset}: {became} ({len(taken)} studies of {patients} patients)")
    print_result(
        {"patients": patients, "studies": [_json(one) for one in taken]}, "\n".join(lines), as_json=json
    )
    if counts["failed"]:
        warn(f"{counts['failed']} of {len(taken)} studies could not be ingested.")
        raise typer.Exit(2)


def no_cohort() -> UserError:
    """The error of a source that names no cohort."""
    return UserError(
        "No cohort is named.",
        expected="the cohort that these patients belong to, such as 'uterine'.",
        fix="add --cohort NAME.",
    )


def _find(
    kind: Kind, source: Path, annotations: Path | None, label: str | None
) -> tuple[Sequence[FileStudy], str]:
    from uteroseg.annotations.table import read_annotations
    from uteroseg.intake.nifti import find_nifti
    from uteroseg.intake.nnunet import find_nnunet, is_decathlon

    if kind == "nifti":
        if label is not None:
            raise UserError(
                "--label belongs to nnU-Net and Decathlon data.",
                expected="NIfTI masks with their label in the annotation table.",
                fix="write the value in the column 'label'.",
            )
        return find_nifti(source, read_annotations(annotations) if annotations else []), kind
    if annotations is not None:
        raise UserError(
            "--annotations is given, and the source has labels of its own.",
            expected="nnU-Net or Decathlon data with labelsTr.",
            fix="leave out --annotations.",
        )
    return find_nnunet(source, label=label), "decathlon" if is_decathlon(source) else "nnunet"


def _copy(original: Dataset, root: Path, cohort: str | None, *, dry_run: bool, json: bool) -> None:
    from uteroseg.intake.original import copy_dataset

    if cohort is not None:
        cohorts = sorted({person.cohort for person in original.participants.values()})
        raise UserError(
            f"This export holds the dataset that it was made from, with the cohorts {', '.join(cohorts)}.",
            expected="no --cohort: every patient keeps their own.",
            fix="leave out --cohort.",
        )
    cases = [str(case) for case in original.cases()]
    if not dry_run:
        copy_dataset(original, root)
    text = f"{root}: {len(cases)} cases, as they were exported"
    values = {"studies": [{"status": "readable" if dry_run else "added", "case": case} for case in cases]}
    print_result(values, text, as_json=json)


def _json(taken: Taken) -> dict[str, object]:
    return {
        "study": taken.found.name,
        "status": taken.status,
        "case": str(taken.case) if taken.case else None,
        "split": taken.found.split,
        "b_values": list(taken.b_values),
        "mask_ml": taken.mask_ml,
        "left_out": list(taken.found.left_out),
        "error": taken.error,
    }


def _text(taken: Taken) -> str:
    name = taken.found.name
    if taken.status == "failed":
        return f"FAILED   {name}: {taken.error}"
    if taken.status == "present":
        return f"present  {taken.case} is {name} already"
    parts = [f"b {', '.join(f'{b:g}' for b in taken.b_values)} s/mm²"]
    parts.append("no mask" if taken.mask_ml is None else f"mask {taken.mask_ml:.2f} mL")
    if taken.found.left_out:
        parts.append(f"left out {', '.join(taken.found.left_out)}")
    case = f"{taken.case} from {name}" if taken.case else name
    return f"{taken.status:8} {case}: {', '.join(parts)}"
