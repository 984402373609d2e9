"""Figures of an evaluation: DSC by cohort, agreement, expected DSC, and the worst, median and best case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from uteroseg.evaluation.summary import AGREEMENT, POOLED, by_cohort, paired_values, patient_values

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "uteroseg",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8a8a",
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 9.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}
"""Of every figure."""

_SHOWN = ("volume_ml", "diameter_mm", "adc_mean")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_INK, _PALE = "#1a1a1a", "#8a8a8a"

Row = Mapping[str, Any]
P = ParamSpec("P")
Drawn = TypeVar("Drawn", Figure, Figure | None)


def styled(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Draw in the reports' style."""

    @wraps(draw)
    def drawn(*arguments: P.args, **options: P.kwargs) -> Drawn:
        with mpl.rc_context(STYLE):
            return draw(*arguments, **options)

    return drawn


@styled
def dsc_by_cohort(rows: Sequence[Row]) -> Figure:
    """Every patient's DSC, by cohort and pooled, with median and quartiles."""
    groups = {
        name: list(patient_values(members, "dsc").values()) for name, members in by_cohort(rows).items()
    }
    figure = Figure(figsize=(1.6 + 1.3 * len(groups), 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(groups.items()):
        quarters = np.quantile(values, [0.25, 0.5, 0.75])
        axes.vlines(place, quarters[0], quarters[2], color=_PALE, linewidth=9, alpha=0.35, zorder=2)
        axes.hlines(quarters[1], place - 0.28, place + 0.28, color=_INK, linewidth=2, zorder=4)
        axes.plot(place + _spread(values), values, "o", color=_colour(name, groups), markersize=4, alpha=0.8)
    labels = [f"{name}\nn = {len(values)}" for name, values in groups.items()]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel("DSC of a patient")
    axes.set_title("Line: median; bar: quartiles", fontweight="normal", fontsize=8.5)
    return figure


@styled
def bland_altman_figure(rows: Sequence[Row], agreement: Mapping[str, Any]) -> Figure:
    """Difference against mean of automatic and manual volume, diameter and ADC, with limits of agreement."""
    shown = [measure for measure in _SHOWN if measure in agreement]
    figure = Figure(figsize=(3.7 * len(shown), 3.4), layout="constrained")
    cohorts = by_cohort(rows)
    for axes, measure in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        for name in [n for n in cohorts if n != POOLED] if len(cohorts) > 2 else [POOLED]:
            pairs = np.array(paired_values(cohorts[name], measure)).reshape(-1, 2)
            axes.plot(pairs.mean(axis=1), pairs[:, 0] - pairs[:, 1], "o", markersize=4, alpha=0.8,
                      color=_colour(name, cohorts), label=name)  # fmt: skip
        _limits(axes, agreement[measure]["bland_altman"])
        axes.set_title(AGREEMENT[measure][0].upper() + AGREEMENT[measure][1:])
        axes.set_xlabel("Mean of automatic and manual")
    figure.axes[0].set_ylabel("Automatic − manual")
    if len(cohorts) > 2:
        figure.axes[0].legend(frameon=False, fontsize=8, loc="best")
    return figure


@styled
def expected_dsc_figure(rows: Sequence[Row]) -> Figure | None:
    """Reached against expected DSC of each case; None where the predictions say none."""
    stated = [row for row in rows if row.get("expected_dsc") is not None]
    if not stated:
        return None
    figure = Figure(figsize=(4.2, 3.9), layout="constrained")
    axes = figure.subplots()
    cohorts = by_cohort(stated)
    axes.plot([0, 1], [0, 1], color=_PALE, linewidth=1, linestyle=(0, (4, 2)), zorder=1)
    for name in [name for name in cohorts if name != POOLED]:
        points = np.array([(row["expected_dsc"], row["dsc"]) for row in cohorts[name]])
        axes.plot(
            points[:, 0],
            points[:, 1],
            "o",
            color=_colour(name, cohorts),
            alpha=0.8,
            label=name,
            markersize=4.5,
        )
    error = float(np.mean([abs(row["expected_dsc"] - row["dsc"]) for row in stated]))
    axes.set_title(f"{len(stated)} cases, mean absolute error {error:.2f}")
    axes.set(
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="Expected DSC", ylabel="Reached DSC", aspect="equal"
    )
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


@styled
def overlays_figure(pictures: Mapping[str, Image.Image]) -> Figure:
    """The worst, median and best case side by side."""
    figure = Figure(figsize=(3.3 * len(pictures), 3.9), layout="constrained")
    for axes, (title, picture) in zip(
        figure.subplots(1, len(pictures), squeeze=False).flat, pictures.items(), strict=True
    ):
        axes.imshow(np.asarray(picture))
        axes.set_title(title)
        axes.axis("off")
    return figure


def _limits(axes: Axes, found: Mapping[str, Any]) -> None:
    """Bias and limits of agreement as lines, their intervals as bands."""
    for line, width, dash in (
        ("bias", 1.4, "solid"),
        ("lower", 1.0, (0, (4, 2))),
        ("upper", 1.0, (0, (4, 2))),
    ):
        if found[line] is None:
            continue
        axes.axhline(found[line], color=_INK, linewidth=width, linestyle=dash)
        if found[f"{line}_low"] is not None:
            axes.axhspan(found[f"{line}_low"], found[f"{line}_high"], color=_PALE, alpha=0.15, linewidth=0)
        axes.annotate(
            _number(found[line]),
            (1, found[line]),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def _number(value: float) -> str:
    """With two digits where it is small, whole where it is large."""
    size = abs(value)
    places = 0 if size >= 10 else 1 if size >= 1 else 2
    return f"{round(value, places) + 0:.{places}f}".replace("-", "−")


def _spread(values: Sequence[float]) -> Any:
    """Sideways places that keep near values apart, the same for the same values."""
    places = np.zeros(len(values))
    order = np.argsort(values, kind="stable")
    places[order] = 0.22 * np.sin(2.4 * np.arange(len(values)))
    return places


def _colour(name: str, groups: Mapping[str, Any]) -> str:
    return _INK if name == POOLED else _COLOURS[list(groups).index(name) % len(_COLOURS)]
