"""``uteroseg public``: cohorts of NCI Imaging Data Commons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg.cli.console import Json, print_result, progress, warn
from uteroseg.cli.data import DatasetFolder
from uteroseg.cli.incoming import all_well, told

if TYPE_CHECKING:
    from uteroseg.intake.public.collections import Collection
    from uteroseg.intake.public.selection import Selection, Wanted, WantedStudy

app = typer.Typer(no_args_is_help=True, help="Public cohorts of cervical and uterine tumours.")


@app.command("list")
def list_(json: Json = False) -> None:
    """Say what the public collections hold, from the index that is installed: no network is needed."""
    from uteroseg.intake.public.collections import COLLECTIONS
    from uteroseg.intake.public.index import read_index
    from uteroseg.intake.public.selection import select

    index = read_index(COLLECTIONS)
    rows = [_summary(rule, select(rule, index)) for rule in COLLECTIONS.values()]
    text = "\n".join(_row_text(row) for row in rows)
    print_result({"collections": rows}, text, as_json=json)


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A collection, as public list names it.")],
    dataset: DatasetFolder,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the series that would be downloaded.")
    ] = False,
    json: Json = False,
) -> None:
    """Download a public collection and turn it into a dataset, or add it to one."""
    from uteroseg.intake.public.collections import collection_named
    from uteroseg.intake.public.get import downloads_of
    from uteroseg.intake.public.get import get as run
    from uteroseg.intake.public.index import read_citations, read_index
    from uteroseg.intake.public.selection import select

    rule = collection_named(name)
    selection = select(rule, read_index([name]))
    if dry_run:
        _print_selection(rule, selection, as_json=json)
        return
    with progress() as update:
        got = run(
            rule,
            selection,
            dataset,
            citations=read_citations([name]),
            on_file=lambda done, total: update("files", done, total, ""),
            on_study=lambda done, total: update("studies", done, total, ""),
        )
    failed = [{"patient": study.patient, "study": study.uid, "error": str(e)} for study, e in got.failed]
    lines, values = told(got.outcomes, got.unused, dataset)
    lines = [f"FAILED   {one['patient']}, study {one['study']}: {one['error']}" for one in failed] + lines
    lines.append(f"{dataset}: licence and citations are in dataset_description.json.")
    lines.append(f"{downloads_of(dataset)} holds the DICOM files and can be deleted.")
    print_result({**values, "not_downloaded": failed}, "\n".join(lines), as_json=json)
    if failed or not all_well(got.outcomes, got.unused):
        warn("Not everything is in the dataset; the same command goes on with what is missing.")
        raise typer.Exit(2)


def _summary(rule: Collection, selection: Selection) -> dict[str, Any]:
    return {
        "name": rule.name,
        "cohort": rule.cohort,
        "patients": len({study.patient for study in selection.studies}),
        "studies": len(selection.studies),
        "with_contours": sum(bool(study.drawn_on) for study in selection.studies),
        "series": len(selection.series),
        "megabytes": round(sum(series.megabytes for series in selection.series)),
        "licences": sorted({series.licence for series in selection.series}),
        "note": rule.note,
    }


def _row_text(row: dict[str, Any]) -> str:
    if not row["studies"]:
        return f"{row['name']} ({row['cohort']}): nothing to get; {row['note']}"
    counts = (
        f"{row['patients']} patients, {row['studies']} diffusion studies, "
        f"{row['with_contours']} with contours; {row['series']} series, {row['megabytes']} MB; "
        f"{', '.join(row['licences'])}"
    )
    return f"{row['name']} ({row['cohort']}): {counts}\n  {row['note']}"


def _print_selection(rule: Collection, selection: Selection, *, as_json: bool) -> None:
    lines = []
    for study in selection.studies:
        drawn = f", contours drawn on {study.drawn_on}" if study.drawn_on else ""
        lines.append(f"{study.patient}  {study.date}{drawn}")
        lines += [f"  {_wanted_text(wanted)}" for wanted in study.series]
    lines += [f"left out  {one.patient}  {one.date}: {reason}" for one, reason in selection.left_out]
    lines.append(_row_text(_summary(rule, selection)))
    values = {
        **_summary(rule, selection),
        "selected": [_study_json(study) for study in selection.studies],
        "left_out": [
            {"patient": one.patient, "study": one.study, "reason": why} for one, why in selection.left_out
        ],
    }
    print_result(values, "\n".join(lines), as_json=as_json)


def _wanted_text(wanted: Wanted) -> str:
    one = wanted.series
    size = f"{one.files:5} files {one.megabytes:7.1f} MB"
    return f"{wanted.role:9} {one.number:>4}  {one.description:40} {size}  {one.uid}"


def _study_json(study: WantedStudy) -> dict[str, Any]:
    return {
        "patient": study.patient,
        "date": study.date,
        "study": study.uid,
        "drawn_on": study.drawn_on,
        "series": [
            {
                "role": wanted.role,
                "series": wanted.series.uid,
                "number": wanted.series.number,
                "description": wanted.series.description,
                "files": wanted.series.files,
                "megabytes": wanted.series.megabytes,
            }
            for wanted in study.series
        ],
    }
