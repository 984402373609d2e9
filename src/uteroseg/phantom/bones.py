"""Bones of the pelvis: marrow, to be coated with cortex; the flat ones as cross-sections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.loft import Level, Loft
from uteroseg.phantom.shapes import Ellipsoid, Rough, Shape, Tube, Waves

_Line = tuple[tuple[tuple[float, float, float], ...], tuple[float, ...]]

ILIUM: tuple[Level, ...] = (
    # height, x, y, half length, half thickness, angle, bend, taper
    Level(122, 100, 18, 46, 3.5, -56, -0.003, 0.4), Level(95, 92, 20, 64, 4.5, -56, -0.003, 0.2),
    Level(70, 86, 18, 66, 5.5, -57, -0.0025, -0.2), Level(48, 84, 12, 54, 6.5, -60, -0.002, -0.2),
    Level(30, 86, 6, 42, 8, -66, -0.002), Level(14, 88, -2, 30, 13, -76), Level(0, 88, -8, 30, 21, -84),
    Level(-8, 86, -10, 28, 22, -86),
)  # fmt: skip
"""The wing of the ilium, from the crest to the roof of the acetabulum."""

ISCHIUM: tuple[Level, ...] = (
    Level(0, 80, 16, 16, 11, -60), Level(-22, 76, 20, 15, 10, -50), Level(-45, 70, 24, 14, 11, -30),
    Level(-66, 62, 26, 13, 14, 0), Level(-80, 58, 24, 10, 10),
)  # fmt: skip
"""From the back of the acetabulum to the tuberosity."""

PLATE: tuple[Level, ...] = (
    Level(2, 66, -8, 26, 4, 86), Level(-20, 65, -8, 30, 2.5, 82), Level(-40, 64, -6, 24, 3, 76),
)  # fmt: skip
"""The quadrilateral plate between the head of the femur and the obturator internus."""

RAMI: tuple[_Line, ...] = (
    (((86, -32, -6), (66, -48, -14), (40, -63, -26), (14, -71, -40)), (13.0, 10, 8, 11)),
    (((12, -68, -46), (18, -60, -60), (34, -32, -72), (54, 12, -74)), (10.0, 7, 6, 10)),
)
"""The superior and the inferior ramus of the pubis: line, and radii."""

FEMUR: tuple[_Line, ...] = (
    (((88, -12, -22), (106, -5, -36), (122, 2, -46)), (15.0, 14, 17)),
    (((124, 2, -32), (122, 2, -50), (118, -6, -80), (114, -8, -150)), (13.0, 17, 15, 13)),
)
"""Neck, and trochanters with the shaft: line, and radii."""

HEAD_MM = 22.5
CORTEX_MM = 1.6


@dataclass(frozen=True)
class Bone:
    """A bone's shape, its cortex not included, and what is in it."""

    marrow: str
    shape: Shape


def hip_bones(rng: np.random.Generator, scale: float, tilt_mm: float = 0.0) -> Iterator[Bone]:
    """Draw ilium, ischium, pubis and femur of either side; a tilt lifts the left and lowers the right."""
    for side in (-1.0, 1.0):
        mirror, lift = np.array([side, 1, 1]) * scale, np.array([0, 0, side * tilt_mm])
        for levels in (ILIUM, ISCHIUM, PLATE):
            table = np.array(sorted(levels), float)
            table[:, :5] *= scale
            table[:, 0] += side * tilt_mm
            table[:, 1:3] += rng.normal(0, 1, 2)
            yield Bone("marrow", Rough(Loft(table, side), Waves.draw(rng, length_mm=32), 1.4))
        for line, radii in RAMI:
            yield Bone("marrow", Tube(np.array(line) * mirror + lift, np.array(radii) * scale))
        head = np.array([88, -12, -22]) * mirror + lift
        yield Bone("yellow marrow", Ellipsoid(head, np.full(3, HEAD_MM * scale)))
        for line, radii in FEMUR:
            yield Bone("yellow marrow", Tube(np.array(line) * mirror + lift, np.array(radii) * scale))


SACRUM: tuple[Level, ...] = (
    Level(120, 0, 64, 34, 8, 0, 0.006), Level(104, 0, 62, 50, 13, 0, 0.006),
    Level(85, 0, 68, 52, 14, 0, 0.005),
    Level(65, 0, 76, 45, 12, 0, 0.005), Level(42, 0, 77, 34, 10, 0, 0.007), Level(20, 0, 80, 26, 7, 0, 0.009),
    Level(0, 0, 77, 20, 5.5, 0, 0.01), Level(-14, 0, 71, 12, 4.5), Level(-28, 0, 62, 6, 3.5),
)  # fmt: skip
"""With its wings and what lies behind the canal, and the coccyx."""

VERTEBRAE = ((52, 104), (60, 68), (72, 42), (79, 18), (77, -4))
"""Depth and height of the middles of S1 to S5."""


def sacral_line(scale: float) -> Array:
    """The middles of the sacral vertebrae as points of depth and height."""
    return np.asarray(np.array(VERTEBRAE, float) * scale)


def sacrum(rng: np.random.Generator, scale: float) -> Iterator[Bone]:
    """Draw the sacrum with the coccyx, the bodies of its vertebrae and L5, and the spinous processes."""
    table = np.array(sorted(SACRUM), float)
    table[:, :5] *= scale
    waves = Waves.draw(rng, length_mm=22, count=12)
    yield Bone("marrow", Rough(Loft(table), waves, 1.4))
    line = sacral_line(scale)
    bodies = np.vstack([line[0] + [-12, 36], line])
    sizes = ((25, 17, 15), (25, 16, 14), (22, 13, 12), (19, 10, 11), (16, 8, 10), (14, 6, 9))
    for (y, z), size in zip(bodies, sizes, strict=True):
        body = Ellipsoid(np.array([0, y, z]), np.array(size) * [1, 1, 0.97] * scale)
        yield Bone("marrow", Rough(body, Waves.draw(rng, length_mm=22), 1.0))
    for (y, z), (y_next, z_next) in pairwise(line[:4]):
        middle = np.array([0, (y + y_next) / 2 + 24 * scale, (z + z_next) / 2])
        yield Bone("marrow", Ellipsoid(middle, np.array([3.5, 5, 8]) * scale))
