"""The frame of the pelvis: skin, fat, muscles, bones, vessels, nerve roots and lymph nodes.

Origin: the middle of the lesser pelvis, about at the external os. Sizes are general knowledge of the adult
female pelvis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.bones import CORTEX_MM, hip_bones, sacral_line, sacrum
from uteroseg.phantom.loft import Level, Loft
from uteroseg.phantom.muscles import muscles
from uteroseg.phantom.septa import Sheets, Threads
from uteroseg.phantom.shapes import Bounds, Ellipsoid, Points, Rough, Shape, Tube, Waves

SIDES = (-1.0, 1.0)

EXTERNAL_ILIAC = ((20, 25, 105), (42, 18, 60), (53, -26, 20), (64, -66, -20), (63, -77, -50), (64, -62, -130))
"""From the bifurcation to the femoral artery, on the left."""
INTERNAL_ILIAC = ((40, 25, 58), (46, 45, 30), (44, 30, 0))

FASCIA_MM = 1.6
"""Fat and fascia around every muscle."""

COARSE = frozenset({"gluteus maximus", "gluteus medius", "adductor magnus", "erector spinae"})
"""Muscles of coarse bundles, with streaks of fat between them."""

CAVITY: tuple[Level, ...] = (
    # height, x, y, half length, half thickness
    Level(150, 0, -14, 106, 66), Level(90, 0, -18, 104, 62), Level(55, 0, -16, 92, 64),
    Level(25, 0, -6, 72, 72),
    Level(0, 0, -4, 62, 74), Level(-25, 0, -4, 54, 68), Level(-52, 0, 6, 26, 44), Level(-64, 0, 10, 14, 26),
)  # fmt: skip
"""The abdominal cavity and the lesser pelvis, before muscles, bones and organs lie in it."""


@dataclass(frozen=True)
class Coat:
    """What lies around an organ: a tissue of even thickness, mm."""

    tissue: str
    thickness_mm: float


ARTERY = Coat("vessel wall", 1.4)


@dataclass(frozen=True)
class Organ:
    """A shape, its tissue, what may coat it and run through it; a later organ lies over an earlier one."""

    tissue: str
    shape: Shape
    coat: Coat | None = None
    streaks: tuple[Sheets | Threads, ...] = ()


@dataclass(frozen=True, eq=False)
class Body:
    """Skin: a trunk flat in front and round behind, with hips, buttocks and their cleft; below it two thighs.

    Parameters
    ----------
    half_width_mm : float
        At the hips.
    front_mm, back_mm : float
        From the middle to the skin of the belly and of the buttocks.
    """

    half_width_mm: float
    front_mm: float
    back_mm: float

    def bounds(self) -> Bounds:
        """Box around everything that can be scanned."""
        return np.array([-300.0, -300.0, -600.0]), np.array([300.0, 300.0, 600.0])

    def distance(self, points: Points) -> Array:
        """Signed distance in axial planes; the floor of the pelvis is level with z = −92 mm."""
        x, y, z = points
        side, ahead = np.abs(x), y < 0
        width = _profile(z, (-90, -30, 40, 90, 160), (0.97, 1.0, 0.96, 0.90, 0.93), self.half_width_mm)
        front = _profile(z, (-100, -60, -20, 60, 140), (0.90, 0.97, 0.98, 1.0, 0.95), self.front_mm)
        back = _profile(z, (-90, -40, 10, 70, 140), (0.97, 1.0, 1.0, 0.99, 0.96), self.back_mm)
        depth = np.where(ahead, front, back)
        uu, vv = (side / width) ** 2, (y / depth) ** 2
        # from an ellipse (0) to a fourth power (1): the belly is flat, groins and buttocks are round
        flat = np.where(ahead, _profile(z, (-60, 0), (0.35, 0.7)), np.float32(0.35))
        radius = np.sqrt(np.sqrt(uu * uu + vv * vv + 2 * (1 - flat) * uu * vv))
        cleft = _profile(z, (-90, -60, -20, 30, 60), (36, 32, 20, 7, 0)) * np.exp(-side / 8) * ~ahead
        trunk = _smooth_max((radius - 1) * depth + cleft, np.float32(-94) - np.float32(0.10) * side - z, 50)
        if z.min() > -40:  # no thigh is near
            return np.asarray(trunk, np.float32)
        spread = self.half_width_mm * 0.5 + np.maximum(-88 - z, 0) * np.float32(0.1)
        thighs = np.sqrt((side - spread) ** 2 + (y - 2) ** 2) - np.float32(self.half_width_mm * 0.49)
        return np.asarray(-_smooth_max(-trunk, -np.maximum(thighs, z + 60), 16), np.float32)


def _smooth_max(one: Array, other: Array, blend_mm: float) -> Array:
    """Larger of two distances; edges between them are rounded over some mm."""
    overlap = np.maximum(np.float32(blend_mm) - np.abs(one - other), 0)
    return np.asarray(np.maximum(one, other) + overlap**2 / np.float32(4 * blend_mm))


def _profile(z: Array, heights: tuple[float, ...], values: tuple[float, ...], size: float = 1.0) -> Array:
    return np.asarray(size * np.interp(z, heights, values), np.float32)


def body_and_cavity(rng: np.random.Generator) -> Iterator[Organ]:
    """Draw skin, fat with its septa and small vessels, and the cavity with fine vessels in its fat."""
    skin = Body(rng.uniform(160, 190), rng.uniform(105, 123), rng.uniform(114, 129))
    septa = Sheets.draw(rng, "septum", length_mm=rng.uniform(20, 32), thickness_mm=rng.uniform(0.8, 1.3))
    yield Organ("fat", skin, Coat("septum", 1.2), (septa,))
    yield from _under_the_skin(rng, skin)
    cavity = Rough(Loft.of(CAVITY), Waves.draw(rng, length_mm=40), 2.0)
    septa = Sheets.draw(rng, "septum", length_mm=28, thickness_mm=0.8)
    vessels = Threads.draw(rng, "vessel", length_mm=rng.uniform(26, 38), radius_mm=rng.uniform(0.5, 0.8))
    yield Organ("cavity", cavity, streaks=(septa, vessels))


def _under_the_skin(rng: np.random.Generator, skin: Body) -> Iterator[Organ]:
    """Small veins of belly and groin in the fat, and inguinal nodes."""
    for side in SIDES:
        for _ in range(int(rng.integers(2, 5))):
            start = np.array([side * rng.uniform(30, 95), rng.uniform(-60, 40)])
            line = start + np.cumsum(rng.normal(0, 1, (5, 2)) * [8, 14], axis=0)
            course = _in_front(skin, line, rng.uniform(5, 14, 5))
            yield from _along("vessel", course, rng.uniform(0.8, 1.6, 5))
        for _ in range(int(rng.integers(1, 5))):
            place = np.array([[side * rng.uniform(48, 78), rng.uniform(-62, -22)]])
            size = np.clip(rng.lognormal(np.log(3.0), 0.3), 2, 6) * rng.uniform(0.8, 1.5, 3)
            yield Organ("lymph node", Ellipsoid(_in_front(skin, place, np.array([10.0]))[0], size))


def _in_front(skin: Body, places: Array, depth_mm: Array) -> Array:
    """Points at a depth under the skin of the front, where x and z are given."""
    x, z = places.T
    y = np.arange(-130, 0, 1.0)
    deep = skin.distance((x[:, None], y[None], z[:, None])) < -depth_mm[:, None]
    return np.column_stack([x, y[deep.argmax(axis=1)], z])


def frame(rng: np.random.Generator, *, spread: bool = False) -> Iterator[Organ]:
    """Draw one patient's muscles, bones, vessels, nerves and nodes.

    With ``spread`` a tumour may have reached nodes (one patient in five); they are no part of its mask.
    """
    scale, tilt = rng.uniform(0.96, 1.04), rng.normal(0, 2.5)
    fascia = Coat("fat", FASCIA_MM)
    for name, shape in muscles(rng, scale, tilt):
        streaks = (Sheets.draw(rng, "fat", length_mm=22, thickness_mm=0.5),) if name in COARSE else ()
        yield Organ("muscle", shape, fascia, streaks)
    yield from _bones(rng, scale, tilt)
    yield from _vessels_and_nodes(rng, spread=spread)
    yield from _nerves(rng, scale)


def _bones(rng: np.random.Generator, scale: float, tilt: float) -> Iterator[Organ]:
    cortex = Coat("cortex", CORTEX_MM)
    line = sacral_line(scale)
    for bone in (*hip_bones(rng, scale, tilt), *sacrum(rng, scale)):
        yield Organ(bone.marrow, bone.shape, cortex)
    for (y, z), (y1, z1) in pairwise([line[0] + [-12, 36], *line[:2]]):
        yield Organ("disc", _ellipsoid((0, (y + y1) / 2, (z + z1) / 2), (22 * scale, 13 * scale, 3.5)))
    canal = np.array([[0, y + 19, z] for y, z in line[:4]])
    canal = np.vstack([canal[0] + [0, -11, 38], canal])
    yield Organ("csf", Tube(canal, np.array([6.5, 5.5, 4.5, 2.5, 1.2]), 1.4), Coat("fat", 2.0))
    yield Organ("disc", _ellipsoid((0, -72 * scale, -44 * scale), (2.5, 9, 15)))


def _vessels_and_nodes(rng: np.random.Generator, *, spread: bool) -> Iterator[Organ]:
    stations: list[Array] = []
    for side in SIDES:
        external = np.array(EXTERNAL_ILIAC, float) * [side, 1, 1]
        external = external + rng.normal(0, 2.5, external.shape)
        internal = np.array(INTERNAL_ILIAC, float) * [side, 1, 1] + rng.normal(0, 3, (3, 3))
        vein = external + np.array([side * -4, 8, -3])
        yield from _along("vessel", vein, rng.uniform(3.4, 5.0, len(vein)))
        yield from _along("flow void", external, np.full(len(external), rng.uniform(2.4, 3.1)), ARTERY)
        yield from _along("flow void", internal, np.full(3, rng.uniform(1.2, 1.8)), ARTERY)
        for _ in range(3):
            branch = internal + np.array([side * -3, 3, 0]) + rng.normal(0, 5, (3, 3))
            yield from _along("vessel", branch, rng.uniform(1.1, 2.2, 3))
        parametrial = np.array(
            [[side * 42, 20, 2], [side * 28, 8, -4], [side * 18, 4, 8], [side * 24, -2, 32]]
        )
        yield Organ("vessel", Tube(parametrial + rng.normal(0, 3, (4, 3)), np.array([1.6, 2.0, 1.6, 1.3])))
        stations += [external[1], external[2], internal[1], internal[2], (external[2] + internal[2]) / 2]
    metastatic = int(rng.integers(1, 4)) if rng.random() < 0.2 and spread else 0
    for number, station in enumerate(rng.permutation(np.array(stations))[: rng.integers(4, 11)]):
        radius = float(np.clip(rng.lognormal(np.log(3.6), 0.35), 2, 8)) + 2 * (number < metastatic)
        radii = radius * np.array([1.0, rng.uniform(1, 1.7), rng.uniform(1, 1.8)])
        tissue = "metastatic node" if number < metastatic else "lymph node"
        yield Organ(tissue, Ellipsoid(station + rng.normal(0, 7, 3), radii))


def _nerves(rng: np.random.Generator, scale: float) -> Iterator[Organ]:
    """Sacral roots from the canal through the foramina to the plexus, in fat."""
    for side in SIDES:
        for (y, z), (y1, z1) in pairwise(sacral_line(scale)[:4]):
            height = (z + z1) / 2
            depth = (y + y1) / 2
            line = [
                (7, depth + 15, height + 8),
                (19, depth + 3, height),
                (31, depth - 9, height - 6),
                (52, 49, 2 + 0.25 * height),
                (64, 50, -15),
                (72, 46, -40),
            ]
            root = np.array(line, float) * [side, 1, 1] + rng.normal(0, 1.5, (6, 3))
            yield from _along("nerve", root, np.array([1.6, 2.0, 2.2, 2.4, 2.8, 3.0]), Coat("fat", 2.0))


def _along(tissue: str, line: Array, radii: Array, coat: Coat | None = None) -> Iterator[Organ]:
    """A vessel or nerve, piece by piece: a long line's box would be mostly empty."""
    pieces = [(line[i : i + 2], radii[i : i + 2]) for i in range(len(line) - 1)]
    if coat:
        yield from (Organ(coat.tissue, Tube(piece, r + coat.thickness_mm)) for piece, r in pieces)
    yield from (Organ(tissue, Tube(piece, r)) for piece, r in pieces)


def _ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...]) -> Ellipsoid:
    return Ellipsoid(np.array(centre, float), np.array(radii, float))
