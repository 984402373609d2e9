"""Lofts: shapes given by their axial cross-sections at a few levels, as an atlas shows them.

A cross-section is a rounded bar, straight or bent. Muscles and flat bones are lofts (``muscles``, ``bones``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.shapes import Bounds, Points


class Level(NamedTuple):
    """One cross-section on the patient's left (x positive).

    Parameters
    ----------
    z, x, y : float
        Its height and centre (LPS, mm).
    length, thickness : float
        Half of each, mm.
    angle : float
        Of the long axis, degrees: 0 points to the side, 90 to the back, negative ones to the front.
    bend : float
        How the bar curves away from its long axis, 1/mm: positive to the back of a bar that lies across.
    taper : float
        How much thicker it is at the end that the angle points to, and thinner at the other, −0.8 to 0.8.
    """

    z: float
    x: float
    y: float
    length: float
    thickness: float
    angle: float = 0.0
    bend: float = 0.0
    taper: float = 0.0


@dataclass(frozen=True, eq=False)
class Loft:
    """A shape between cross-sections, interpolated from one level to the next.

    Parameters
    ----------
    levels : ndarray, shape (n, 8)
        As ``Level``, of ascending height.
    side : float
        1 as the levels are (the patient's left), −1 mirrored to the right.
    """

    levels: Array
    side: float = 1.0

    @classmethod
    def of(cls, levels: Sequence[Level], side: float = 1.0) -> Loft:
        """Make a loft from levels in any order."""
        return cls(np.array(sorted(levels), float), side)

    def bounds(self) -> Bounds:
        """Box around the loft."""
        z, x, y, length, thickness, angle, bend, taper = self.levels.T
        across, back = np.abs(np.cos(np.radians(angle))), np.abs(np.sin(np.radians(angle)))
        bow = thickness * (1 + np.abs(taper)) + np.abs(bend) * length**2
        wide, deep = across * length + back * bow, back * length + across * bow
        left, right = (x - wide).min(), (x + wide).max()
        sides = (left, right) if self.side > 0 else (-right, -left)
        low = np.array([sides[0], (y - deep).min(), z.min()])
        return low, np.array([sides[1], (y + deep).max(), z.max()])

    def distance(self, points: Points) -> Array:
        """Signed distance within axial planes, to first order; flat ends."""
        x, y, z = points
        heights, *rest = self.levels.T
        at = [np.interp(z, heights, values).astype(np.float32) for values in rest]
        centre_x, centre_y, length, thickness, angle, bend, taper = at
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        dx, dy = np.float32(self.side) * x - centre_x, y - centre_y
        u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
        if bend.any():
            slope = 2 * bend * u
            v = (v - bend * u * u) / np.sqrt(1 + slope * slope)
        if taper.any():
            thickness = thickness * (1 + taper * np.clip(u / length, -1.2, 1.2))
        # a bar with rounded corners: |u/a|⁴ + |v/b|⁴ = 1
        uu, vv = (u / length) ** 2, (v / thickness) ** 2
        radius = np.sqrt(np.sqrt(uu * uu + vv * vv))
        cube = radius * radius * radius
        slope = np.sqrt(uu**3 / length**2 + vv**3 / thickness**2)
        inside = (radius - 1) * (cube + np.float32(1e-3)) / (slope + np.float32(1e-3) / thickness)
        ends = np.maximum(z - np.float32(heights[-1]), np.float32(heights[0]) - z)
        return np.asarray(np.maximum(inside, ends))
