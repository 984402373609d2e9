"""Verbs that look at folders: check, info."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg.cli.console import Json, print_result, progress

if TYPE_CHECKING:
    from rich.table import Table

    from uteroseg.dataset.check.finding import Finding
    from uteroseg.dataset.check.run import Report


def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset (BIDS folder).")],
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for contact sheets (PNG): every case with its mask.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; by default one for each core.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Look for everything that is wrong with a dataset. Errors end with code 2, warnings alone with 0."""
    from uteroseg.dataset.check.run import check_dataset

    with progress() as update:
        report = check_dataset(
            dataset,
            pictures=pictures,
            workers=workers,
            on_case=lambda done, total: update("cases", done, total, ""),
        )
    errors, warnings = len(report.of("error")), len(report.of("warning"))
    text = f"{dataset}: {len(report.cases)} cases, {report.annotated} of them annotated, "
    text += f"{errors} errors, {warnings} warnings"
    if report.sheets:
        text += f"\n{len(report.sheets)} contact sheets in {pictures}"
    if report.findings and not json:
        from rich.console import Console

        Console().print(_table(report))
    print_result(report.describe(), text, as_json=json)
    if errors:
        raise typer.Exit(2)


def _table(report: Report) -> Table:
    """One row for each kind of problem and case; many cases with the same words share a row."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_lines=False)
    table.add_column("", no_wrap=True)
    for name, ratio in (("Check", 2), ("Where", 3), ("Found", 5), ("Fix", 5)):
        table.add_column(name, ratio=ratio, overflow="fold")
    alike: dict[tuple[str, str, str, str], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        alike[finding.severity, finding.check, finding.found, finding.fix].append(finding)
    for (severity, name, found, fix), findings in alike.items():
        where = ", ".join(finding.where for finding in findings[:5])
        more = f" and {len(findings) - 5} more" if len(findings) > 5 else ""
        style = "bold red" if severity == "error" else "yellow"
        table.add_row(severity, name, where + more, found, fix, style=None)
        table.rows[-1].style = style
    return table


def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder that uteroseg wrote.")],
    json: Json = False,
) -> None:
    """Say what a dataset, model, prediction, evaluation or experiment folder is."""
    from uteroseg.inference.folders import what_is

    folder = what_is(path)
    lines = [f"{path} is {folder.summary}.", *_lines(folder.details)]
    print_result({"path": str(path), "kind": folder.kind, **folder.details}, "\n".join(lines), as_json=json)


def _lines(values: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """Details for a person; what is empty is left out."""
    lines = []
    for name, value in values.items():
        title = f"{indent}{name.replace('_', ' ')}: "
        if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
            lines += [title.rstrip(), *_lines(value, f"{indent}  ")]
        elif isinstance(value, dict):
            lines += [title + "; ".join(f"{key}: {one}" for key, one in value.items())] if value else []
        elif value not in (None, [], ""):
            lines.append(title + (", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return lines
