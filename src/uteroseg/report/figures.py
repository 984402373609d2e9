"""Figures of a report: their style, and how they become SVG in the page and beside it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"source": "#0072B2", "target": "#D55E00", "pooled": "#1a1a1a"}
"""Okabe and Ito's palette: told apart by colour-blind readers, and by line and marker in black and white."""

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
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
GAP = 0.058
"""Least distance between the labels of two lines, in DSC, where a panel is 3.5 inches high."""


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text.

    Parameters
    ----------
    name : str
        Of its file, without ending.
    svg : str
        An ``<svg>`` element that takes the page's font and width.
    """

    name: str
    svg: str

    @property
    def file(self) -> str:
        """The text of a file of its own, which names its fonts."""
        return '<?xml version="1.0" encoding="utf-8"?>\n' + self.svg.replace("var(--sans)", SANS) + "\n"


def drawing(name: str, figure: Figure, *, label: str) -> Drawing:
    """Render a figure to an element that scales with the page and fetches nothing.

    Parameters
    ----------
    name : str
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
    return Drawing(name, svg.replace("<svg ", '<svg role="img" ', 1).strip())


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
