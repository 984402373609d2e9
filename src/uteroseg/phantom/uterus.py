"""The uterus: cervix and corpus in their own frame, with cavity, endometrium and myometrium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.plan import TumourPlan
from uteroseg.phantom.shapes import Ellipsoid, Grown, Rough, Shape, Tube, Union, Waves

Phase = Literal["menstrual", "proliferative", "secretory", "postmenopausal"]

MENOPAUSE = 51
"""Years."""

ENDOMETRIUM_MM: dict[Phase, tuple[float, float]] = {
    "menstrual": (1.5, 4),
    "proliferative": (4, 8),
    "secretory": (7, 15),
    "postmenopausal": (1.5, 5),
}
"""Thickness of both layers together, least and most (general)."""

_ENDOMETRIUM: dict[Phase, str] = {
    "menstrual": "menstrual endometrium",
    "proliferative": "endometrium",
    "secretory": "secretory endometrium",
    "postmenopausal": "endometrium",
}


@dataclass(frozen=True, eq=False)
class Uterus:
    """One patient's uterus.

    Parameters
    ----------
    external_os, internal_os, corpus_centre : ndarray, shape (3,)
        LPS, mm.
    axes : ndarray, shape (3, 3)
        Axes of the corpus as rows: to the side, from front to back, to the fundus.
    corpus_radii : ndarray, shape (3,)
        Along those axes, mm.
    cervix, corpus, cavity : Shape
        ``cavity`` is the endometrium's outer border.
    junction_mm : float
        Thickness of the junctional zone.
    phase : str
        What the endometrium is made of.
    """

    external_os: Array
    internal_os: Array
    corpus_centre: Array
    axes: Array
    corpus_radii: Array
    cervix: Shape
    corpus: Shape
    cavity: Shape
    junction_mm: float
    phase: Phase

    @property
    def cervix_centre(self) -> Array:
        """The middle of the cervix, LPS, mm."""
        return np.asarray((self.external_os + self.internal_os) / 2)

    @property
    def cervix_axis(self) -> Array:
        """From the external to the internal os, of length 1."""
        axis = self.internal_os - self.external_os
        return np.asarray(axis / np.linalg.norm(axis))

    @property
    def endometrium(self) -> str:
        """The endometrium's tissue."""
        return _ENDOMETRIUM[self.phase]


_WALL_MM, _SACRUM_MM = -66.0, 50.0
"""Front and back (y) of the room that a corpus has."""


def draw_phase(rng: np.random.Generator, age: int) -> Phase:
    """Draw a phase of the cycle by its length in days (5, 9, 14 of 28); after the menopause there is none."""
    drawn = rng.random() * 28
    if age >= MENOPAUSE:
        return "postmenopausal"
    return "menstrual" if drawn < 5 else "proliferative" if drawn < 14 else "secretory"


def draw_uterus(
    rng: np.random.Generator, *, age: int, phase: Phase, plan: TumourPlan | None = None, fullness: float = 0.3
) -> Uterus:
    """Draw a uterus: size by age, ante- or retroverted (one in five), flexed, a little to one side.

    Parameters
    ----------
    rng : Generator
    age : int
        Years; from the menopause on the corpus shrinks, to less than two thirds at 75.
    phase : str
        Decides the thickness of the endometrium.
    plan : TumourPlan, optional
        A tumour that the corpus must hold: what does not invade the wall distends the cavity.
    fullness : float
        Of the bladder, 0–1: a full one straightens an anteverted uterus.
    """
    fertile = phase != "postmenopausal"
    in_corpus = plan is not None and plan.site == "corpus"
    corpus_tumour_ml = plan.volume_ml if plan and in_corpus else 0.0
    filling = 1 - plan.invasion if plan and in_corpus else 0.0
    os_external = np.array([rng.normal(0, 4), rng.normal(6, 5) + 6 * fullness, rng.normal(-16, 6)])
    retroverted = rng.random() < 0.2
    straight = 1 - 0.6 * fullness
    version = rng.uniform(-35, -5) if retroverted else rng.uniform(15, 55) * straight
    flexion = rng.uniform(-50, 0) if retroverted else rng.uniform(10, 55) * straight
    lean = rng.normal(0, 8)
    cervix_axis = _axes(version, lean)[2]
    length = rng.uniform(25, 36)
    os_internal = os_external + cervix_axis * length
    axes = _axes(version + flexion, lean + rng.normal(0, 8))

    size = rng.uniform(0.82, 1.2) * float(np.interp(age, (45, 51, 60, 75), (1.0, 0.92, 0.75, 0.62)))
    radii = np.array([28.0, 22.0, 33.0]) * size
    thickness = rng.uniform(*ENDOMETRIUM_MM[phase]) / 2
    cavity_radii = np.array([radii[0] * 0.52, thickness, radii[2] * 0.68])
    wanted = filling**2 * corpus_tumour_ml * 1800
    have = 4.19 * float(np.prod(cavity_radii))
    if wanted > have:
        cavity_radii = cavity_radii * (wanted / have) ** (np.array([0.28, 0.44, 0.28]))
    needed = max(corpus_tumour_ml * 1000 * 1.9, wanted * 2.2)
    have = 4.19 * float(np.prod(radii))
    if needed > have:
        radii = radii * (needed / have) ** (1 / 3)
    radii = np.maximum(radii, cavity_radii + 6)
    centre = os_internal + axes[2] * radii[2] * 0.82
    # a large corpus rises out of the lesser pelvis rather than through the sacrum or the abdominal wall
    reach = float(np.linalg.norm(axes[:, 1] * radii))
    front, back = min(_WALL_MM + reach, (_WALL_MM + _SACRUM_MM) / 2), max(_SACRUM_MM - reach, -8)
    centre = np.array([centre[0], np.clip(centre[1], front, back), max(centre[2], radii[2] * 0.45)])

    corpus = Ellipsoid(centre, radii, axes, taper=0.35)
    isthmus = Tube(
        np.array([os_internal, centre - axes[2] * radii[2] * 0.4]), np.array([10.0, 14.0]) * size, 1.2
    )
    cervix = Tube(
        np.array([os_external, (os_external + os_internal) / 2, os_internal]),
        np.array([12.0, 13.5, 10.5]) * rng.uniform(0.9, 1.1),
        1.15,
    )
    shift = axes[2] * radii[2] * 0.06
    cavity = Ellipsoid(centre + shift, cavity_radii, axes, taper=0.75)
    return Uterus(
        os_external,
        os_internal,
        centre,
        axes,
        radii,
        Rough(cervix, Waves.draw(rng, length_mm=25), 0.8),
        Rough(Union((corpus, isthmus)), Waves.draw(rng, length_mm=40), 1.6),
        Rough(cavity, Waves.draw(rng, length_mm=18), min(0.7, thickness / 4)),
        _junction_mm(rng, age=age, fertile=fertile),
        phase,
    )


