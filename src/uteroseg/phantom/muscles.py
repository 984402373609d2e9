"""The muscles of the pelvis as cross-sections at heights over the external os (general anatomy).

Femoral heads lie at a height of −22 mm, the symphysis at −44, the ischial tuberosities at −70, the front
upper spines of the ilium at 60.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from uteroseg.phantom.loft import Level, Loft
from uteroseg.phantom.shapes import Rough, Shape, Waves

MUSCLES: Mapping[str, tuple[Level, ...]] = {
    # height, x, y, half length, half thickness, angle, bend, taper
    "rectus abdominis": (
        Level(135, 34, -84, 32, 5, 0, 0.002), Level(60, 29, -88, 27, 5.5, 0, 0.002, -0.2),
        Level(20, 23, -90, 21, 5.5, 0, 0.003, -0.2), Level(-15, 14, -89, 12, 5), Level(-36, 9, -86, 7, 4),
    ),
    "external oblique": (
        Level(140, 103, -48, 58, 4, 42, 0.005), Level(70, 100, -54, 52, 3.5, 40, 0.005),
        Level(40, 88, -70, 32, 2, 34, 0.004),
    ),
    "internal oblique": (
        Level(140, 96, -41, 52, 5, 42, 0.005), Level(75, 93, -47, 46, 4.5, 40, 0.005),
        Level(48, 84, -60, 28, 2.5, 36, 0.004),
    ),
    "erector spinae": (
        Level(140, 30, 78, 26, 16, -10), Level(95, 27, 86, 23, 12, -10), Level(60, 18, 94, 14, 6, -8),
        Level(32, 12, 97, 7, 3),
    ),
    "psoas": (
        Level(140, 40, 22, 19, 17), Level(95, 46, 20, 20, 16, 10), Level(65, 55, 6, 19, 14, 20),
        Level(35, 65, -16, 17, 13, 30), Level(8, 76, -38, 16, 12, 30), Level(-22, 84, -50, 17, 11, 20),
        Level(-45, 92, -42, 15, 11, 10), Level(-78, 94, -12, 9, 8),
    ),
    "iliacus": (
        Level(112, 93, 18, 34, 7, -60, -0.001), Level(75, 87, 2, 48, 10, -58, -0.002, 0.3),
        Level(45, 86, -10, 36, 10, -60, -0.002, 0.3), Level(20, 86, -30, 18, 8, -62),
        Level(0, 90, -44, 10, 6, -60),
    ),
    "piriformis": (
        Level(50, 32, 64, 10, 5, -20), Level(32, 48, 58, 26, 8, -26), Level(14, 66, 50, 32, 9, -30),
        Level(-2, 96, 34, 20, 6, -34), Level(-10, 108, 24, 9, 4, -30),
    ),
    "gluteus maximus": (
        Level(92, 64, 86, 12, 4, -35), Level(70, 68, 81, 28, 9, -36, -0.004),
        Level(45, 73, 78, 44, 13, -34, -0.005, -0.2),
        Level(15, 78, 76, 58, 16, -31, -0.0045, -0.3), Level(-15, 78, 74, 62, 18, -26, -0.004, -0.35),
        Level(-45, 74, 67, 58, 20, -20, -0.004, -0.35), Level(-75, 70, 60, 46, 18, -14, -0.003, -0.25),
        Level(-100, 88, 40, 28, 10, -15),
    ),
    "gluteus medius": (
        Level(125, 126, -2, 24, 6, -66), Level(85, 121, 18, 44, 11, -62, -0.003),
        Level(50, 123, 18, 45, 12, -64, -0.003, 0.25), Level(22, 128, 4, 38, 11, -74, -0.003, 0.2),
        Level(-2, 134, 0, 27, 9, -86, -0.002), Level(-28, 138, 3, 14, 6, -90),
    ),
    "gluteus minimus": (
        Level(78, 108, -2, 18, 5, -60), Level(50, 105, 4, 30, 7, -60, -0.002, 0.3),
        Level(25, 110, -2, 29, 8, -70, -0.002, 0.3), Level(0, 118, -12, 20, 7.5, -82),
        Level(-28, 124, -14, 10, 5, -86),
    ),
    "obturator internus": (
        Level(16, 60, 4, 10, 3, 88), Level(0, 58, -3, 26, 6, 85), Level(-22, 55, -5, 33, 8, 78, 0.002, -0.25),
        Level(-45, 48, -7, 36, 9, 66, 0.002, 0.2), Level(-64, 44, -6, 29, 7, 62),
        Level(-72, 43, -4, 18, 4, 62),
    ),
    "gemelli": (
        Level(-10, 86, 36, 18, 4, -28), Level(-24, 88, 35, 24, 6, -24), Level(-36, 86, 34, 20, 4, -18),
    ),
    "quadratus femoris": (
        Level(-38, 90, 28, 14, 4, -12), Level(-55, 89, 26, 19, 7, -10), Level(-74, 90, 22, 15, 5, -8),
    ),
    "obturator externus": (
        Level(-30, 58, -46, 16, 5, 30), Level(-48, 62, -30, 34, 10, 48), Level(-66, 56, -28, 28, 9, 48),
        Level(-76, 52, -28, 16, 5, 48),
    ),
    "pectineus": (
        Level(-18, 44, -76, 12, 4, 16), Level(-42, 54, -72, 22, 8, 24), Level(-72, 72, -52, 22, 9, 42),
        Level(-95, 84, -30, 14, 7, 50),
    ),
    "adductor longus": (
        Level(-46, 20, -83, 8, 4, 20), Level(-70, 36, -66, 17, 9, 32), Level(-125, 66, -42, 20, 10, 36),
    ),
    "adductor brevis": (
        Level(-60, 30, -62, 14, 6, 40), Level(-80, 44, -52, 24, 9, 42), Level(-125, 68, -28, 22, 10, 45),
    ),
    "adductor magnus": (
        Level(-72, 46, -22, 18, 7, 55), Level(-95, 56, -6, 30, 14, 58), Level(-140, 64, 8, 36, 18, 56),
    ),
    "hamstrings": (
        Level(-72, 66, 34, 10, 7, 0), Level(-100, 74, 32, 17, 14, 0), Level(-150, 80, 36, 28, 20, 0),
    ),
    "rectus femoris": (
        Level(4, 104, -48, 5, 4), Level(-20, 106, -60, 9, 7), Level(-60, 102, -60, 15, 9),
        Level(-140, 98, -50, 17, 12),
    ),
    "sartorius": (
        Level(50, 122, -46, 6, 5, 40), Level(10, 116, -68, 10, 5, 40), Level(-30, 100, -74, 12, 5, 24),
        Level(-70, 84, -74, 13, 6, 14), Level(-140, 66, -62, 13, 5),
    ),
    "tensor fasciae latae": (
        Level(42, 130, -38, 6, 4, 50), Level(0, 134, -45, 14, 6, 60), Level(-45, 138, -38, 17, 7, 68),
        Level(-100, 142, -24, 14, 4, 80),
    ),
    "vastus lateralis": (
        Level(-42, 130, -12, 12, 6, 60), Level(-75, 126, -26, 28, 14, 58), Level(-140, 122, -28, 32, 16, 56),
    ),
    "levator ani": (
        Level(-12, 48, 14, 24, 1.5, 80, 0.006), Level(-30, 38, 12, 36, 2, 74, 0.004, 0.3),
        Level(-46, 28, 8, 42, 2.5, 80, 0.005, 0.3), Level(-60, 20, 8, 42, 3, 90, 0.006, 0.3),
        Level(-72, 16, 14, 34, 3.5, 96, 0.007),
    ),
}  # fmt: skip
"""Each muscle's levels on the left."""

_ROUGH_MM = 2.0


def muscles(rng: np.random.Generator, scale: float, tilt_mm: float = 0.0) -> Iterator[tuple[str, Shape]]:
    """Draw one patient's muscles, right and left, the deep before the superficial.

    Parameters
    ----------
    rng : Generator
        For how strong the patient is, and the course and outline of each muscle.
    scale : float
        Size of the pelvis, 1 on average.
    tilt_mm : float
        How much higher the left side lies, and lower the right.
    """
    bulk = rng.uniform(0.82, 1.06)
    for name, levels in MUSCLES.items():
        for side in (-1.0, 1.0):
            table = np.array(sorted(levels), float)
            table[:, :5] *= scale
            table[:, 0] += side * tilt_mm
            table[:, 1:3] += rng.normal(0, 1.2, 2) + rng.normal(0, 0.8, (len(levels), 2))
            table[:, 3] *= rng.uniform(0.93, 1.05)
            table[:, 4] *= bulk * rng.uniform(0.88, 1.12)
            thin = float(table[:, 4].max())
            waves = Waves.draw(rng, length_mm=14 + thin, count=10)
            yield name, Rough(Loft(table, side), waves, min(_ROUGH_MM, 0.3 + 0.12 * thin))
