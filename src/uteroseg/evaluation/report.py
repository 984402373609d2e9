"""Write an evaluation: tables for machines and for a paper, figures."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.figures import (
    bland_altman_figure,
    dsc_by_cohort,
    expected_dsc_figure,
    overlays_figure,
    styled,
)
from uteroseg.evaluation.measurements import worst_median_best, write_rows
from uteroseg.evaluation.summary import POOLED
from uteroseg.files import write_json, write_text
from uteroseg.imaging.overlay import overlay
from uteroseg.imaging.study import Mask
from uteroseg.model.prepare import PreparedStudy

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


HEADS = (
    "Set",
    "Patients",
    "DSC",
    "NSD",
    "Sensitivity",
    "PPV",
    "HD95, mm",
    "ASSD, mm",
    "Volume error, mL",
    "Missed tumours",
    "False-positive components",
)
AGREEMENT_HEADS = ("Agreement of", "Masks", "Patients", "Left out", "ICC(A,1)", "Bias", "Limits")
_MISSING = "–"
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"${sign}$" for sign in "<>|"},
        "–": "--",
        "−": "$-$",
        "’": "'",
    }
)


def rows_of(summary: Row) -> list[list[str]]:
    """Cells of the table, one row per cohort, one for all patients, and one for each other reader's masks.

    Shares are means with their interval; distances are medians, with the mean in brackets, which holds the
    worst values of masks that are empty.
    """
    nsd = f"nsd_{summary['nsd_tolerance_mm']:g}mm"
    groups = dict(summary["groups"])
    for reader, found in summary.get("readers", {}).items():
        groups[f"pooled, reader {reader} against the truth"] = found["groups"][POOLED]
    return [
        [
            name,
            str(group["patients"]),
            *(_mean(group[measure]) for measure in ("dsc", nsd, "sensitivity", "ppv")),
            *(_median(group[measure]) for measure in ("hd95_mm", "assd_mm")),
            _mean(group["volume_error_ml"], places=1),
            f"{group['missed_tumours']} of {group['tumours']}",
            str(group["lesions"]["false_positive_components"]),
        ]
        for name, group in groups.items()
    ]


def agreement_rows_of(summary: Row) -> list[list[str]]:
    """Cells of the table of agreement with the truth: of the automatic masks and of each other reader's."""
    masks = {"automatic": summary["agreement"][POOLED]}
    for reader, found in summary.get("readers", {}).items():
        masks[f"reader {reader}"] = found["agreement"][POOLED]
    measures = dict.fromkeys(measure for found in masks.values() for measure in found)
    return [
        _agreement(name, found[measure])
        for measure in measures
        for name, found in masks.items()
        if measure in found
    ]


def notes_of(summary: Row) -> list[str]:
    """What must stand below the tables."""
    return [
        f"Means over patients with their 95 % interval; NSD at {summary['nsd_tolerance_mm']:g} mm; distances "
        "are given as median (mean).",
        *_counts(summary["groups"][POOLED]),
        summary["unit"],
        summary["empty_masks"],
        summary["intervals"],
        summary["lesions"],
        "Agreement is with the truth, pooled: ICC(A,1), and Bland–Altman bias and limits of agreement, with "
        "95 % intervals; a patient of whom one mask has no value (an empty mask has no ADC) is left out.",
        *([summary["patients"]] if summary.get("patients") else []),
        summary["notice"],
    ]


def markdown(summary: Row) -> str:
    """The tables in Markdown, with their notes."""
    tables = [
        "\n".join([_pipes(columns), _pipes(["---"] * len(columns)), *map(_pipes, rows)])
        for columns, rows in _tables(summary)
    ]
    return "\n\n".join([*tables, *notes_of(summary)]) + "\n"


def latex(summary: Row) -> str:
    """The tables in LaTeX (booktabs), with their notes below."""
    tables = [
        f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}\n\\toprule\n{_cells(columns)}\n\\midrule\n"
        + "\n".join(map(_cells, rows))
        + "\n\\bottomrule\n\\end{tabular}"
        for columns, rows in _tables(summary)
    ]
    parts = "\n\n".join([*tables, *map(escaped, notes_of(summary))])
    return f"% needs \\usepackage{{booktabs}}\n{parts}\n"


def escaped(text: str) -> str:
    """Text as plain LaTeX takes it."""
    return re.sub(
        "[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+",
        lambda match: f"$^{{{match[0].translate(_SUPERSCRIPTS)}}}$",
        text.translate(_LATEX),
    )


def _tables(summary: Row) -> Iterator[tuple[Sequence[str], list[list[str]]]]:
    yield HEADS, rows_of(summary)
    if rows := agreement_rows_of(summary):
        yield AGREEMENT_HEADS, rows


def _counts(pooled: Row) -> Iterator[str]:
    """How many masks are empty that should not be, or are not and should be."""
    yield (
        f"In {pooled['worst_values']} of {pooled['cases']} cases exactly one mask was empty: there the worst "
        "values stand in."
    )
    free = pooled["tumour_free"]
    if free["patients"]:
        yield (
            f"Patients without a tumour: {free['patients']}; the false-positive rate among them (any voxel "
            f"predicted) is {free['false_positive_rate']:.2f}."
        )


def _agreement(masks: str, found: Row) -> list[str]:
    icc, limits = found["icc_a1"], found["bland_altman"]
    return [
        found["measure"],
        masks,
        str(found["patients"]),
        str(found["patients_left_out"]),
        _interval(icc["value"], icc["low"], icc["high"]),
        _interval(limits["bias"], limits["bias_low"], limits["bias_high"]),
        _MISSING
        if limits["lower"] is None
        else f"{_interval(limits['lower'], limits['lower_low'], limits['lower_high'])}, "
        f"{_interval(limits['upper'], limits['upper_low'], limits['upper_high'])}",
    ]


def _mean(values: Row, places: int = 2) -> str:
    star = "*" if values["method"] == "percentile" else ""
    return f"{_interval(values['mean'], values['low'], values['high'], places)}{star}"


def _interval(value: float | None, low: float | None, high: float | None, places: int = 2) -> str:
    if value is None:
        return _MISSING
    if low is None or high is None:
        return _number(value, places)
    return f"{_number(value, places)} ({_number(low, places)} to {_number(high, places)})"


def _number(value: float, places: int) -> str:
    return f"{round(value, places) + 0:.{places}f}".replace("-", "−")


def _median(values: Row) -> str:
    return _MISSING if values["median"] is None else f"{values['median']:.1f} ({values['mean']:.1f})"


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
