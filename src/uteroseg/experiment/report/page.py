"""The report of an experiment: one HTML file that stands alone, and its figures and tables as files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from uteroseg import RESEARCH_USE
from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT
from uteroseg.experiment.analysis import SUMMARY_FILE, Analysis, analyse, document
from uteroseg.experiment.comparisons import FORGETTING_RULE
from uteroseg.experiment.grid import SETS, curves
from uteroseg.experiment.outlook import CROSSOVER_RULE, EFFICIENCY_RULE, FORECAST_RULE, GAIN
from uteroseg.experiment.records import Experiment, FinishedRun, RunRecord, read_experiment
from uteroseg.experiment.report import checklist as claim
from uteroseg.experiment.report import paper
from uteroseg.experiment.report.answer import Answer
from uteroseg.experiment.report.checklist import Row, checklist
from uteroseg.experiment.report.figures import Drawing, curve_drawings
from uteroseg.experiment.report.making import how_made
from uteroseg.experiment.report.paper import beside_paper
from uteroseg.experiment.report.strategies import ALL, StrategySet
from uteroseg.experiment.report.tables import (
    added_matrix,
    against_matrix,
    case_rows,
    crossover_rows,
    dsc_matrices,
    efficiency_rows,
    forecast_error,
    forecast_rows,
    forgetting_matrix,
    missed_matrix,
    strata_rows,
)
from uteroseg.experiment.report.words import VIRTUAL_LABEL, cautions, leading_strategy
from uteroseg.files import replaced_folder, write_json, write_text

FIGURES, TABLES = "figures", "tables"


def write_exports(directory: Path, drawings: Iterable[Drawing], tables: Mapping[str, pd.DataFrame]) -> None:
    """Write ``figures/*.svg`` and ``tables/*.csv``, each folder whole, in place of earlier ones.

    Parameters
    ----------
    directory : Path
    drawings : iterable of Drawing
    tables : mapping
        By name of the file, without ending. Empty tables are left out. Numbers are written in full.
    """
    with replaced_folder(directory / FIGURES) as stage:
        for drawing in drawings:
            (stage / f"{drawing.name}.svg").write_text(drawing.file, encoding="utf-8", newline="\n")
    with replaced_folder(directory / TABLES) as stage:
        for name, table in tables.items():
            if len(table):
                text = table.to_csv(index=False, lineterminator="\n")
                (stage / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")


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


def run_to_show(experiment: Experiment, strategy: str) -> FinishedRun:
    """Choose the run to show: the strategy's, with pictures, most target cases, first seed."""
    own = [run for run in experiment.runs if run.record.strategy == strategy]
    return max(own, key=lambda run: (bool(run.record.overlays), run.record.target_cases, -run.record.seed))


def pictures_of(run: FinishedRun, experiment: Experiment) -> list[Picture]:
    """The pictures of a run; none where it was picked up from elsewhere without them.

    Raises
    ------
    UserError
        If one of several is missing, or is not a PNG picture.
    """
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


REPORT_FILE = "report.html"


def write_report(directory: Path) -> Path:
    """Write `report.html` of an experiment folder, with its figures, its tables and `summary.json` beside it.

    Parameters
    ----------
    directory : Path
        Holds ``runs/*/run.json`` and ``runs/*/cases.csv``.

    Returns
    -------
    Path
        The report. It is one file: no scripts, no fonts, nothing fetched. Beside it lie ``figures/*.svg`` and
        ``tables/*.csv``.

    Raises
    ------
    UserError
        If no run is finished, or a run's files are defective or missing.
    """
    experiment = read_experiment(directory)
    analysis = analyse(experiment)
    drawings = draw(experiment, analysis)
    html = render(experiment, analysis, drawings)
    write_exports(directory, drawings, tables_of(experiment, analysis))
    write_json(directory / SUMMARY_FILE, document(experiment, analysis))
    path = directory / REPORT_FILE
    write_text(path, html)
    return path


def draw(experiment: Experiment, analysis: Analysis) -> list[Drawing]:
    """The figures of a report."""
    return curve_drawings(
        analysis.summary,
        _strategies(experiment, analysis),
        source_cohort=experiment.source_cohort,
        target_cohort=experiment.target_cohort,
    )


def tables_of(experiment: Experiment, analysis: Analysis) -> dict[str, pd.DataFrame]:
    """The tables that lie beside a report, by the names of their files."""
    runs = pd.DataFrame([_run_row(run.record) for run in experiment.runs])
    return {
        "dsc": analysis.summary,
        "against_none": analysis.against_none.table,
        "added_cases": analysis.added_cases.table,
        "between_strategies": analysis.between.table,
        "forgetting": analysis.forgetting.table,
        "strata": analysis.strata,
        "crossovers": analysis.crossovers,
        "label_efficiency": analysis.label_efficiency,
        "forecasts": analysis.forecasts,
        "forecast_checks": analysis.forecast_checks,
        "runs": runs,
        "claim": pd.DataFrame(
            [
                {
                    "item": row.item.number,
                    "part": row.item.part,
                    "to_report": row.item.text,
                    "from_the_record": row.answer.text,
                    "for_the_author": row.answer.left,
                }
                for row in checklist(experiment, analysis)
            ]
        ),
    }


def render(experiment: Experiment, analysis: Analysis, drawings: Sequence[Drawing]) -> str:
    """Render an experiment as a self-contained page."""
    cohorts = {"source_cohort": experiment.source_cohort, "target_cohort": experiment.target_cohort}
    records = [run.record for run in experiment.runs]
    values = {
        **cohorts,
        **_said(experiment, analysis),
        **_results(experiment, analysis),
        **_outlook(experiment, analysis),
        "drawings": drawings,
        "made": how_made(records),
        "runs": records,
        "unfinished": experiment.unfinished,
        "steps_timed": _keys(record.seconds for record in records),
        "trained_on": _keys(record.training_cases for record in records),
        "claim": claim,
        "checklist": _by_part(checklist(experiment, analysis)),
        "paper": paper,
    }
    return _environment().get_template("page.html").render(values)


def _said(experiment: Experiment, analysis: Analysis) -> dict[str, Any]:
    """What stands in words: the answer, labels and rules."""
    cohorts = {"source_cohort": experiment.source_cohort, "target_cohort": experiment.target_cohort}
    answer = Answer(analysis, _strategies(experiment, analysis), **cohorts)
    return {
        "answer": answer.sentences(),
        "cautions": cautions(analysis.summary, **cohorts),
        "research_use": RESEARCH_USE,
        "virtual_label": VIRTUAL_LABEL if experiment.virtual else None,
        "empty_rule": EMPTY_RULE,
        "unit": UNIT,
        "interval_rule": analysis.intervals,
        "comparison_rule": analysis.comparison_rule
        if analysis.added_cases.rule or analysis.between.rule
        else "",
    }


def _results(experiment: Experiment, analysis: Analysis) -> dict[str, Any]:
    """The tables of results, strata, cases and pictures."""
    cohorts = {"source_cohort": experiment.source_cohort, "target_cohort": experiment.target_cohort}
    summary = analysis.summary
    strategy = leading_strategy(summary)
    shown = run_to_show(experiment, strategy)
    sizes, cases = case_rows(experiment.cases, strategy)
    strata_sizes, strata = strata_rows(analysis.strata, strategy)
    reference = ALL if ALL in curves(summary) else strategy
    return {
        "several_strategies": len(curves(summary)) > 1,
        "strategy": strategy,
        "shown": shown.record,
        "pictures": pictures_of(shown, experiment),
        "patients": {
            row["test_set"]: row["patients"] for row in summary.drop_duplicates("test_set").to_dict("records")
        },
        "seeds": analysis.seeds,
        "matrices": [*dsc_matrices(summary, analysis.against_none.table, **cohorts), missed_matrix(summary)],
        "family": analysis.against_none.rule,
        "against": against_matrix(analysis.between.table, reference),
        "reference": reference,
        "between_family": analysis.between.rule,
        "added": added_matrix(analysis.added_cases.table),
        "added_family": analysis.added_cases.rule,
        "forgetting": forgetting_matrix(analysis.forgetting.table, source_cohort=experiment.source_cohort),
        "forgetting_rule": FORGETTING_RULE,
        "forgetting_family": analysis.forgetting.rule,
        "strata": strata,
        "strata_sizes": strata_sizes,
        "volume_tertiles": analysis.volume_tertiles_ml,
        "sizes": sizes,
        "cases": cases,
    }


def _outlook(experiment: Experiment, analysis: Analysis) -> dict[str, Any]:
    """Crossovers, label efficiency, forecasts, and the paper's numbers."""
    strategies = _strategies(experiment, analysis)
    sets = tuple(s for s in reversed(SETS) if (analysis.summary["test_set"] == s).any())
    names = {"source": experiment.source_cohort, "target": experiment.target_cohort, "pooled": "pooled"}
    hidden, forecasts = forecast_rows(analysis.forecasts, analysis.forecast_checks)
    level = analysis.label_efficiency.head(1).to_dict("records")
    return {
        "joint": bool(strategies.joint),
        "crossovers": crossover_rows(analysis.crossovers, strategies, sets),
        "crossover_sets": [names[name] for name in sets],
        "crossover_rule": CROSSOVER_RULE,
        "efficiency": efficiency_rows(analysis.label_efficiency),
        "efficiency_level": "".join(
            f"{row['reference_dsc']:.2f}, which tuning every layer reaches with {row['reference_cases']:.0f}"
            for row in level
        ),
        "efficiency_rule": EFFICIENCY_RULE,
        "forecasts": forecasts,
        "forecast_hidden": hidden,
        "forecast_error": forecast_error(analysis.forecast_checks),
        "forecast_rule": FORECAST_RULE,
        "forecast_gain": GAIN,
        "beside": beside_paper(
            analysis.summary,
            strategies,
            source_cohort=experiment.source_cohort,
            target_cohort=experiment.target_cohort,
            virtual=experiment.virtual,
            available=experiment.target_patients,
        ),
    }


def _strategies(experiment: Experiment, analysis: Analysis) -> StrategySet:
    return StrategySet.of(curves(analysis.summary), [run.record for run in experiment.runs])


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("uteroseg.experiment.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _run_row(record: RunRecord) -> dict[str, Any]:
    plain = record.model_dump(
        include={
            "run",
            "strategy",
            "target_cases",
            "seed",
            "steps",
            "machine",
            "source_cohort",
            "target_cohort",
        }
    )
    cases = {f"training_cases_{cohort}": number for cohort, number in record.training_cases.items()}
    return {**plain, **cases, **{f"{step}_s": seconds for step, seconds in record.seconds.items()}}


def _by_part(rows: Iterable[Row]) -> dict[str, list[Row]]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.item.part, []).append(row)
    return parts


def _keys(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Every key of some mappings, in the order of first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
