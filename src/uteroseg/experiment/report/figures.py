"""Learning curves of all strategies on each test set, as SVG in the page and beside it."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from uteroseg.evaluation.figures import STYLE
from uteroseg.experiment.grid import SETS
from uteroseg.experiment.report.blocks import Drawing, Section
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import capital

COLOURS = {"source": "#0072B2", "target": "#D55E00", "pooled": "#1a1a1a"}
"""Okabe and Ito's palette: told apart by colour-blind readers, and by line and marker in black and white."""

GAP = 0.058
"""Least distance between the labels of two lines, in DSC, where a panel is 3.5 inches high."""


def as_svg(figure: Figure, *, label: str) -> str:
    """Render a figure to an element that scales with the page and fetches nothing.

    Parameters
    ----------
    figure : Figure
        Drawn and rendered in `STYLE`.
    label : str
        What it shows, for readers who do not see it.
    """
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
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # several figures in one page would repeat them
    return svg.replace("<svg ", '<svg role="img" ', 1).strip()


def case_axis(axes: Axes, sizes: list[int]) -> None:
    """Put numbers of cases on a square-root scale.

    It keeps small numbers apart and shows that the tenth case teaches less than the first.
    """
    low, high = np.sqrt(sizes[0]), np.sqrt(sizes[-1])
    width = float(high - low) or 1.0
    axes.set_xticks(np.sqrt(np.array(sizes, float)), [str(size) for size in sizes])
    axes.set_xlim(low - 0.04 * width, high + 0.03 * width)


def dsc_axis(axes: Axes, *, low: float = 0.0, high: float = 1.0) -> None:
    """Put the DSC upwards, in steps of 0.2 or, where little of it is shown, 0.1."""
    step = 0.2 if high - low > 0.65 else 0.1
    axes.set_ylim(low, high)
    first, last = round(np.ceil(low / step - 1e-9)), round(np.floor(high / step + 1e-9))
    axes.set_yticks([step * tick for tick in range(first, last + 1)])
    axes.yaxis.set_major_formatter("{x:.1f}")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3, width=0.8)


def label_ends(axes: Axes, ends: dict[str, float], texts: dict[str, str], styles: dict[str, Any], *,
               gap: float = GAP) -> None:  # fmt: skip
    """Write a label beside the end of each line, moved apart where they would overlap."""
    limits = axes.get_ylim()
    for name, height in apart(ends, gap=gap, limits=limits).items():
        axes.annotate(
            texts[name],
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            **styles[name],
        )


def apart(
    heights: dict[str, float], *, gap: float = GAP, limits: tuple[float, float] = (0.0, 1.0)
) -> dict[str, float]:
    """Move labels apart where they would overlap, in their order, inside the axis."""
    order = sorted(heights, key=lambda name: heights[name])
    placed = np.array([heights[name] for name in order])
    for _ in range(200):
        for lower, upper in pairwise(range(len(placed))):
            overlap = gap - (placed[upper] - placed[lower])
            if overlap > 0:
                placed[lower] -= overlap / 2
                placed[upper] += overlap / 2
    if len(placed):
        span = limits[1] - limits[0]
        placed += max(0.0, limits[0] + 0.02 * span - placed[0]) - max(
            0.0, placed[-1] - limits[1] + 0.01 * span
        )
    return dict(zip(order, placed.tolist(), strict=True))


_LINES = {"source": (0, (4, 1.8)), "target": (0, (1.2, 1.2)), "pooled": "solid"}
_MARKERS = {"source": "s", "target": "^", "pooled": "o"}
_PALE = "#c9c9c9"
_WIDTH = 7.2
_DODGE = 0.008
"""Sideways shift that keeps intervals at one number of cases apart, as a share of the axis."""

_NAMED_COLOURS = {
    "all": "#332288",
    "encoder-early": "#CC6677",
    "default": "#117733",
    "joint": "#1a1a1a",
    "head": "#88A0C8",
    "decoder": "#999933",
    "encoder": "#882255",
    "norm": "#44AA99",
    "replay": "#AA4499",
    "interpolate": "#661100",
    "scratch": "#777777",
}
"""After Paul Tol's muted scheme; line and marker tell strategies apart as well."""
_STRATEGY_MARKERS = ("o", "^", "D", "s", "v", "P", "X", "<", ">", "p", "h")
_DASHED = (0, (5, 1.6))
_HIGHLIGHTED = 6


