"""The verb that answers how many cases, which layers, when to train together: experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress, warn


def experiment(
    config: Annotated[
        str,
        typer.Argument(metavar="CONFIG", help="YAML file, or one that comes along: paper, quick, reduced."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; the same command goes on after a kill.")
    ],
    workers: Annotated[
        int | None, typer.Option(help="Processes on a CPU; by default one for each core.", min=1)
    ] = None,
    limit_minutes: Annotated[
        float | None, typer.Option(help="Begin no run that would not end within so many minutes.", min=0)
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(help="Also write the results, without models, as one file (.zip).")
    ] = None,
    json: Json = False,
) -> None:
    """Train and evaluate every model of an experiment, and report."""
    import uteroseg.experiment.report.page  # before training: is all installed that the last step needs?
    from uteroseg.experiment.config import load_config
    from uteroseg.experiment.results import read_experiment, require_name, write_archive, write_results
    from uteroseg.experiment.runner import run_experiment

    if archive:
        require_name(archive)
    settings = load_config(config)
    with progress() as update:
        outcome = run_experiment(
            settings,
            output,
            workers=workers,
            limit_minutes=limit_minutes,
            on_progress=update,
            on_run=warn,
        )
    number = len(outcome.planned)
    finished = number - outcome.remaining
    report = table = None
    if finished:
        table = write_results(read_experiment(output))
        report = uteroseg.experiment.report.page.write_report(output)
    if archive:
        write_archive(output, archive)
    values = {
        "runs": number,
        "finished": finished,
        "made": outcome.made,
        "failed": [failure.model_dump(exclude={"traceback"}) for failure in outcome.failures],
        "remaining": outcome.remaining,
        "core_seconds": round(outcome.seconds, 1),
        "work_seconds": round(outcome.work_seconds, 1),
        "report": str(report) if report else None,
        "table": str(table) if table else None,
        "archive": str(archive) if archive else None,
    }
    text = f"{finished} of {number} runs are finished in {output}."
    if outcome.remaining:
        text += " The same command goes on."
    if report:
        text += f"\nReport: {report}"
    print_result(values, f"{text}\n{RESEARCH_USE}", as_json=json)
    if outcome.failures:
        warn(f"{len(outcome.failures)} runs failed:")
        for failure in outcome.failures:
            warn(f"  {failure.title} (runs/{failure.run}/error.json): {failure.error}")
        raise typer.Exit(2)