def uterus_organs(uterus: Uterus, rng: np.random.Generator) -> Iterator[Organ]:
    """The uterus's tissues with leiomyomas (a third of patients) and nabothian cysts."""
    yield Organ("secretory myometrium" if uterus.phase == "secretory" else "myometrium", uterus.corpus)
    yield Organ("cervix", uterus.cervix)
    yield Organ("junctional zone", Grown(uterus.cavity, uterus.junction_mm))
    yield from _leiomyomas(uterus, rng)
    yield Organ(uterus.endometrium, uterus.cavity)
    canal = np.array([uterus.external_os, uterus.internal_os, uterus.corpus_centre - uterus.axes[2] * 8])
    yield Organ("cervical canal", Tube(canal[:2], np.array([2.2, 1.6]), 2.0))
    yield Organ(uterus.endometrium, Tube(canal[1:], np.array([1.2, 1.6]), 2.0))
    for _ in range(int(rng.integers(0, 5))):
        centre = uterus.cervix_centre + rng.normal(0, 1, 3) * [7, 6, 7]
        content = "proteinaceous cyst" if rng.random() < 0.25 else "nabothian cyst"
        yield Organ(content, Ellipsoid(centre, rng.uniform(1.5, 4.5) * rng.uniform(0.8, 1.2, 3)))


def _leiomyomas(uterus: Uterus, rng: np.random.Generator) -> Iterator[Organ]:
    """Balls in, under or on the wall of the corpus: common ones, cellular ones and degenerated ones."""
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.35 else 0):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        radius = float(np.clip(rng.lognormal(np.log(9), 0.5), 4, 34))
        place = direction * uterus.corpus_radii * rng.uniform(0.6, 1.05)
        tissue = rng.choice(("leiomyoma", "cellular leiomyoma", "degenerated leiomyoma"), p=(0.6, 0.25, 0.15))
        ball = Ellipsoid(uterus.corpus_centre + place @ uterus.axes, radius * rng.uniform(0.85, 1.15, 3))
        yield Organ(str(tissue), Rough(ball, Waves.draw(rng, length_mm=20), 0.06 * radius))


def _junction_mm(rng: np.random.Generator, *, age: int, fertile: bool) -> float:
    """Thickness of the junctional zone; over 8 mm with adenomyosis, one in eight between 35 and menopause."""
    usual = rng.uniform(3, 6) if fertile else rng.uniform(2, 4)
    adenomyosis = rng.random() < 0.125 and fertile and age >= 35
    return float(rng.uniform(8, 14) if adenomyosis else usual)


def _axes(forward_degrees: float, lean_degrees: float) -> Array:
    """Axes of an organ that leans forward (to −y) and to the side: side, front to back, up, as rows."""
    forward, lean = np.radians([forward_degrees, lean_degrees])
    up = np.array([np.sin(lean), -np.sin(forward) * np.cos(lean), np.cos(forward) * np.cos(lean)])
    side = np.array([1.0, 0, 0]) - up[0] * up
    side /= np.linalg.norm(side)
    return np.array([side, np.cross(up, side), up])
