"""What looks like a tumour on diffusion-weighted images and is none: blood, polyps, what a biopsy left.

Other confounders belong to their organs: endometrium and leiomyomas (uterus), cysts and ovarian stroma
(viscera), bowel (viscera), nodes and nerve roots (pelvis).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.plan import TumourPlan
from uteroseg.phantom.shapes import Ellipsoid, Grown, Rough, Tube, Waves
from uteroseg.phantom.uterus import Uterus

CONFOUNDERS = frozenset(
    {
        "endometrium",
        "secretory endometrium",
        "menstrual endometrium",
        "junctional zone",
        "polyp",
        "blood",
        "biopsy change",
        "proteinaceous cyst",
        "follicle",
        "ovary",
        "lymph node",
        "metastatic node",
        "nerve",
        "bowel wall",
        "bowel mucus",
        "stool",
        "cellular leiomyoma",
        "degenerated leiomyoma",
    }
)
"""Tissues without tumour that are bright at b 1000 or of low ADC in a cohort."""


def uterine_confounders(rng: np.random.Generator, uterus: Uterus, plan: TumourPlan | None) -> Iterator[Organ]:
    """In cavity and cervix: fluid or blood that is held back, a polyp, and what a biopsy left.

    How often is an assumption: held-back content in 18 % of patients with a cervical tumour and in 4 % of the
    others, a polyp in 8 %, change after biopsy in 30 %.
    """
    at_cervix = plan is not None and plan.site == "cervix"
    if rng.random() < (0.18 if at_cervix else 0.04):
        yield from _held_back(rng, uterus)
    if rng.random() < 0.08:
        centre = uterus.corpus_centre + (rng.uniform(-0.4, 0.4, 3) * [8, 2, 20]) @ uterus.axes
        ball = Ellipsoid(centre, rng.uniform(3, 7) * np.array([1.0, 0.7, 1.4]), uterus.axes)
        yield Organ("polyp", Rough(ball, Waves.draw(rng, length_mm=10), 0.5))
    if rng.random() < 0.30:
        yield from _after_biopsy(rng, _biopsy_place(rng, uterus, at_cervix=at_cervix or plan is None))


def _held_back(rng: np.random.Generator, uterus: Uterus) -> Iterator[Organ]:
    """A cavity distended by blood, pus or mucus (haemato-, pyo-, hydrometra)."""
    content = str(rng.choice(("blood", "proteinaceous cyst", "fluid"), p=(0.5, 0.25, 0.25)))
    radii = uterus.corpus_radii * np.array([0.40, rng.uniform(0.15, 0.38), 0.55])
    pool = Ellipsoid(uterus.corpus_centre, radii, uterus.axes, taper=0.5)
    rough = Rough(pool, Waves.draw(rng, length_mm=18), 0.6)
    yield Organ(uterus.endometrium, Grown(rough, 1.5))
    yield Organ(content, rough)


def _biopsy_place(rng: np.random.Generator, uterus: Uterus, *, at_cervix: bool) -> Array:
    if at_cervix:
        around = rng.uniform(0, 2 * np.pi)
        offset = np.array([9 * np.cos(around), 8 * np.sin(around), 0.0])
        return np.asarray(uterus.external_os + uterus.cervix_axis * rng.uniform(1, 8) + offset)
    spot = rng.uniform(-1, 1, 3) * [0.25, 0.05, 0.5] * uterus.corpus_radii
    return np.asarray(uterus.corpus_centre + spot @ uterus.axes)


def _after_biopsy(rng: np.random.Generator, place: Array) -> Iterator[Organ]:
    """A small area of inflammation, 0.05–1.5 mL, two times in three with blood along the needle."""
    ball = Ellipsoid(place, rng.uniform(2.5, 6) * rng.uniform(0.8, 1.25, 3))
    yield Organ("biopsy change", Rough(ball, Waves.draw(rng, length_mm=9), 0.6))
    if rng.random() < 2 / 3:
        direction = rng.normal(size=3)
        track = np.array([place, place + 7 * direction / np.linalg.norm(direction)])
        yield Organ("blood", Tube(track, np.array([1.8, 1.2])))
