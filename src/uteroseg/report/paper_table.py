"""An evaluation as tables for a paper: Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uteroseg.evaluation.summary import POOLED

COLUMNS = (
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
AGREEMENT_COLUMNS = ("Agreement of", "Masks", "Patients", "Left out", "ICC(A,1)", "Bias", "Limits")
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

Row = Mapping[str, Any]


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
    yield COLUMNS, rows_of(summary)
    if rows := agreement_rows_of(summary):
        yield AGREEMENT_COLUMNS, rows


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
