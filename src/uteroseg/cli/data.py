"""Verbs that make datasets: simulate, ingest, split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg.cli.annotating import Annotations, Pictures, Register, Roi, RoiColour, choice_of, mask_text
from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.reading import AdcBMin, Align, BValues, DropIncomplete, numbers_of, reading_of
from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.dataset.annotate import Arrived
    from uteroseg.dataset.ingest import Outcome
    from uteroseg.dataset.layout import CaseId
    from uteroseg.dicom.studies import FoundStudy, SeriesUse
    from uteroseg.imaging.study import DwiStudy

_NO_DIFFUSION = "its DICOM study has no diffusion series"
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
    from dataclasses import replace

    from uteroseg.phantom.acquisition import DEFAULT
    from uteroseg.phantom.cohort import simulate_cohort
    from uteroseg.phantom.presets import acquisition_named

    for option, value in (("--encoding", encoding), ("--annotate-t2", annotate_t2)):
        if value and not dicom:
            raise UserError(
                f"{option} is {value!r}, and no DICOM files are to be written.",
                expected="--dicom with a folder for them.",
                fix=f"add --dicom DIR, or leave out {option}.",
            )
    chosen = {"plane": plane, "b_values": numbers_of(b_values) or None, "snr": snr}
    own = {name: value for name, value in chosen.items() if value is not None}
    acquisition = replace(acquisition_named(DEFAULT.name if scanner is None else scanner), **own)  # type: ignore[arg-type]
    with progress() as update:
        done = simulate_cohort(
            dataset,
            cohort,
            cases=cases,
            seed=seed,
            acquisition=acquisition,
            tumour_free=_share(tumour_free, "--tumour-free"),
            reader_dsc=0.90 if second_reader and reader_dsc is None else reader_dsc,
            randomise=randomise,
            dicom=dicom,
            encoding=encoding or "classic",
            t2_annotation=annotate_t2,
            on_case=lambda number: update("virtual patients", number, cases, ""),
        )
    text = f"{done.added} virtual {cohort} patients added to {dataset}"
    if present := cases - done.added:
        text += f", {present} were there already"
    if done.cut:
        warn(f"The scanned slices do not hold all of the tumour of {', '.join(done.cut)}.")
    values = {"added": done.added, "present": present, "cut": list(done.cut), "dataset": str(dataset)}
    print_result(values, text, as_json=json)


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
    from collections import Counter

    from uteroseg.cli.interchange import ingest_images, kind_of, no_cohort
    from uteroseg.dataset.ingest import find, preview
    from uteroseg.dataset.ingest import ingest as run
    from uteroseg.dataset.matching import match
    from uteroseg.dicom.archive import unpacked
    from uteroseg.dicom.choices import Reading
    from uteroseg.dicom.studies import SeriesUse

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
    unused: list[UserError] = []
    if dry_run:
        with unpacked(source) as folder:
            studies, scan = find(folder)
            matches = match(annotations, studies, folder, choice) if annotations else None
            outcomes = [preview(study, reading, matches) for study in studies]
            unused += matches.unused if matches else ()
        examined = {use.series for study in studies for use in study.uses}
        spare = [SeriesUse(s, False, _NO_DIFFUSION) for s in scan.series if s not in examined]
        unreadable = [{"file": str(f.path), "reason": f.reason} for f in scan.skipped]
        lines = [f"{_found_text(outcome.found)}\n  {outcome_text(outcome)}" for outcome in outcomes]
        lines += [*map(_use_text, spare), *(f"unreadable: {f['file']}: {f['reason']}" for f in unreadable)]
        lines += [f"UNUSED   {error}" for error in unused]
        values = {
            "studies": [{**_found_json(o.found), **outcome_json(o)} for o in outcomes],
            "other_series": [_use_json(use) for use in spare],
            "unreadable": unreadable,
            "unused_annotations": [str(error) for error in unused],
        }
        print_result(values, "\n".join(lines), as_json=json)
        if unused or any(outcome.status == "failed" for outcome in outcomes):
            raise typer.Exit(2)
        return

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


def _found_json(study: FoundStudy) -> dict[str, object]:
    return {
        "folder": str(study.folder),
        "study_uid": study.study_uid,
        "series": [_use_json(use) for use in study.uses],
    }


def _use_json(use: SeriesUse) -> dict[str, object]:
    return {
        "number": use.series.number,
        "description": use.series.description,
        "kind": use.series.kind.value,
        "files": len(use.series.files),
        "used": use.used,
        "reason": use.reason,
    }


def _found_text(study: FoundStudy) -> str:
    title = f"Diffusion study in {study.folder}, StudyInstanceUID {study.study_uid}"
    return "\n".join([title, *map(_use_text, study.uses)])


def _use_text(use: SeriesUse) -> str:
    mark = "used    " if use.used else "not used"
    return f"  {mark}  {use.series.name}, {len(use.series.files)} files: {use.reason}"


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """What became of a study, for a machine."""
    return {
        "folder": str(outcome.found.folder),
        "status": outcome.status,
        "case": str(outcome.case) if outcome.case else None,
        "b_values": list(outcome.b_values),
        "b_value_source": outcome.b_value_source,
        "annotation": str(outcome.annotation) if outcome.annotation else None,
        "annotation_source": outcome.annotation_source or None,
        "mask_ml": outcome.mask_ml,
        "outside_ml": outcome.outside_ml,
        "registration": outcome.registration,
        "left_out": list(outcome.left_out),
        "error": outcome.error,
    }


def outcome_text(outcome: Outcome) -> str:
    """What became of a study, for a person."""
    folder = outcome.found.folder
    if outcome.status == "failed":
        return f"FAILED   {folder}: {outcome.error}"
    if outcome.status == "present":
        return f"present  {outcome.case} is the study in {folder} already"
    b_values = ", ".join(f"{b:g}" for b in outcome.b_values)
    case = f"{outcome.case} from {folder}" if outcome.case else f"{folder}"
    parts = [
        f"b {b_values} s/mm² (read from {outcome.b_value_source})",
        f"{'with' if outcome.found.adc else 'without'} scanner ADC",
    ]
    if outcome.case:
        parts.append(mask_text(outcome))
    elif outcome.annotation:
        parts.append(f"mask from {outcome.annotation}")
    if outcome.left_out:
        parts.append(f"left out {', '.join(outcome.left_out)}")
    return f"{outcome.status:8} {case}: {', '.join(parts)}"
