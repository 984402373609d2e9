"""The report of an experiment: one HTML file that stands alone, and its figures and tables as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from uteroseg import RESEARCH_USE
from uteroseg.experiment.analysis import SUMMARY_FILE, analyse, document
from uteroseg.experiment.report import figures, making, outlook, paper, tables
from uteroseg.experiment.report.answer import Answer
from uteroseg.experiment.report.blocks import Drawing, Section
from uteroseg.experiment.report.checklist import checklist
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import VIRTUAL_LABEL, cautions
from uteroseg.experiment.results import read_experiment
from uteroseg.files import replaced_folder, write_json, write_text

REPORT_FILE = "report.html"
FIGURES, TABLES = "figures", "tables"

SECTIONS: tuple[Callable[[Context], Section], ...] = (
    figures.learning_curves,
    tables.results,
    outlook.crossovers,
    outlook.label_efficiency,
    outlook.forecasts,
    tables.against_each_other,
    tables.added_cases,
    tables.forgetting,
    tables.strata,
    tables.pictures,
    tables.every_case,
    paper.beside_paper,
    making.measured,
    making.made,
    checklist,
)
"""The page from top to bottom, below the answer."""


def write_report(directory: Path) -> Path:
    """Write `report.html` of an experiment folder, with its figures, its tables and `summary.json` beside it.

    Parameters
    ----------
    directory : Path
        Holds finished runs, as `read_experiment` reads them.

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
    context = Context(experiment, analyse(experiment))
    sections = [section(context) for section in SECTIONS]
    html = render(context, sections)
    write_exports(directory, sections)
    write_json(directory / SUMMARY_FILE, document(experiment, context.analysis))
    path = directory / REPORT_FILE
    write_text(path, html)
    return path


def render(context: Context, sections: Iterable[Section]) -> str:
    """Render an experiment as a self-contained page."""
    environment = Environment(
        loader=PackageLoader("uteroseg.experiment.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        source_cohort=context.source,
        target_cohort=context.target,
        answer=Answer(context).sentences(),
        reservations=_reservations(context),
        research_use=RESEARCH_USE,
        virtual_label=VIRTUAL_LABEL if context.experiment.virtual else None,
        sections=[section for section in sections if section.blocks],
        paper=paper,
    )


def _reservations(context: Context) -> str:
    """What stands below the answer: how far to trust it."""
    said = ["Made from the numbers below."]
    analysis = context.analysis
    if context.several:
        said.append(
            "The strategies are compared on the test patients themselves, so what is called best is somewhat "
            "flattered."
        )
    if analysis.seeds > 1 and (analysis.added_cases.rule or analysis.between.rule):
        said.append(
            "Clearly: p after Holm is below 0.05, and the interval over patients and trainings leaves out 0."
        )
    return " ".join([*said, *cautions(context)])


def write_exports(directory: Path, sections: Iterable[Section]) -> None:
    """Write ``figures/*.svg`` and ``tables/*.csv``, each folder whole, in place of earlier ones.

    Empty tables are left out. Numbers are written in full.
    """
    found = list(sections)
    with replaced_folder(directory / FIGURES) as stage:
        for drawing in (block for section in found for block in section.blocks if isinstance(block, Drawing)):
            (stage / f"{drawing.name}.svg").write_text(drawing.file, encoding="utf-8", newline="\n")
    with replaced_folder(directory / TABLES) as stage:
        for name, table in ((name, table) for section in found for name, table in section.files.items()):
            if len(table):
                text = table.to_csv(index=False, lineterminator="\n")
                (stage / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
