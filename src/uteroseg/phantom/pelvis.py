"""The frame of the pelvis: body outline, fat, bones, muscles, vessels, nerve roots and lymph nodes.

Origin: the middle of the lesser pelvis, about at the external os. Sizes are general knowledge of the adult
female pelvis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.shapes import Bounds, Ellipsoid, Points, Rough, Shape, Tube, Waves

SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Organ:
    """A shape and what it is made of; a later organ lies over an earlier one."""

    tissue: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Body:
    """Skin: an oval trunk that narrows to the waist, and two thighs below the perineum.

    Parameters
    ----------
    half_width_mm, half_depth_mm : float
        Of the trunk at the hips.
    inset_mm : float
        Depth below the skin: 0 is the skin itself, the thickness of the fat gives the muscular wall.
    """

    half_width_mm: float
    half_depth_mm: float
    inset_mm: float = 0.0

    def bounds(self) -> Bounds:
        """Box around everything that can be scanned."""
        return np.array([-300.0, -300.0, -600.0]), np.array([300.0, 300.0, 600.0])

    def distance(self, points: Points) -> Array:
        """Signed distance in axial planes; the floor of the pelvis is level with z = −88 mm."""
        x, y, z = points
        waist = 1 - np.float32(0.0006) * np.maximum(z, 0)
        a = (self.half_width_mm - 0.9 * self.inset_mm) * waist
        b = (self.half_depth_mm - self.inset_mm) * waist
        radius = ((np.abs(x) / a) ** 2.4 + (np.abs(y) / b) ** 2.4) ** np.float32(1 / 2.4)
        trunk = np.maximum((radius - 1) * b, -88 + self.inset_mm - z)
        spread = self.half_width_mm * 0.5 + np.maximum(-88 - z, 0) * np.float32(0.1)
        thigh_radius = self.half_width_mm * 0.48 - self.inset_mm
        thighs = np.sqrt((np.abs(x) - spread) ** 2 + (y - 5) ** 2) - thigh_radius
        return np.asarray(np.minimum(trunk, np.maximum(thighs, z + 60)))


def frame(rng: np.random.Generator, *, spread: bool = False) -> Iterator[Organ]:
    """Draw one patient's body wall, bones, muscles, vessels, nerves and nodes.

    With ``spread`` a tumour may have reached nodes (one patient in five); they are no part of its mask.
    """
    width, depth, fat = rng.uniform(165, 200), rng.uniform(100, 122), rng.uniform(14, 36)
    yield Organ("fat", Body(width, depth))
    yield Organ("muscle", Rough(Body(width, depth, fat), Waves.draw(rng, length_mm=45), 1.5))
    cavity = Ellipsoid(np.array([0.0, -8, 25]), np.array([width - fat - 62, depth - fat - 12, 112]))
    yield Organ("cavity", Rough(cavity, Waves.draw(rng, length_mm=40), 2.0))
    yield from _muscles(rng)
    yield from _bones(rng)
    yield from _vessels_and_nodes(rng, spread=spread)
    yield from _nerves(rng)


def _muscles(rng: np.random.Generator) -> Iterator[Organ]:
    """Fat between the glutei and beside the anal canal; muscles of the pelvic wall and floor."""
    for side in SIDES:
        scale = rng.uniform(0.85, 1.2)
        fold = np.array([[side * 45, 84, 30], [side * 85, 62, 5], [side * 122, 20, -8]])
        yield Organ("fat", Tube(fold + rng.normal(0, 3, (3, 3)), np.array([2.5, 4.5, 4.0])))
        yield Organ("fat", _ellipsoid((side * 34, 30, -72), (17, 24, 20)))
        psoas = np.array(
            [[side * 38, 5, 130], [side * 48, -8, 70], [side * 62, -38, 15], [side * 80, -45, -40]]
        )
        yield Organ("muscle", Tube(psoas, np.array([19.0, 18, 16, 13]) * scale))
        yield Organ("muscle", _ellipsoid((side * 62, -5, -30), (9 * scale, 34, 32)))
        piriformis = np.array([[side * 14, 62, 40], [side * 45, 58, 25], [side * 85, 40, 5]])
        yield Organ("muscle", Tube(piriformis, np.array([7.0, 11, 8]) * scale))
        levator = np.array([[side * 6, -48, -62], [side * 22, 5, -52], [side * 9, 45, -58]])
        yield Organ("muscle", Tube(levator, np.array([3.5, 4.0, 4.0]) * scale))


def _bones(rng: np.random.Generator) -> Iterator[Organ]:
    scale, tilt = rng.uniform(0.92, 1.08), rng.uniform(-6, 8)
    line = np.array([[52, 104], [60, 68], [72, 42], [79, 18], [77, -4], [66, -22]]) * scale + [tilt, 0]
    heights = (15, 15, 12, 11, 10, 9)
    depths = (19, 17, 12, 9, 7, 5)
    widths = (27, 50, 44, 36, 28, 12)
    for (y, z), height, depth, width in zip(line, heights, depths, widths, strict=True):
        size = np.array([width, depth, height * 0.92]) * scale
        yield Organ("cortex", _ellipsoid((0, y, z), tuple(size + 1.5)))
        yield Organ("marrow", _ellipsoid((0, y, z), tuple(size)))
    for (y, z), (y1, z1) in pairwise(line[:3]):
        yield Organ("disc", _ellipsoid((0, (y + y1) / 2, (z + z1) / 2), (22 * scale, 14 * scale, 4)))
    canal = np.array([[0, y + 20, z] for y, z in line[:4]])
    yield Organ("csf", Tube(canal, np.array([5.5, 4.5, 3, 1.5]), 1.4))
    pubis = rng.uniform(-2, 6)
    for side in SIDES:
        ramus = np.array([[side * 5, -72 - pubis, -38], [side * 40, -62, -15], [side * 75, -30, -15]])
        ischium = np.array([[side * 8, -66 - pubis, -52], [side * 38, -30, -72], [side * 62, 25, -62]])
        ilium = np.array([[side * 84, -8, -10], [side * 74, 28, 35], [side * 58, 62, 65]])
        for bone, radii in ((ramus, (10.0, 8, 12)), (ischium, (9.0, 8, 13)), (ilium, (20.0, 11, 14))):
            yield Organ("cortex", Tube(bone, np.array(radii) + 1.5))
            yield Organ("marrow", Tube(bone, np.array(radii)))
        head = (side * 92, -12, -22)
        yield Organ("cortex", _ellipsoid(head, (26, 26, 26)))
        yield Organ("marrow", _ellipsoid(head, (23, 23, 23)))
    yield Organ("disc", _ellipsoid((0, -72 - pubis, -44), (2.5, 9, 15)))


def _vessels_and_nodes(rng: np.random.Generator, *, spread: bool) -> Iterator[Organ]:
    stations: list[Array] = []
    for side in SIDES:
        external = np.array(
            [[side * 20, 25, 105], [side * 42, 18, 60], [side * 52, -28, 20], [side * 66, -68, -20]]
        )
        external = external + rng.normal(0, 3, external.shape)
        internal = np.array([[side * 40, 25, 58], [side * 46, 45, 30], [side * 44, 30, 0]]) + rng.normal(
            0, 3, (3, 3)
        )
        for line, radius in (
            (external, 5.0),
            (external + np.array([side * -3, 9, -6]), 5.5),
            (internal, 3.0),
        ):
            yield Organ("vessel", Tube(line, np.full(len(line), radius * rng.uniform(0.8, 1.2))))
        parametrial = np.array(
            [[side * 42, 20, 2], [side * 28, 8, -4], [side * 18, 4, 8], [side * 24, -2, 32]]
        )
        yield Organ("vessel", Tube(parametrial + rng.normal(0, 3, (4, 3)), np.array([2.0, 2.5, 2.0, 1.5])))
        stations += [external[1], external[2], internal[1], internal[2], (external[2] + internal[2]) / 2]
    metastatic = int(rng.integers(1, 4)) if rng.random() < 0.2 and spread else 0
    for number, station in enumerate(rng.permutation(np.array(stations))[: rng.integers(4, 11)]):
        radius = float(np.clip(rng.lognormal(np.log(3.6), 0.35), 2, 8)) + 2 * (number < metastatic)
        radii = radius * np.array([1.0, rng.uniform(1, 1.7), rng.uniform(1, 1.8)])
        tissue = "metastatic node" if number < metastatic else "lymph node"
        yield Organ(tissue, Ellipsoid(station + rng.normal(0, 7, 3), radii))


def _nerves(rng: np.random.Generator) -> Iterator[Organ]:
    for side in SIDES:
        for start, end in (
            ((15, 70, 70), (52, 48, 18)),
            ((16, 76, 46), (54, 50, 10)),
            ((14, 80, 24), (52, 46, 2)),
        ):
            root = np.array([start, end, (62, 50, -15)], float) * [side, 1, 1]
            yield Organ("nerve", Tube(root + rng.normal(0, 2, root.shape), np.array([2.4, 3.0, 4.0])))


def _ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...]) -> Ellipsoid:
    return Ellipsoid(np.array(centre, float), np.array(radii, float))
