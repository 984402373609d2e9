"""Learning curves of all strategies on each test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from uteroseg.report.figures import (
    COLOURS,
    GAP,
    STYLE,
    Drawing,
    case_axis,
    drawing,
    dsc_axis,
    label_ends,
)
from uteroseg.report.strategies import StrategySet
from uteroseg.results.grid import SETS, curves

_LINES = {"source": (0, (4, 1.8)), "target": (0, (1.2, 1.2)), "pooled": "solid"}
_MARKERS = {"source": "s", "target": "^", "pooled": "o"}
_PALE = "#c9c9c9"
_WIDTH = 7.2
_DODGE = 0.008
"""Sideways shift that keeps intervals at one number of cases apart, as a share of the axis."""

Names = Mapping[str, str]


def curve_drawings(
    summary: pd.DataFrame, strategies: StrategySet, *, source_cohort: str, target_cohort: str
) -> list[Drawing]:
    """Draw mean DSC with its interval against the number of target cases.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    strategies : StrategySet
    source_cohort, target_cohort : str

    Returns
    -------
    list of Drawing
        ``learning_curves``: a panel for each test set where there are several strategies, one for a single
        strategy. The same summary gives the same text.
    """
    names = {"source": source_cohort, "target": target_cohort, "pooled": "pooled"}
    panels = curves(summary)
    with mpl.rc_context(STYLE):
        return [_each(panels, names) if len(panels) == 1 else _together(panels, strategies, names)]


def _each(panels: Mapping[str, pd.DataFrame], names: Names) -> Drawing:
    """The only strategy, large."""
    (curve,) = panels.values()
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
    return drawing("learning_curves", figure, label=_spoken(panels, names))


def _together(panels: Mapping[str, pd.DataFrame], strategies: StrategySet, names: Names) -> Drawing:
    """All strategies in a panel for each test set; more than six are drawn pale, without intervals."""
    shown = [name for name in ("pooled", "target", "source") if _has(panels, name)]
    if len(shown) < 3:
        shown = shown[-1:]  # pooled is the one test set that there is
    reached = {name: _end(curve, shown[0]) for name, curve in panels.items()}
    bright = strategies.highlighted(reached)
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
            look = strategies.look(name)
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
            f"{_capital(names[test_set])}" + (" (both cohorts)" if test_set == "pooled" else " test patients")
        )
        axes.set_ylabel("Mean DSC (95 % interval)" if test_set == shown[0] else "Mean DSC")
        axes.set_xlabel(
            _cases_label(names)
            if len(shown) == 1 or test_set == shown[0]
            else f"{_capital(names['target'])} cases"
        )
    axes = plots[shown[0]]
    span = axes.get_ylim()[1] - axes.get_ylim()[0]
    ends = {name: reached[name] for name in bright}
    styles = {name: {"color": strategies.look(name).colour, "fontweight": "bold"} for name in bright}
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
        if (look := strategies.look(name))
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=9)
    return drawing("learning_curves", figure, label=_spoken(panels, names))


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


def _cases_label(names: Names) -> str:
    return f"Annotated {names['target']} cases for training (square-root scale)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _spoken(panels: Mapping[str, pd.DataFrame], names: Names) -> str:
    """Say what the figure shows, for readers who do not see it."""
    said = []
    for strategy, curve in panels.items():
        for test_set, line in curve.groupby("test_set", sort=False):
            values = ", ".join(
                f"{n}: {dsc:.2f}" for n, dsc in zip(line["target_cases"], line["dsc_mean"], strict=True)
            )
            said.append(f"{strategy}, {names[str(test_set)]} ({values})")
    return "Mean DSC by number of annotated target cases. " + "; ".join(said) + "."
