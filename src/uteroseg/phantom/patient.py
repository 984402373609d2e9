"""One virtual patient, a pure function of cohort, number and seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.anatomy import draw_anatomy, layers
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.scanner import (
    SUB_SLICES,
    blurred,
    coil_sensitivity,
    noise_level,
    thick_slices,
    thin_slices,
    with_rician_noise,
)
from uteroseg.phantom.signal import draw_texture, paint
from uteroseg.phantom.tissue import draw_tissues
from uteroseg.phantom.tumour import grow_tumour, plan_tumour

Cohort = Literal["cervical", "uterine"]

SCALE = 1500.0
"""Pixel value of pure water without any weighting."""

_AGE = {"cervical": (50, 12), "uterine": (60, 11)}


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """A simulated study with its truth.

    Parameters
    ----------
    study : DwiStudy
        Whole numbers, as a scanner stores them.
    mask : Mask
        The tumour, necrosis included: voxels that it fills to at least one half.
    cohort, histology : str
    site : {"cervix", "corpus"}
    age : int
        Years.
    invasion : float
        Corpus: 0 within the cavity to 1 through the wall. Cervix: 0 round to 1 spread out.
    """

    study: DwiStudy
    mask: Mask
    cohort: str
    histology: str
    site: str
    age: int
    invasion: float


def simulate_patient(
    cohort: Cohort, index: int, *, seed: int, acquisition: Acquisition = DEFAULT
) -> VirtualPatient:
    """Simulate one patient; the same arguments give the same bits, whatever else is simulated.

    Parameters
    ----------
    cohort : {"cervical", "uterine"}
        Carcinoma of the cervix, or of the corpus with the rarer sarcomas.
    index : int
        The patient's number, 0 or more.
    seed : int
        0 or more.
    acquisition : Acquisition
        Anatomy, tumour and tissues do not depend on it.

    Raises
    ------
    UserError
        If there is no such cohort, or a number is negative.
    """
    streams = _streams(cohort, index, seed)
    plan_rng, anatomy_rng, tumour_rng, tissue_rng, texture_rng, scan_rng = streams
    plan = plan_tumour(plan_rng, cohort)
    mean, spread = _AGE[cohort]
    age = int(np.clip(plan_rng.normal(mean, spread), 22, 85))
    corpus_ml = plan.volume_ml if plan.site == "corpus" else 0.0
    anatomy = draw_anatomy(anatomy_rng, age=age, corpus_tumour_ml=corpus_ml, filling=1 - plan.invasion)
    tumour = grow_tumour(tumour_rng, plan, anatomy)

    centre = np.array([anatomy.uterus.corpus_centre[0] / 2, 2, 12]) + scan_rng.normal(0, 1, 3) * [4, 5, 7]
    geometry = acquisition.geometry(np.round(centre, 2).tolist())
    thin = thin_slices(geometry)
    water = paint(
        layers((*anatomy.organs, *tumour), thin),
        draw_tissues(tissue_rng),
        texture=draw_texture(texture_rng, geometry).in_sub_slices(SUB_SLICES),
        b_values=acquisition.b_values,
        echo_time_ms=acquisition.echo_time_ms,
    )
    image = blurred(thick_slices(water) * coil_sensitivity(scan_rng, geometry))
    noisy = with_rician_noise(image, noise_level(acquisition), scan_rng)
    study = DwiStudy(
        np.rint(noisy * np.float32(SCALE)).astype(np.float32),
        acquisition.b_values,
        geometry,
        acquisition={
            "Manufacturer": "Virtual",
            "ManufacturersModelName": acquisition.name,
            "MagneticFieldStrength": 3.0,
            "EchoTime": acquisition.echo_time_ms / 1000,
            "b_value_source": "simulation",
        },
    )
    mask = Mask(_covered(tumour[0], geometry, thin), geometry)
    return VirtualPatient(study, mask, cohort, plan.histology, plan.site, age, plan.invasion)


def _streams(cohort: str, index: int, seed: int) -> list[np.random.Generator]:
    """Independent random streams, one per stage, so that one stage can change without moving the others."""
    cohorts = get_args(Cohort)
    if cohort not in cohorts:
        raise UserError(
            f"There are no virtual patients of the cohort {cohort!r}.",
            expected=f"{' or '.join(cohorts)}.",
            fix="choose one of them.",
        )
    for value, what in ((index, "patient's number"), (seed, "seed")):
        if value < 0:
            raise UserError(f"The {what} is {value}.", expected="0 or more.", fix=f"correct the {what}.")
    sequence = np.random.SeedSequence([seed, cohorts.index(cohort), index])
    return [np.random.default_rng(child) for child in sequence.spawn(6)]


def _covered(tumour: Organ, geometry: Geometry, thin: Geometry) -> Array:
    """Voxels that the tumour fills to at least one half."""
    coverage = np.zeros(thin.shape, np.float32)
    for layer in layers((tumour,), thin):
        coverage[layer.box] = layer.coverage
    return np.asarray(thick_slices(coverage) >= 0.5)
