"""Tumours: irregular growths from a seed, their volume exact whatever their shape.

A growth is a field (mm) that rises away from its seeds; the tumour is where it stays under the level that
gives the wanted volume. Noise roughens it; barriers (bladder, rectum, bone, the serosa) raise it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.anatomy import Anatomy
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.plan import TumourPlan
from uteroseg.phantom.shapes import (
    Bounds,
    Box,
    Ellipsoid,
    Points,
    Rough,
    Shape,
    Union,
    Waves,
    box_of,
    points_in,
)
from uteroseg.phantom.uterus import Uterus

GRID_MM = 2.0
"""Distance of the points on which a tumour's volume is counted."""


@dataclass(frozen=True, eq=False)
class Growth:
    """A tumour's implicit surface.

    Parameters
    ----------
    core : Shape
        The seed and the direction of growth.
    waves : tuple of Waves
        Coarse and fine roughness.
    amplitude_mm : float
    keep_inside : tuple of (Shape, float)
        Outside of these the field rises by so many mm per mm.
    keep_outside : tuple of Shape
        Inside of these, and 1 mm around them, it rises steeply.
    level_mm : float
        Where the surface is.
    reach_mm : float
        How far from the core it can extend.
    """

    core: Shape
    waves: tuple[Waves, Waves]
    amplitude_mm: float
    keep_inside: tuple[tuple[Shape, float], ...]
    keep_outside: tuple[Shape, ...]
    level_mm: float = 0.0
    reach_mm: float = 30.0

    def bounds(self) -> Bounds:
        """Box that holds the tumour."""
        low, high = self.core.bounds()
        return low - self.reach_mm, high + self.reach_mm

    def distance(self, points: Points) -> Array:
        """The field less its level: negative inside the tumour, mm to first order near its surface."""
        rough = self.waves[0].at(points) + np.float32(0.5) * self.waves[1].at(points)
        field = self.core.distance(points) + np.float32(self.amplitude_mm) * rough
        for shape, weight in self.keep_inside:
            field = field + np.float32(weight) * np.maximum(shape.distance(points), 0)
        for shape in self.keep_outside:
            field = field + np.float32(4) * np.maximum(1 - shape.distance(points), 0)
        return np.asarray(field - np.float32(self.level_mm))


def grow_tumour(rng: np.random.Generator, plan: TumourPlan, anatomy: Anatomy) -> list[Organ]:
    """The tumour, and the necrosis in it as later organs that belong to it."""
    radius = (plan.volume_ml * 1000 / 4.19) ** (1 / 3)
    growth = (_cervical if plan.site == "cervix" else _corporal)(rng, plan, anatomy, radius)
    growth = _at_volume(growth, plan.volume_ml)
    return [Organ(plan.histology, growth), *_necrosis(rng, plan, growth, radius)]


def _cervical(rng: np.random.Generator, plan: TumourPlan, anatomy: Anatomy, radius: float) -> Growth:
    """A bulk in the cervix, with lobes where its pattern takes it."""
    uterus = anatomy.uterus
    axis = uterus.cervix_axis
    sunk = {"exophytic": -14.0, "vaginal": -10.0, "corporal": 6.0}.get(plan.pattern, 0.0)
    centre = uterus.cervix_centre + rng.normal(0, 3, 3) + axis * (sunk + rng.uniform(-5, 4))
    lobes: list[Shape] = [Ellipsoid(centre, 0.45 * radius * rng.uniform(0.7, 1.35, 3))]
    for way in _ways(rng, plan, uterus):
        place = centre + way * radius * (0.45 + 0.6 * plan.invasion)
        lobes.append(Ellipsoid(place, 0.35 * radius * rng.uniform(0.5, 1.3, 3)))
    stroma = ((uterus.cervix, 1.2),) if plan.pattern == "stromal" else ()
    outside = tuple(organ.shape for organ in anatomy.barriers())
    rough = 0.26 if plan.pattern == "exophytic" else 0.20
    return Growth(
        Union(tuple(lobes), 6), _waves(rng, radius), rough * radius, stroma, outside, reach_mm=radius
    )


