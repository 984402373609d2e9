"""Which of the regions in an annotation file is the tumour: labels, segments, regions of interest."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

OFF_MM = 0.1
"""As far as what was drawn in a slice may lie off it."""

Colour = tuple[int, int, int]
GridOf = Callable[[frozenset[str], Array], Geometry | None]
"""Gives the grid of the images that a region was drawn on, from their SOP Instance UIDs (none: those that the
whole file refers to); where they are not at hand the study's, if all points (n, 3) of the region, LPS, mm,
lie in its slices; or None."""


@dataclass(frozen=True)
class Region:
    """What a file says of one region.

    Parameters
    ----------
    number : float
        Label value, segment number or ROI number.
    name : str
        Segment label or ROI name; empty in label maps without names.
    colour : tuple of 3 ints, optional
        ROI Display Color.
    drawn_by : str
        The model or algorithm that drew it; empty for people.
    layer : int
        Of a label map with several.
    """

    number: float
    name: str = ""
    colour: Colour | None = None
    drawn_by: str = ""
    layer: int = 0

    def __str__(self) -> str:
        colour = f" ({','.join(map(str, self.colour))})" if self.colour else ""
        return f"{self.number:.10g} {self.name.strip()}".strip() + colour


@dataclass(frozen=True)
class Choice:
    """What tells the tumour among the regions of a file; without any, a file must hold one region.

    Parameters
    ----------
    number : float, optional
    name : str
        Upper and lower case are the same; ``*`` stands for anything.
    colour : tuple of 3 ints, optional
    no_tumour : bool
        The file is said to hold none: every voxel of it must be 0.
    """

    number: float | None = None
    name: str = ""
    colour: Colour | None = None
    no_tumour: bool = False

    def fits(self, region: Region) -> bool:
        """Whether a region is what was asked for."""
        name = re.escape(self.name.strip()).replace(r"\*", ".*")
        rounding = 1e-4 if region.number % 1 else 0  # a scaled mask's value, as a viewer shows it
        return (
            (self.number is None or math.isclose(self.number, region.number, rel_tol=rounding))
            and (not self.name or re.fullmatch(name, region.name.strip(), re.IGNORECASE) is not None)
            and self.colour in (None, region.colour)
        )

    def __str__(self) -> str:
        parts = [f"number {self.number:.10g}"] if self.number is not None else []
        parts += [f"name {self.name!r}"] if self.name else []
        parts += [f"colour {','.join(map(str, self.colour))}"] if self.colour else []
        return " and ".join(parts) or "any region"


def algorithm(kind: object, name: object, beside: str) -> str:
    """The algorithm that drew a region, empty for people; what is said beside a file that does not say it."""
    kind = str(kind or "").strip().upper()
    return str(name or "an algorithm without name") if kind == "AUTOMATIC" else "" if kind else beside


def choose(regions: Sequence[Region], choice: Choice, path: Path) -> Region:
    """The one region that fits.

    Raises
    ------
    UserError
        If none or several do, or the number that its voxels go by is another region's too; with a list of
        what the file holds.
    """
    fitting = [region for region in regions if choice.fits(region)]
    listed = "; ".join(map(str, regions))
    if len(fitting) == 1:
        (chosen,) = fitting
        alike = [one for one in regions if (one.layer, one.number) == (chosen.layer, chosen.number)]
        if len(alike) == 1:
            return chosen
        found = f"{path} does not tell its regions apart, their number is one: {'; '.join(map(str, alike))}."
        raise UserError(
            found,
            expected="a number of its own for each region.",
            fix="number them anew and export them again.",
        )
    if not regions:
        found = f"{path} holds nothing but background."
    elif not fitting:
        found = f"{path} holds no region of {choice}, it holds: {listed}."
    elif len(fitting) < len(regions):
        found = f"{path} holds {len(fitting)} regions of {choice}: {'; '.join(map(str, fitting))}."
    else:
        found = f"{path} holds {len(regions)} regions: {listed}."
    raise UserError(
        found,
        expected="one region that is the tumour.",
        fix="say which with `roi`, `roi_colour` or the column label of the annotation table; where there is "
        "no tumour, write 'none' in its column mask.",
    )
