"""A patient's anatomy: every organ in the order in which it is laid over those before, sampled on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.confounders import uterine_confounders
from uteroseg.phantom.pelvis import Organ, body_and_cavity, frame
from uteroseg.phantom.plan import TumourPlan
from uteroseg.phantom.shapes import Box, Grown, box_of, points_in
from uteroseg.phantom.uterus import Phase, Uterus, draw_uterus, uterus_organs
from uteroseg.phantom.viscera import (
    bladder,
    bladder_ml,
    bowel,
    free_fluid,
    fullness,
    ovaries,
    parametria,
    rectum,
    vagina,
    vulva,
)

BORDER_MM = 2.0
"""Width of the soft border between tissues: partial volume within a slice."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One patient's organs, the later over the earlier ones, without a tumour."""

    organs: tuple[Organ, ...]
    uterus: Uterus

    def barriers(self) -> tuple[Organ, ...]:
        """Organs that a tumour grows around, not into: bladder, rectum and bone."""
        kept = {"bladder wall", "marrow", "bowel wall"}
        return tuple(
            Organ(organ.coat.tissue, Grown(organ.shape, organ.coat.thickness_mm))
            if organ.coat and organ.coat.tissue in kept
            else organ
            for organ in self.organs
            if organ.tissue in kept or (organ.coat and organ.coat.tissue in kept)
        )


@dataclass(frozen=True, eq=False)
class Layer:
    """A tissue's coverage (0–1, float32) within a part of a grid."""

    tissue: str
    box: Box
    coverage: Array


def draw_anatomy(
    rng: np.random.Generator, *, age: int, phase: Phase, plan: TumourPlan | None = None
) -> Anatomy:
    """Draw a patient.

    Parameters
    ----------
    rng : Generator
    age : int
        Years.
    phase : str
        Of the menstrual cycle, or ``postmenopausal``.
    plan : TumourPlan, optional
        The tumour that the anatomy must hold; it is not part of it yet.
    """
    urine_ml = bladder_ml(rng)
    uterus = draw_uterus(rng, age=age, phase=phase, plan=plan, fullness=fullness(urine_ml))
    organs = [
        *body_and_cavity(rng),
        *bowel(rng),
        *frame(rng, spread=plan is not None),
        *rectum(rng),
        *bladder(rng, urine_ml, uterus),
        *free_fluid(rng, uterus),
        *ovaries(rng, fertile=phase != "postmenopausal"),
        *parametria(rng, uterus),
        *vagina(uterus),
        *vulva(rng),
        *uterus_organs(uterus, rng),
        *uterine_confounders(rng, uterus, plan),
    ]
    return Anatomy(tuple(organs), uterus)


def layers(organs: Sequence[Organ], geometry: Geometry) -> Iterator[Layer]:
    """Sample organs on a grid, in order; those outside it are left out."""
    for organ in organs:
        coat = organ.coat
        box = box_of(geometry, organ.shape.bounds(), margin_mm=3 + (coat.thickness_mm if coat else 0))
        if box is None:
            continue
        points = points_in(geometry, box)
        distance = organ.shape.distance(points)
        coverage = coverage_at(distance)
        if coat:
            around = coverage_at(distance - np.float32(coat.thickness_mm))
            around[coverage == 1] = 0
            if around.any():
                yield Layer(coat.tissue, box, around)
        if coverage.any():
            yield Layer(organ.tissue, box, coverage)
            for streak in organ.streaks:
                yield Layer(streak.tissue, box, coverage_at(np.maximum(streak.distance(points), distance)))


def coverage_at(distance: Array) -> Array:
    """Coverage (0–1) at a signed distance from a surface (mm): the border is ``BORDER_MM`` wide."""
    return np.clip(0.5 - distance / np.float32(BORDER_MM), 0, 1, dtype=np.float32)