def _ways(rng: np.random.Generator, plan: TumourPlan, uterus: Uterus) -> list[Array]:
    """Where a cervical tumour's lobes lie from its bulk: a main direction or two, and one at random."""
    up, back = uterus.cervix_axis, np.array([0.0, 1.0, 0.0])
    side = np.array([rng.choice([-1.0, 1.0]), rng.uniform(-0.2, 0.4), rng.uniform(-0.2, 0.2)])
    around = rng.choice([-0.8, 0.8]) * back + rng.uniform(-0.4, 0.4) * up
    own = {
        "stromal": [around],
        "exophytic": [-0.8 * up, -0.6 * up + 0.5 * around],
        "parametrial": [side, 1.3 * side] if rng.random() < 0.6 else [side, side * [-1, 1, 1]],
        "vaginal": [-up + 0.3 * around, -1.6 * up + 0.3 * around],
        "corporal": [up, 1.5 * up],
    }[plan.pattern]
    anywhere = rng.normal(size=3)
    return [*own, anywhere / np.linalg.norm(anywhere)]


def _corporal(rng: np.random.Generator, plan: TumourPlan, anatomy: Anatomy, radius: float) -> Growth:
    """Along the cavity from a point of its wall, and into the myometrium as deep as the plan says."""
    uterus = anatomy.uterus
    spot = rng.uniform(-1, 1, 3) * [0.3, 0.15, 0.45] * uterus.corpus_radii
    stretch = np.array([rng.uniform(0.9, 1.3), rng.uniform(0.6, 0.9), rng.uniform(0.9, 1.4)])
    core = Ellipsoid(uterus.corpus_centre + spot @ uterus.axes, 0.5 * radius * stretch, uterus.axes)
    inside = ((uterus.cavity, 6.0 * (1 - plan.invasion) ** 2.5), (uterus.corpus, 3.0))
    outside = tuple(organ.shape for organ in anatomy.barriers() if organ.tissue == "marrow")
    return Growth(core, _waves(rng, radius), 0.20 * radius, inside, outside, reach_mm=1.3 * radius)


def _waves(rng: np.random.Generator, radius: float) -> tuple[Waves, Waves]:
    return Waves.draw(rng, length_mm=2.2 * radius, count=6), Waves.draw(rng, length_mm=0.8 * radius, count=10)


def _at_volume(growth: Growth, volume_ml: float) -> Growth:
    """Set the level so that the volume under it is the wanted one, counted on a grid of ``GRID_MM``."""
    grid = grid_around(growth.bounds())
    near = _without_far(growth, grid)
    field = near.distance(points_in(grid, whole(grid)))
    voxels = min(max(round(volume_ml * 1000 / GRID_MM**3), 1), field.size - 1)
    level = float(np.partition(field.ravel(), voxels)[voxels])
    return replace(near, level_mm=level)


def grid_around(bounds: Bounds) -> Geometry:
    """A grid of ``GRID_MM`` that holds a box."""
    low, high = bounds
    shape = np.ceil((high - low) / GRID_MM).astype(int)[::-1]
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = GRID_MM
    affine[:3, 3], affine[3, 3] = low, 1
    return Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def whole(grid: Geometry) -> Box:
    """All of a grid."""
    return slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2])


def _without_far(growth: Growth, grid: Geometry) -> Growth:
    """Drop the barriers that the tumour cannot meet: they cost time."""
    kept = tuple(shape for shape in growth.keep_outside if box_of(grid, shape.bounds()) is not None)
    return replace(growth, keep_outside=kept)


def _necrosis(rng: np.random.Generator, plan: TumourPlan, growth: Growth, radius: float) -> list[Organ]:
    """Pockets inside the tumour: many in sarcomas, now and then one in a large carcinoma."""
    heterogeneous = plan.histology in ("carcinosarcoma", "sarcoma")
    count = int(rng.integers(2, 5)) if heterogeneous else int(rng.random() < 0.45 and plan.volume_ml > 12)
    low, high = growth.core.bounds()
    pockets: list[Organ] = []
    for _ in range(count):
        centre = rng.uniform(low, high) * 0.8 + (low + high) * 0.1
        ball = Ellipsoid(centre, radius * rng.uniform(0.1, 0.3, 3))
        tissue = "blood" if heterogeneous and rng.random() < 0.25 else "necrosis"
        pockets.append(
            Organ(tissue, Inside(Rough(ball, Waves.draw(rng, length_mm=radius), 0.06 * radius), growth))
        )
    return pockets


@dataclass(frozen=True, eq=False)
class Inside:
    """A shape as far as it lies at least 2 mm deep inside another."""

    shape: Shape
    other: Shape

    def bounds(self) -> Bounds:
        """Box around the first shape."""
        return self.shape.bounds()

    def distance(self, points: Points) -> Array:
        """Intersection of the two."""
        return np.asarray(
            np.maximum(self.shape.distance(points), self.other.distance(points) + np.float32(2))
        )
