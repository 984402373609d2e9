"""The verb that takes in what a hospital has: ingest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder
from uteroseg.cli.incoming import (
    Annotations,
    Pictures,
    Register,
    Roi,
    RoiColour,
    all_well,
    choice_of,
    told,
)
from uteroseg.cli.read_options import AdcBMin, Align, BValues, DropIncomplete, NiftiForm, read_options
from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.annotations.placement import PlacedAnnotation
    from uteroseg.dataset.layout import CaseId
    from uteroseg.dicom.studies import SeriesUse
    from uteroseg.imaging.study import DwiStudy
    from uteroseg.intake.outcome import Outcome
    from uteroseg.intake.source import Source


def ingest(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A folder or zip archive: DICOM files; NIfTI images with .bval, or ADC maps with a high b; "
            "a dataset of nnU-Net or the Medical Segmentation Decathlon.",
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
    replace_masks: Annotated[
        bool,
        typer.Option(
            "--replace-masks", help="Take masks that differ from the dataset's, which it keeps as versions."
        ),
    ] = False,
    pictures: Pictures = None,
    label: Annotated[
        str | None, typer.Option(help="nnU-Net, Decathlon: the tumour's label, where there are several.")
    ] = None,
    b_values: BValues = None,
    drop_incomplete: DropIncomplete = False,
    align: Align = False,
    adc_b_min: AdcBMin = 0.0,
    nifti_form: NiftiForm = None,
    no_t2: Annotated[bool, typer.Option("--no-t2", help="Do not keep the examination's T2.")] = False,
    link: Annotated[
        Path | None,
        typer.Option(help="Table (CSV), outside the dataset, to say which case is which patient and study."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, check and say everything, and write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Turn scanner files, NIfTI images or nnU-Net's data into a dataset, or add to one."""
    from uteroseg.intake.ingest import take_in
    from uteroseg.intake.source import open_source

    def draw(case: CaseId, study: DwiStudy, placed: PlacedAnnotation) -> None:
        if pictures:
            from uteroseg.inference.contact_sheet import write_sheet

            write_sheet(pictures / f"{case}.png", str(case), study, placed)

    options = read_options(b_values, drop_incomplete, align, adc_b_min, nifti_form)
    opening = open_source(
        source,
        annotations=annotations,
        choice=choice_of(roi, roi_colour),
        register=register,
        options=options,
        label=label,
    )
    notes: list[str] = []
    with opening as opened, progress() as update:
        if cohort is None and opened.original is None:
            raise UserError(
                "No cohort is named.",
                expected="the cohort that these patients belong to, such as 'uterine'.",
                fix="add --cohort NAME.",
            )
        outcomes = take_in(
            opened,
            dataset,
            cohort=cohort,
            link=link,
            replace_masks=replace_masks,
            keep_t2=not no_t2,
            write=not dry_run,
            adc_b_min=adc_b_min,
            on_study=lambda done, total: update("studies", done, total, ""),
            on_mask=draw,
            on_note=notes.append,
        )
        lines, values = told(outcomes, opened.unused, dataset, dry_run=dry_run)
        found_lines, found_values = _found(opened, outcomes, values["studies"]) if dry_run else ([], {})
    print_result(
        {**found_values, **values, "notes": notes},
        "\n".join([*found_lines, *notes, *lines]),
        as_json=json,
    )
    if not all_well(outcomes, opened.unused):
        warn("Not everything came in as it is; the lines above say what and why.")
        raise typer.Exit(2)


def _found(
    source: Source, outcomes: Sequence[Outcome], told_of: list[dict[str, object]]
) -> tuple[list[str], dict[str, object]]:
    """Which series are used and why the others are not, for DICOM; studies are told of theirs."""
    if source.scan is None:
        return [], {}
    from dataclasses import replace

    from uteroseg.dicom.studies import SeriesUse
    from uteroseg.intake.dicom import DicomStudy

    studies = [study for study in source.studies if isinstance(study, DicomStudy)]
    examined = {file for study in studies for use in study.uses for file in use.series.files}
    no_diffusion = "its DICOM study has no diffusion series"
    spare = [
        SeriesUse(one, False, no_diffusion)
        for one in source.scan.series
        if examined.isdisjoint(one.files)  # series that were joined are told as one
    ]
    lines = []
    for study, outcome, values in zip(studies, outcomes, told_of, strict=True):
        uses = [
            replace(use, used=True, reason="T2 that is kept beside it")
            if use.series.name == outcome.t2
            else replace(use, reason=source.told(use.reason))
            for use in study.uses
        ]
        values["series"] = [_use_json(use) for use in uses]
        lines.append(f"Diffusion study in {outcome.study}, StudyInstanceUID {study.examination}")
        lines += map(_use_text, uses)
    lines += map(_use_text, spare)
    unreadable = [(source.told(str(file.path)), file.reason) for file in source.scan.skipped]
    lines += [f"  unreadable {file}: {reason}" for file, reason in unreadable]
    rest: dict[str, object] = {
        "other_series": [_use_json(use) for use in spare],
        "unreadable": [{"file": file, "reason": reason} for file, reason in unreadable],
    }
    return lines, rest


def _use_json(use: SeriesUse) -> dict[str, object]:
    return {
        "number": use.series.number,
        "description": use.series.description,
        "kind": use.series.kind.value,
        "files": len(use.series.files),
        "used": use.used,
        "reason": use.reason,
    }


def _use_text(use: SeriesUse) -> str:
    mark = "used    " if use.used else "not used"
    return f"  {mark}  {use.series.name}, {len(use.series.files)} files: {use.reason}"
