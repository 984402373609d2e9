"""One virtual patient before the scan: age, phase of the cycle, anatomy and, if she has one, a tumour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.anatomy import Anatomy, draw_anatomy
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.plan import TumourPlan, plan_tumour
from uteroseg.phantom.shapes import points_in
from uteroseg.phantom.tumour import grid_around, grow_tumour, whole
from uteroseg.phantom.uterus import Phase, draw_phase

Cohort = Literal["cervical", "uterine"]

_AGE = {"cervical": (50, 12), "uterine": (60, 11)}


@dataclass(frozen=True, eq=False)
class Person:
    """Who lies in the scanner.

    Parameters
    ----------
    cohort : {"cervical", "uterine"}
    age : int
        Years.
    phase : str
        Of the menstrual cycle, or ``postmenopausal``.
    plan : TumourPlan, optional
        None for a patient without a tumour.
    anatomy : Anatomy
    tumour : tuple of Organ
        The tumour, and what lies in it; empty without one.
    """

    cohort: str
    age: int
    phase: Phase
    plan: TumourPlan | None
    anatomy: Anatomy
    tumour: tuple[Organ, ...]

    @property
    def organs(self) -> tuple[Organ, ...]:
        """Everything there is, the later over the earlier."""
        return (*self.anatomy.organs, *self.tumour)

    @property
    def centre(self) -> Array:
        """What a scan is planned around (LPS, mm): the lesser pelvis, and a large tumour as a whole."""
        middle = np.array([self.anatomy.uterus.corpus_centre[0] / 2, 2.0, 12.0])
        if not self.tumour:
            return middle
        low, high = self._tumour_box()
        share = min(1.0, float((high - low).max()) / 100)
        return np.asarray(middle + share**2 * ((low + high) / 2 - middle))

    @property
    def invasion(self) -> str | None:
        """How far the tumour has grown, in words (``invasion_of``); None without one."""
        return invasion_of(self) if self.plan else None

    def share_within(self, geometry: Geometry) -> float:
        """Share of the tumour's volume that lies inside a scan's grid, 0–1; 1 without a tumour."""
        if not self.tumour:
            return 1.0
        index = geometry.to_index(self._tumour_points())
        inside = ((index > -0.5) & (index < np.array(geometry.shape) - 0.5)).all(axis=1)
        return float(inside.mean())

    def _tumour_box(self) -> tuple[Array, Array]:
        points = self._tumour_points()
        return points.min(axis=0), points.max(axis=0)

    def _tumour_points(self) -> Array:
        """The tumour's points on a grid of 2 mm, shape (n, 3)."""
        shape = self.tumour[0].shape
        grid = grid_around(shape.bounds())
        inside = shape.distance(points_in(grid, whole(grid))) < 0
        return grid.to_patient(np.argwhere(inside))


def draw_person(
    cohort: Cohort,
    plan_rng: np.random.Generator,
    anatomy_rng: np.random.Generator,
    tumour_rng: np.random.Generator,
    *,
    with_tumour: bool = True,
) -> Person:
    """Draw a patient of a cohort; without a tumour she is somebody else, not the same one healed."""
    if not with_tumour:
        (plan_rng,), (anatomy_rng,) = plan_rng.spawn(1), anatomy_rng.spawn(1)
    plan = plan_tumour(plan_rng, cohort) if with_tumour else None
    mean, spread = _AGE[cohort]
    age = int(np.clip(plan_rng.normal(mean, spread), 22, 85))
    phase = draw_phase(plan_rng, age)
    anatomy = draw_anatomy(anatomy_rng, age=age, phase=phase, plan=plan)
    tumour = tuple(grow_tumour(tumour_rng, plan, anatomy)) if plan else ()
    return Person(cohort, age, phase, plan, anatomy, tumour)


def tumour_free(index: int, *, seed: int, share: float) -> bool:
    """Whether the patient of this number has no tumour: every tenth with a share of 0.1.

    Of the patients 1 … n, ``share · n`` have none, to within one; who they are depends on the seed, the share
    and the patient's own number alone.
    """
    start = (seed * 0.6180339887498949) % 1
    return int(np.floor(index * share + start)) > int(np.floor((index - 1) * share + start))


def invasion_of(person: Person) -> str:
    """How far a tumour has grown.

    Cervix: its pattern of growth as planned (``PATTERNS``). Corpus: measured on the tumour as it is, by the
    share of the wall that its deepest 2 % reach: ``cavity`` (under 10 %), ``inner half``, ``outer half`` or
    ``serosa`` (over 97 %).
    """
    assert person.plan is not None
    if person.plan.site == "cervix":
        return person.plan.pattern
    points = person._tumour_points().astype(np.float32)
    parts = (points[:, 0], points[:, 1], points[:, 2])
    uterus = person.anatomy.uterus
    beyond, left = np.maximum(uterus.cavity.distance(parts), 0), np.maximum(-uterus.corpus.distance(parts), 0)
    depth = float(np.quantile(beyond / (beyond + left + 1e-3), 0.98))
    for limit, name in ((0.1, "cavity"), (0.5, "inner half"), (0.97, "outer half")):
        if depth < limit:
            return name
    return "serosa"
