"""Figures of a report, as inline SVG whose text takes the page's font."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from uteroseg.results.summary import SETS, curves

COLOURS = {"source": "#0072B2", "target": "#D55E00", "pooled": "#1a1a1a"}
"""Okabe and Ito's palette: told apart by colour-blind readers, and by line and marker in black and white."""

_LINES = {"source": (0, (4, 1.8)), "target": (0, (1.2, 1.2)), "pooled": "solid"}
_MARKERS = {"source": "s", "target": "^", "pooled": "o"}
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
_GAP = 0.058
"""Least distance between the labels of two lines, in DSC."""

_DODGE = 0.008
"""Sideways shift that keeps intervals at one number of cases apart, as a share of the axis."""


def learning_curve(
    summary: pd.DataFrame, *, source_cohort: str = "source", target_cohort: str = "target"
) -> str:
    """Draw mean DSC with its interval against the number of target cases, one panel per strategy.

    The number of cases is on a square-root scale: it keeps small numbers apart and shows that the tenth case
    teaches less than the first.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    source_cohort, target_cohort : str
        Names of the cohorts, for the axis and the lines.

    Returns
    -------
    str
        An ``<svg>`` element. The same summary gives the same text.
    """
    names = {"source": source_cohort, "target": target_cohort, "pooled": "pooled"}
    panels = curves(summary)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.7, 3.5 * len(panels)), layout=ConstrainedLayoutEngine(h_pad=0.12))
        for axes, (strategy, curve) in zip(
            figure.subplots(len(panels), squeeze=False).flat, panels.items(), strict=True
        ):
            _panel(axes, curve, names)
            axes.set_xlabel(f"Annotated {target_cohort} cases for training (square-root scale)")
            if len(panels) > 1:
                axes.set_title(f"Strategy: {strategy}")
        return _inline_svg(figure, label=_spoken(panels, names))


def _panel(axes: Axes, curve: pd.DataFrame, names: dict[str, str]) -> None:
    sizes = sorted(curve["target_cases"].unique())
    width = float(np.sqrt(sizes[-1]) - np.sqrt(sizes[0])) or 1.0
    ends = {}
    for shift, test_set in zip((-1, 1, 0), SETS, strict=True):
        line = curve[curve["test_set"] == test_set]
        if line.empty:
            continue
        x = np.sqrt(line["target_cases"].to_numpy(float)) + shift * _DODGE * width
        y = line["dsc_mean"].to_numpy(float)
        style: dict[str, Any] = {"color": COLOURS[test_set], "zorder": 4 if test_set == "pooled" else 3}
        axes.vlines(x, line["dsc_low"], line["dsc_high"], linewidth=1.4, alpha=0.75, **style)
        axes.plot(
            x,
            y,
            linestyle=_LINES[test_set],
            marker=_MARKERS[test_set],
            linewidth=2.2 if test_set == "pooled" else 1.6,
            markersize=6,
            markeredgewidth=0,
            clip_on=False,
            **style,
        )
        ends[test_set] = float(y[-1])
    for test_set, height in _apart(ends).items():
        axes.annotate(
            f"{names[test_set]} {ends[test_set]:.2f}",
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[test_set],
            fontweight="bold" if test_set == "pooled" else "normal",
        )
    axes.set_xticks(np.sqrt(np.array(sizes, float)), [str(size) for size in sizes])
    axes.set_xlim(np.sqrt(sizes[0]) - 0.04 * width, np.sqrt(sizes[-1]) + 0.03 * width)
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3, width=0.8)
    axes.set_ylabel("Mean DSC (95 % interval)")


def _apart(heights: dict[str, float]) -> dict[str, float]:
    """Move labels apart where they would overlap, in their order, inside the axis."""
    order = sorted(heights, key=lambda name: heights[name])
    placed = np.array([heights[name] for name in order])
    for _ in range(50):
        for lower, upper in pairwise(range(len(placed))):
            overlap = _GAP - (placed[upper] - placed[lower])
            if overlap > 0:
                placed[lower] -= overlap / 2
                placed[upper] += overlap / 2
    if len(placed):
        placed += max(0.0, 0.02 - placed[0]) - max(0.0, placed[-1] - 0.99)
    return dict(zip(order, placed.tolist(), strict=True))


def _spoken(panels: dict[str, pd.DataFrame], names: dict[str, str]) -> str:
    """Say what the figure shows, for readers who do not see it."""
    said = []
    for strategy, curve in panels.items():
        for test_set, line in curve.groupby("test_set", sort=False):
            values = ", ".join(
                f"{n}: {dsc:.2f}" for n, dsc in zip(line["target_cases"], line["dsc_mean"], strict=True)
            )
            said.append(f"{strategy}, {names[str(test_set)]} ({values})")
    return "Mean DSC by number of annotated target cases. " + "; ".join(said) + "."


def _inline_svg(figure: Figure, *, label: str) -> str:
    """Render to an ``<svg>`` element that scales with the page and fetches nothing."""
    stream = io.StringIO()
    figure.savefig(
        stream,
        format="svg",
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None, "Title": label},
    )
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--sans)", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", svg, count=1)
    return svg.replace("<svg ", '<svg role="img" ', 1).strip()
