"""The verb that takes in what a hospital has: ingest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg.cli.annotating import Annotations, Pictures, Register, Roi, RoiColour, choice_of
from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder
from uteroseg.cli.outcomes import found_json, found_text, outcome_json, outcome_text, use_json, use_text
from uteroseg.cli.reading import AdcBMin, Align, BValues, DropIncomplete, reading_of
from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.annotations.arrive import Arrived
    from uteroseg.annotations.regions import Choice
    from uteroseg.dataset.layout import CaseId
    from uteroseg.dicom.choices import Reading
    from uteroseg.imaging.study import DwiStudy

_NO_DIFFUSION = "its DICOM study has no diffusion series"


def ingest(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A folder or zip archive of DICOM files; a folder of NIfTI images with .bval; a dataset of "
            "nnU-Net or the Medical Segmentation Decathlon.",
        ),
    ],
    dataset: DatasetFolder,
    cohort: Annotated[
        str | None, typer.Option(help="Name of the cohort that these patients belong to.")
    ] = None,
    annotations: Annotations = None,
    roi: Roi = None,
    roi_colour: RoiColour = None,
    register: Register = False,
    pictures: Pictures = None,
    label: Annotated[
        str | None, typer.Option(help="nnU-Net, Decathlon: the tumour's label, where there are several.")
    ] = None,
    b_values: BValues = None,
    drop_incomplete: DropIncomplete = False,
    align: Align = False,
    adc_b_min: AdcBMin = 0.0,
    link: Annotated[
        Path | None,
        typer.Option(help="Table (CSV), outside the dataset, to say which case is which patient and study."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be used and why.")] = False,
    json: Json = False,
) -> None:
    """Turn scanner files, NIfTI images or nnU-Net's data into a dataset, or add to one."""
    from uteroseg.cli.interchange import ingest_images, kind_of, no_cohort
    from uteroseg.dicom.archive import unpacked
    from uteroseg.dicom.choices import Reading
    from uteroseg.intake.ingest import ingest as run

    reading = reading_of(b_values, drop_incomplete, align, adc_b_min)
    choice = choice_of(roi, roi_colour)
    if (kind := kind_of(source)) != "dicom":
        of_dicom = (link, roi, roi_colour, pictures) != (None,) * 4 or register
        if of_dicom or reading != Reading(adc_b_min=adc_b_min):
            raise UserError(
                f"{source} does not hold DICOM files.",
                expected="DICOM, where it is to be said how its files are read, linked or matched.",
                fix="leave out --b-values, --drop-incomplete, --align, --link, --roi, --roi-colour, "
                "--register and --pictures.",
            )
        ingest_images(
            kind,
            source,
            dataset,
            cohort=cohort,
            annotations=annotations,
            label=label,
            adc_b_min=adc_b_min,
            dry_run=dry_run,
            json=json,
        )
        return
    if label is not None:
        raise UserError(
            f"--label is {label!r}, and {source} holds neither nnU-Net's nor Decathlon data.",
            expected="the label of a mask in the annotation table.",
            fix="leave out --label.",
        )
    if cohort is None:
        raise no_cohort()
    if dry_run:
        _look(source, reading, annotations, choice, json)
        return
    unused: list[UserError] = []

    def draw(case: CaseId, study: DwiStudy, arrived: Arrived) -> None:
        if pictures:
            from uteroseg.inference.contact_sheet import write_sheet

            write_sheet(pictures / f"{case}.png", str(case), study, arrived)

    with unpacked(source) as folder, progress() as update:
        outcomes = run(
            folder,
            dataset,
            cohort=cohort,
            annotations=annotations,
            choice=choice,
            register=register,
            reading=reading,
            link=link,
            on_study=lambda done, total: update("studies", done, total, ""),
            on_mask=draw,
            on_unused=unused.append,
        )
    counts = Counter(outcome.status for outcome in outcomes)
    values = {
        "studies": [outcome_json(outcome) for outcome in outcomes],
        "unused_annotations": [str(error) for error in unused],
    }
    lines = [outcome_text(outcome) for outcome in outcomes]
    lines += [f"UNUSED   {error}" for error in unused]
    lines.append(f"{dataset}: " + ", ".join(f"{number} {status}" for status, number in counts.items()))
    print_result(values, "\n".join(lines), as_json=json)
    if counts["failed"]:
        warn(f"{counts['failed']} of {len(outcomes)} studies could not be ingested.")
    if unused:
        warn(f"{len(unused)} annotation files belong to no study.")
    if counts["failed"] or unused:
        raise typer.Exit(2)


def _look(source: Path, reading: Reading, annotations: Path | None, choice: Choice, json: bool) -> None:
    """Say what would be used and why; nothing is written."""
    from uteroseg.annotations.matching import match
    from uteroseg.dicom.archive import unpacked
    from uteroseg.dicom.studies import SeriesUse
    from uteroseg.intake.ingest import find, preview

    with unpacked(source) as folder:
        studies, scan = find(folder)
        matches = match(annotations, studies, folder, choice) if annotations else None
        outcomes = [preview(study, reading, matches) for study in studies]
    unused = matches.unused if matches else ()
    examined = {use.series for study in studies for use in study.uses}
    spare = [SeriesUse(s, False, _NO_DIFFUSION) for s in scan.series if s not in examined]
    unreadable = [{"file": str(f.path), "reason": f.reason} for f in scan.skipped]
    lines = [f"{found_text(outcome.found)}\n  {outcome_text(outcome)}" for outcome in outcomes]
    lines += [*map(use_text, spare), *(f"unreadable: {f['file']}: {f['reason']}" for f in unreadable)]
    lines += [f"UNUSED   {error}" for error in unused]
    values = {
        "studies": [{**found_json(o.found), **outcome_json(o)} for o in outcomes],
        "other_series": [use_json(use) for use in spare],
        "unreadable": unreadable,
        "unused_annotations": [str(error) for error in unused],
    }
    print_result(values, "\n".join(lines), as_json=json)
    if unused or any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(2)
