"""One virtual patient, a pure function of cohort, number and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, get_args

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.acquisition import DEFAULT, Acquisition, Vendor
from uteroseg.phantom.anatomy import Layer, coverage_at, layers
from uteroseg.phantom.artefacts import distortion, draw_artefacts, with_artefacts
from uteroseg.phantom.noise import noise_map, with_averaged_noise
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.person import Cohort, Person, draw_person
from uteroseg.phantom.plan import VOLUMES
from uteroseg.phantom.randomise import COIL_CONTRAST, random_scan, random_tissues
from uteroseg.phantom.scanner import (
    SUB_SLICES,
    blurred,
    coil_sensitivity,
    noise_level,
    thick_slices,
    thin_slices,
)
from uteroseg.phantom.shapes import box_of, points_in
from uteroseg.phantom.signal import Painted, draw_texture, paint
from uteroseg.phantom.tissue import draw_tissues
from uteroseg.phantom.uterus import Uterus

SCALE = 1500.0
"""Pixel value of pure water without any weighting."""

LARGEST = 4095
"""Largest pixel value, as of scanners that store twelve bits."""

RIM_MM, RIM_COVERAGE = 5.0, 0.4
"""Of the rim around endometrial carcinoma: width, mm, and coverage at the tumour's surface."""

HISTOLOGIES = frozenset(VOLUMES)

_VENDOR_NAME: dict[Vendor, str] = {"siemens": "Siemens", "ge": "GE", "philips": "Philips"}


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """A simulated study with its truth.

    Parameters
    ----------
    study : DwiStudy
        Whole numbers, as a scanner stores them.
    mask : Mask
        The tumour, necrosis included: voxels that it fills to at least one half, where the first image shows
        them, distortion included; empty without one.
    person : Person
        Who was scanned.
    randomised : bool
        Whether the contrast is beyond what is realistic.
    """

    study: DwiStudy
    mask: Mask
    person: Person
    randomised: bool = False


def simulate_patient(
    cohort: Cohort,
    index: int,
    *,
    seed: int,
    acquisition: Acquisition = DEFAULT,
    with_tumour: bool = True,
    randomise: bool = False,
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
    with_tumour : bool
        Without, the patient of this number is somebody else, who has none.
    randomise : bool
        Contrast, coil, blur and noise beyond what is realistic, for pretraining; the same anatomy and tumour.

    Raises
    ------
    UserError
        If there is no such cohort, or a number is negative.
    """
    streams = _streams(cohort, index, seed)
    plan_rng, anatomy_rng, tumour_rng, tissue_rng, texture_rng, scan_rng, artefact_rng, random_rng = streams
    person = draw_person(cohort, plan_rng, anatomy_rng, tumour_rng, with_tumour=with_tumour)
    tissues = draw_tissues(tissue_rng)
    if randomise:
        tissues, acquisition = random_tissues(random_rng), random_scan(random_rng, acquisition)

    centre = person.centre + scan_rng.normal(0, 1, 3) * [4, 5, 7]
    geometry = acquisition.geometry(np.round(centre, 2).tolist())
    thin = thin_slices(geometry)
    tumour = tumour_layers(person.tumour, person.anatomy.uterus, thin)
    painted = paint(
        chain(layers(person.anatomy.organs, thin), tumour),
        tissues,
        texture=draw_texture(texture_rng, geometry).in_sub_slices(SUB_SLICES),
        b_values=acquisition.b_values,
        echo_time_ms=acquisition.echo_time_ms / acquisition.t2_factor,
    )
    coil = coil_sensitivity(scan_rng, geometry, contrast=COIL_CONTRAST if randomise else 1.0)
    artefacts = draw_artefacts(artefact_rng, acquisition)
    shift = distortion(person.organs, geometry, acquisition, artefacts)
    clean = Painted(thick_slices(painted.signal) * coil, thick_slices(painted.fat) * coil)
    image, covered = with_artefacts(clean, _covered(tumour, geometry, thin), shift, acquisition, artefacts)
    noisy = with_averaged_noise(
        blurred(image, acquisition.blur_pixels),
        np.float32(noise_level(acquisition)) * noise_map(geometry),
        scan_rng,
        averages=acquisition.averages,
        width_pixels=acquisition.noise_pixels,
    )
    study = DwiStudy(
        np.minimum(np.rint(noisy * np.float32(SCALE)), np.float32(LARGEST)),
        acquisition.b_values,
        geometry,
        acquisition=_sidecar(acquisition, randomise=randomise),
    )
    return VirtualPatient(study, Mask(covered >= 0.5, geometry), person, randomised=randomise)


def tumour_layers(tumour: Sequence[Organ], uterus: Uterus, grid: Geometry) -> list[Layer]:
    """A tumour and what lies in it on a grid; around endometrial carcinoma a rim.

    The rim fades into the uterus over 5 mm and is no part of the tumour.
    """
    if not tumour or (box := box_of(grid, tumour[0].shape.bounds(), margin_mm=RIM_MM + 3)) is None:
        return []
    points = points_in(grid, box)
    distance = tumour[0].shape.distance(points)
    found = [Layer(tumour[0].tissue, box, coverage_at(distance))]
    if tumour[0].tissue == "endometrial carcinoma":
        rim = np.clip(1 - distance / np.float32(RIM_MM), 0, 1) * np.float32(RIM_COVERAGE)
        rim *= coverage_at(uterus.corpus.distance(points))
        found.insert(0, Layer("endometrial carcinoma rim", box, rim))
    return [*found, *layers(tumour[1:], grid)]


def _sidecar(acquisition: Acquisition, *, randomise: bool) -> dict[str, Any]:
    """What the study says of its scan, under BIDS names where there are any."""
    return {
        "Manufacturer": _VENDOR_NAME[acquisition.vendor],
        "ManufacturersModelName": f"Virtual {acquisition.model}".strip(),
        "MagneticFieldStrength": acquisition.field_t,
        "EchoTime": acquisition.echo_time_ms / 1000,
        "b_value_source": "simulation",
        "simulated_scanner": acquisition.name,
        "simulated_contrast": "randomised" if randomise else "tissue values",
    }


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
    return [np.random.default_rng(child) for child in sequence.spawn(8)]


def _covered(tumour: Sequence[Layer], geometry: Geometry, thin: Geometry) -> Array:
    """Share of the tumour in every voxel, 0–1."""
    coverage = np.zeros(thin.shape, np.float32)
    for layer in tumour:
        if layer.tissue in HISTOLOGIES:
            coverage[layer.box] = layer.coverage
    return thick_slices(coverage)
