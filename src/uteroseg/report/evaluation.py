"""Write an evaluation: tables for machines and for a paper, figures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.cases import worst_median_best, write_rows
from uteroseg.files import write_json, write_text
from uteroseg.imaging.overlay import overlay
from uteroseg.imaging.study import Mask
from uteroseg.model.prepare import PreparedStudy
from uteroseg.report.evaluation_figures import (
    bland_altman_figure,
    dsc_by_cohort,
    expected_dsc_figure,
    overlays_figure,
    styled,
)
from uteroseg.report.paper_table import latex, markdown

_DPI = 200
_LETTERS_PER_INCH = 18
"""That the note below a figure holds."""

Row = Mapping[str, Any]


def write_evaluation(
    folder: Path,
    dataset: Dataset,
    rows: Sequence[Row],
    summary: Mapping[str, Any],
    mask_of: Callable[[CaseId], Mask],
) -> None:
    """Write ``cases.csv``, ``summary.json``, ``table.md``, ``table.tex`` and ``figures/``.

    Parameters
    ----------
    folder : Path
        Exists and is empty.
    dataset : Dataset
    rows : sequence of dict
        Measured cases; without any there are no figures.
    summary : mapping
        As `uteroseg.evaluation.summary.summarise` gives it.
    mask_of : callable
        Gives the predicted mask of a measured case.
    """
    write_rows(folder / "cases.csv", rows)
    write_json(folder / "summary.json", summary)
    write_text(folder / "table.md", markdown(summary))
    write_text(folder / "table.tex", latex(summary))
    if not rows:
        return
    figures = {
        "dsc_by_cohort": dsc_by_cohort(rows),
        "bland_altman": bland_altman_figure(rows, summary["agreement"]["pooled"]),
        "expected_dsc": expected_dsc_figure(rows),
        "overlays": overlays_figure(_pictures(dataset, rows, mask_of)),
    }
    (folder / "figures").mkdir()
    note = " ".join(text for text in (summary.get("patients"), summary["notice"]) if text)
    for name, figure in figures.items():
        if figure is not None:
            _save(folder / "figures" / name, figure, note)


@styled
def _save(path: Path, figure: Figure, note: str) -> None:
    """Save as SVG and PNG, with what must be said of every figure below it."""
    lines = textwrap.wrap(note, int(_LETTERS_PER_INCH * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), fontsize=7, color="#666666")
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    figure.savefig(path.with_suffix(".png"), dpi=_DPI)


def _pictures(
    dataset: Dataset, rows: Sequence[Row], mask_of: Callable[[CaseId], Mask]
) -> dict[str, Image.Image]:
    chosen = worst_median_best(rows)
    pictures = {}
    for row in {row["case"]: row for row in chosen.values()}.values():
        places = [place for place, other in chosen.items() if other is row]
        case = CaseId.parse(row["case"])
        study = dataset.load_study(case)
        pictures[f"{', '.join(places).capitalize()}: DSC {row['dsc']:.2f}\n{case}"] = overlay(
            PreparedStudy(study).high_b,
            mask_of(case),
            truth=dataset.load_mask(case),
            caption="magenta: automatic, green: manual",
            tiles=1,
        )
    return pictures