def learning_curves(context: Context) -> Section:
    """Mean DSC with its interval against the number of target cases.

    A panel for each test set where there are several strategies, one for a single strategy. The same summary
    gives the same text.
    """
    caption = "Mean DSC over test patients, with its 95 % bootstrap interval"
    caption += "; the scale of each panel is its own." if context.several else "."
    patients = context.patients
    if "source" in patients and "target" in patients:
        caption += (
            f" Pooled is the mean over all {patients['pooled']} test patients ({patients['source']} "
            f"{context.source}, {patients['target']} {context.target}), so the larger group weighs more."
        )
    if context.several:
        caption += (
            f" A model without {context.target} cases is the starting point of every strategy that has none "
            "of its own."
        )
    with mpl.rc_context(STYLE):
        figure = _together(context) if context.several else _each(context)
        svg = as_svg(figure, label=_spoken(context))
    title = f"Learning curve{'s' if context.several else ''}"
    return Section(title, (Drawing("learning_curves", svg, caption, large=context.several),))


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn."""

    colour: str
    marker: str
    dash: Any


def looks(context: Context) -> dict[str, Look]:
    """How each strategy is drawn: colours of their own for those with a known name, free ones for others."""
    names = list(context.curves)
    free = [c for known, c in _NAMED_COLOURS.items() if known not in names] or list(_NAMED_COLOURS.values())
    others = itertools.cycle(free)
    return {
        name: Look(
            _NAMED_COLOURS.get(name) or next(others),
            _STRATEGY_MARKERS[place % len(_STRATEGY_MARKERS)],
            _DASHED if name in context.joint else "solid",
        )
        for place, name in enumerate(names)
    }


def highlighted(context: Context, test_set: str = "pooled") -> list[str]:
    """At most six strategies to draw in colour: those that the questions are about, then the best."""
    reached = {name: _end(curve, test_set) for name, curve in context.curves.items()}
    best = sorted(reached, key=lambda name: (-reached[name], name))
    asked = [name for name in ("default", "all", context.early, *context.joint) if name in reached]
    chosen = list(dict.fromkeys([*best[:1], *asked, *best]))[:_HIGHLIGHTED]
    return [name for name in reached if name in chosen]


def _each(context: Context) -> Figure:
    """The only strategy, large."""
    (curve,), names = context.curves.values(), context.names
    figure = Figure(figsize=(5.7, 3.5), layout=ConstrainedLayoutEngine(h_pad=0.12))
    axes = figure.subplots()
    ends = _sets(axes, curve)
    dsc_axis(axes)
    texts = {name: f"{names[name]} {ends[name]:.2f}" for name in ends}
    styles = {
        name: {"color": COLOURS[name], "fontweight": "bold" if name == "pooled" else "normal"}
        for name in ends
    }
    label_ends(axes, ends, texts, styles)
    axes.set_xlabel(_cases_label(names))
    axes.set_ylabel("Mean DSC (95 % interval)")
    return figure


def _together(context: Context) -> Figure:
    """All strategies in a panel for each test set; more than six are drawn pale, without intervals."""
    panels, names, look_of = context.curves, context.names, looks(context)
    shown = [name for name in ("pooled", "target", "source") if _has(panels, name)]
    if len(shown) < 3:
        shown = shown[-1:]  # pooled is the one test set that there is
    reached = {name: _end(curve, shown[0]) for name, curve in panels.items()}
    bright = highlighted(context, shown[0])
    figure = Figure(
        figsize=(_WIDTH, 5.9 if len(shown) == 3 else 3.6), layout=ConstrainedLayoutEngine(h_pad=0.1)
    )
    plots = _plots(figure, shown)
    for test_set in shown:
        axes = plots[test_set]
        for name in panels:
            if name not in bright:
                _line(axes, panels[name], test_set, color=_PALE, linewidth=1.0, zorder=1)
        for place, name in enumerate(bright):
            look = look_of[name]
            _line(
                axes,
                panels[name],
                test_set,
                shift=place - (len(bright) - 1) / 2,
                interval=True,
                color=look.colour,
                marker=look.marker,
                linestyle=look.dash,
                linewidth=1.8,
                markersize=5,
                markeredgewidth=0,
                zorder=3,
            )
        limits = _limits([panels[name] for name in panels], test_set)
        dsc_axis(axes, low=limits[0], high=limits[1])
        case_axis(axes, _sizes(panels.values()))
        axes.set_title(
            f"{capital(names[test_set])}" + (" (both cohorts)" if test_set == "pooled" else " test patients")
        )
        axes.set_ylabel("Mean DSC (95 % interval)" if test_set == shown[0] else "Mean DSC")
        axes.set_xlabel(
            _cases_label(names)
            if len(shown) == 1 or test_set == shown[0]
            else f"{capital(names['target'])} cases"
        )
    axes = plots[shown[0]]
    span = axes.get_ylim()[1] - axes.get_ylim()[0]
    ends = {name: reached[name] for name in bright}
    styles = {name: {"color": look_of[name].colour, "fontweight": "bold"} for name in bright}
    label_ends(
        axes, ends, {name: f"{name} {ends[name]:.2f}" for name in bright}, styles, gap=1.35 * GAP * span
    )
    others = [name for name in panels if name not in bright]
    if others:
        figure.supxlabel(f"Pale, without intervals: {', '.join(others)}", fontsize=8.5, color="#5c5c5c")
    handles = [
        mpl.lines.Line2D(
            [], [], color=look.colour, marker=look.marker, linestyle=look.dash, markersize=5, label=name
        )
        for name in sorted(bright, key=lambda name: -reached[name])
        if (look := look_of[name])
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9)
    return figure


def _plots(figure: Figure, shown: Sequence[str]) -> dict[str, Axes]:
    """Axes for each test set: the first as wide as the page, two others side by side below it."""
    if len(shown) == 1:
        return {shown[0]: figure.subplots()}
    halves: Any = figure.subfigures(2, 1, height_ratios=[3.3, 2.5])
    upper, lower = halves
    return dict(zip(shown, [upper.subplots(), *lower.subplots(1, 2)], strict=True))


def _sets(axes: Axes, curve: pd.DataFrame, *, size: float = 6, thick: float = 2.2) -> dict[str, float]:
    """Draw a strategy on each test set; the last value of each line."""
    ends = {}
    for shift, test_set in zip((-1, 1, 0), SETS, strict=True):
        if not (curve["test_set"] == test_set).any():
            continue
        _line(
            axes,
            curve,
            test_set,
            shift=shift,
            interval=True,
            color=COLOURS[test_set],
            linestyle=_LINES[test_set],
            marker=_MARKERS[test_set],
            linewidth=thick if test_set == "pooled" else 0.72 * thick,
            markersize=size,
            markeredgewidth=0,
            zorder=4 if test_set == "pooled" else 3,
        )
        ends[test_set] = _end(curve, test_set)
    case_axis(axes, _sizes([curve]))
    return ends


def _line(
    axes: Axes, curve: pd.DataFrame, test_set: str, *, shift: float = 0, interval: bool = False, **style: Any
) -> None:
    line = curve[curve["test_set"] == test_set]
    if line.empty:
        return
    roots = np.sqrt(line["target_cases"].to_numpy(float))
    x = roots + shift * _DODGE * (float(np.ptp(roots)) or 1.0)
    if interval:
        axes.vlines(
            x, line["dsc_low"], line["dsc_high"], linewidth=1.1, alpha=0.6, color=style["color"], zorder=2
        )
    axes.plot(x, line["dsc_mean"], clip_on=False, **style)


def _limits(panels: Sequence[pd.DataFrame], test_set: str) -> tuple[float, float]:
    """From the tenth below the lowest to the tenth above the highest value, at least 0.4 apart."""
    lines = pd.concat([curve[curve["test_set"] == test_set] for curve in panels])
    lowest = float(np.nanmin(lines[["dsc_low", "dsc_mean"]].to_numpy()))
    highest = float(np.nanmax(lines[["dsc_high", "dsc_mean"]].to_numpy()))
    low, high = np.floor(10 * lowest) / 10, np.ceil(10 * highest) / 10
    low = min(low, high - 0.4)
    return max(0.0, round(float(low), 1)), min(1.0, max(float(high), 0.4))


def _sizes(panels: Any) -> list[int]:
    return sorted({int(size) for curve in panels for size in curve["target_cases"]})


def _has(panels: Mapping[str, pd.DataFrame], test_set: str) -> bool:
    return any((curve["test_set"] == test_set).any() for curve in panels.values())


def _end(curve: pd.DataFrame, test_set: str) -> float:
    return float(curve.loc[curve["test_set"] == test_set, "dsc_mean"].iloc[-1])


def _cases_label(names: Mapping[str, str]) -> str:
    return f"Annotated {names['target']} cases for training (square-root scale)"


def _spoken(context: Context) -> str:
    """Say what the figure shows, for readers who do not see it."""
    said = []
    for strategy, curve in context.curves.items():
        for test_set, line in curve.groupby("test_set", sort=False):
            values = ", ".join(
                f"{n}: {dsc:.2f}" for n, dsc in zip(line["target_cases"], line["dsc_mean"], strict=True)
            )
            said.append(f"{strategy}, {context.names[str(test_set)]} ({values})")
    return "Mean DSC by number of annotated target cases. " + "; ".join(said) + "."
