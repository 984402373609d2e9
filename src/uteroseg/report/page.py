"""The report of an experiment: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from uteroseg import RESEARCH_USE
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT
from uteroseg.evaluation.statistics import COMPARISON_RULE, HOLM_RULE, INTERVAL_RULE
from uteroseg.files import write_json, write_text
from uteroseg.report.figures import COLOURS, learning_curve
from uteroseg.report.tables import case_rows, comparison_rows, strata_rows, summary_rows
from uteroseg.report.wording import VIRTUAL_LABEL, answer, cautions, leading_strategy
from uteroseg.results.analysis import FILE_NAME as SUMMARY_NAME
from uteroseg.results.analysis import Analysis, analyse, document
from uteroseg.results.experiment import Experiment, FinishedRun, read_experiment
from uteroseg.results.summary import curves

FILE_NAME = "report.html"

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RANKS: tuple[Literal["worst", "median", "best"], ...] = ("worst", "median", "best")


@dataclass(frozen=True)
class Picture:
    """An overlay as the page shows it."""

    rank: str
    case: str
    dsc: float
    about: str
    data_uri: str


def write_report(directory: Path) -> Path:
    """Write `report.html` of an experiment folder, and its figures for machines (`summary.json`).

    Parameters
    ----------
    directory : Path
        Holds ``runs/*/run.json`` and ``runs/*/cases.csv``.

    Returns
    -------
    Path
        The report. It is one file: no scripts, no fonts, nothing fetched.

    Raises
    ------
    UserError
        If no run is finished, or a run's files are defective or missing.
    """
    experiment = read_experiment(directory)
    analysis = analyse(experiment)
    html = render(experiment, analysis)
    write_json(directory / SUMMARY_NAME, document(experiment, analysis))
    path = directory / FILE_NAME
    write_text(path, html)
    return path


def render(experiment: Experiment, analysis: Analysis) -> str:
    """Render an experiment as a self-contained page."""
    summary = analysis.summary
    cohorts = {"source_cohort": experiment.source_cohort, "target_cohort": experiment.target_cohort}
    strategy = leading_strategy(summary)
    shown = _shown_run(experiment, strategy)
    sizes, rows = case_rows(experiment.cases, strategy)
    strata_sizes, strata = strata_rows(analysis.strata, strategy)
    patients = {
        row["test_set"]: row["patients"] for row in summary.drop_duplicates("test_set").to_dict("records")
    }
    records = [run.record for run in experiment.runs]
    return (
        _environment()
        .get_template("template.html")
        .render(
            **cohorts,
            answer=answer(summary, **cohorts),
            research_use=RESEARCH_USE,
            virtual_label=VIRTUAL_LABEL if experiment.virtual else None,
            curve=Markup(learning_curve(summary, **cohorts)),
            colours=COLOURS,
            patients=patients,
            summary=summary_rows(summary),
            cautions=cautions(summary, **cohorts),
            comparisons=comparison_rows(analysis.comparisons),
            family=analysis.family,
            strata=strata,
            strata_sizes=strata_sizes,
            volume_tertiles=analysis.volume_tertiles_ml,
            several_strategies=summary["strategy"].nunique() > 1,
            several_panels=len(curves(summary)) > 1,
            strategy=strategy,
            shown=shown.record,
            pictures=_pictures(shown, experiment),
            sizes=sizes,
            cases=rows,
            runs=records,
            unfinished=experiment.unfinished,
            steps=_keys(record.seconds for record in records),
            trained_on=_keys(record.training_cases for record in records),
            versions=sorted({pair for record in records for pair in record.versions.items()}),
            machines=sorted({record.machine for record in records}),
            empty_rule=EMPTY_RULE,
            unit=UNIT,
            interval_rule=INTERVAL_RULE,
            comparison_rule=COMPARISON_RULE,
            holm_rule=HOLM_RULE,
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("uteroseg.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown_run(experiment: Experiment, strategy: str) -> FinishedRun:
    """Choose the run whose pictures are shown: the leading strategy's, most target cases, first seed."""
    own = [run for run in experiment.runs if run.record.strategy == strategy]
    return max(own, key=lambda run: (run.record.target_cases, -run.record.seed))


def _pictures(run: FinishedRun, experiment: Experiment) -> list[Picture]:
    cases = (
        experiment.cases[experiment.cases["run"] == run.record.run].drop_duplicates("case").set_index("case")
    )
    about = {
        str(case): " · ".join(
            filter(None, (row["cohort"], row["histology"], f"tumour {row['volume_ml']:.1f} mL"))
        )
        for case, row in cases.to_dict("index").items()
    }
    return [
        Picture(
            rank, overlay.case, overlay.dsc, about.get(overlay.case, ""), _data_uri(run.folder / overlay.file)
        )
        for rank in _RANKS
        if (overlay := run.record.overlays.get(rank))
    ]


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    if not content.startswith(_PNG_SIGNATURE):
        raise UserError(
            f"{path} is missing or is not a PNG picture.",
            expected="the overlay that this run's run.json names.",
            fix="delete this run's folder and repeat the run with the same command.",
        )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _keys(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Every key of some mappings, in the order of first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
