"""The uterus: cervix and corpus in their own frame, with cavity, endometrium and myometrium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.shapes import Ellipsoid, Grown, Rough, Shape, Tube, Union, Waves


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

    @property
    def cervix_centre(self) -> Array:
        """The middle of the cervix, LPS, mm."""
        return np.asarray((self.external_os + self.internal_os) / 2)


def draw_uterus(
    rng: np.random.Generator, *, age: int, corpus_tumour_ml: float = 0.0, filling: float = 0.0
) -> Uterus:
    """Draw a uterus: size by age, ante- or retroverted (one in five), flexed, a little to one side.

    Parameters
    ----------
    rng : Generator
    age : int
        Years; after the menopause (51) the corpus shrinks and the endometrium thins.
    corpus_tumour_ml : float
        Volume of a tumour that the corpus must hold.
    filling : float
        Share of that tumour that distends the cavity instead of invading the wall.
    """
    fertile = age < 51
    os_external = np.array([rng.normal(0, 4), rng.normal(6, 5), rng.normal(-16, 6)])
    retroverted = rng.random() < 0.2
    version = rng.uniform(-35, -5) if retroverted else rng.uniform(5, 45)
    flexion = rng.uniform(-50, 0) if retroverted else rng.uniform(5, 55)
    lean = rng.normal(0, 8)
    cervix_axis = _axes(version, lean)[2]
    length = rng.uniform(25, 36)
    os_internal = os_external + cervix_axis * length
    axes = _axes(version + flexion, lean + rng.normal(0, 8))

    size = rng.uniform(0.85, 1.2) * (1.0 if fertile else 0.8)
    radii = np.array([28.0, 22.0, 33.0]) * size
    thickness = rng.uniform(2.5, 6.5) if fertile else rng.uniform(1.2, 3.5)
    cavity_radii = np.array([radii[0] * 0.52, thickness, radii[2] * 0.68])
    wanted = filling * corpus_tumour_ml * 1100
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
    centre = np.array([centre[0], np.clip(centre[1], -38, 28), max(centre[2], radii[2] * 0.45)])

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
        rng.uniform(3, 6) if fertile else rng.uniform(2, 4),
    )


def uterus_organs(uterus: Uterus, rng: np.random.Generator) -> Iterator[Organ]:
    """The uterus's tissues with leiomyomas (a third of patients) and nabothian cysts."""
    yield Organ("myometrium", uterus.corpus)
    yield Organ("cervix", uterus.cervix)
    yield Organ("junctional zone", Grown(uterus.cavity, uterus.junction_mm))
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.35 else 0):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        radius = float(np.clip(rng.lognormal(np.log(9), 0.45), 4, 28))
        centre = (
            uterus.corpus_centre + (direction * uterus.corpus_radii * rng.uniform(0.6, 1.0)) @ uterus.axes
        )
        tissue = "cellular leiomyoma" if rng.random() < 0.3 else "leiomyoma"
        ball = Ellipsoid(centre, radius * rng.uniform(0.85, 1.15, 3))
        yield Organ(tissue, Rough(ball, Waves.draw(rng, length_mm=20), 0.06 * radius))
    yield Organ("endometrium", uterus.cavity)
    canal = np.array([uterus.external_os, uterus.internal_os, uterus.corpus_centre - uterus.axes[2] * 8])
    yield Organ("cervical canal", Tube(canal[:2], np.array([2.2, 1.6]), 2.0))
    yield Organ("endometrium", Tube(canal[1:], np.array([1.2, 1.6]), 2.0))
    for _ in range(int(rng.integers(0, 5))):
        centre = uterus.cervix_centre + rng.normal(0, 1, 3) * [7, 6, 7]
        yield Organ("nabothian cyst", Ellipsoid(centre, np.full(3, rng.uniform(1.5, 4.0))))


def _axes(forward_degrees: float, lean_degrees: float) -> Array:
    """Axes of an organ that leans forward (to −y) and to the side: side, front to back, up, as rows."""
    forward, lean = np.radians([forward_degrees, lean_degrees])
    up = np.array([np.sin(lean), -np.sin(forward) * np.cos(lean), np.cos(forward) * np.cos(lean)])
    side = np.array([1.0, 0, 0]) - up[0] * up
    side /= np.linalg.norm(side)
    return np.array([side, np.cross(up, side), up])
