"""A T2-weighted turbo spin-echo series of a virtual patient: what readers mostly draw tumours on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask
from uteroseg.phantom.anatomy import layers
from uteroseg.phantom.patient import LARGEST, covered_by, streams, tumour_layers
from uteroseg.phantom.person import Cohort, draw_person
from uteroseg.phantom.scanner import SUB_SLICES, thick_slices, thin_slices, with_rician_noise
from uteroseg.phantom.signal import draw_texture, paint
from uteroseg.phantom.tissue import draw_tissues

ECHO_TIME_MS = 100.0
FINER = 2
"""Pixels along rows and columns for each of the DWI: 1 mm where those are 2 mm."""

_SCALE = 3000.0  # pixel value of pure water without any weighting
_NOISE = 0.006  # standard deviation of a channel: the SNR of muscle, the darkest tissue, is about 10


@dataclass(frozen=True, eq=False)
class T2Image:
    """A simulated T2 series with its truth.

    Parameters
    ----------
    signal : ndarray of float32, shape (slices, rows, columns)
        Whole numbers, as a scanner stores them.
    geometry : Geometry
    coverage : ndarray of float32, shape (slices, rows, columns)
        Share of the tumour in every voxel, 0–1.
    """

    signal: Array
    geometry: Geometry
    coverage: Array

    @property
    def mask(self) -> Mask:
        """The tumour: voxels that it fills to at least one half. Echo-planar distortion is not in it."""
        return Mask(self.coverage >= 0.5, self.geometry)


def t2_grid(dwi: Geometry) -> Geometry:
    """The slices of a DWI with finer pixels over the same field of view."""
    slices, rows, columns = dwi.shape
    affine = np.array(dwi.affine)
    affine[:3, 1:3] /= FINER
    affine[:3, 3] -= affine[:3, 1:3].sum(axis=1) * (FINER - 1) / 2
    return Geometry((slices, rows * FINER, columns * FINER), affine)


def simulate_t2(
    cohort: Cohort, index: int, *, seed: int, dwi: Geometry, t2_factor: float = 1.0, with_tumour: bool = True
) -> T2Image:
    """Scan a patient with T2 weighting, without fat suppression and without distortion.

    Parameters
    ----------
    cohort, index, seed, with_tumour
        As of `uteroseg.phantom.patient.simulate_patient`: the same ones are the same person.
    dwi : Geometry
        Grid of that patient's DWI.
    t2_factor : float
        How much longer T2 is than at 3 T.
    """
    plan_rng, anatomy_rng, tumour_rng, tissue_rng, texture_rng, *_, noise_rng = streams(cohort, index, seed)
    person = draw_person(cohort, plan_rng, anatomy_rng, tumour_rng, with_tumour=with_tumour)
    geometry = t2_grid(dwi)
    thin = thin_slices(geometry)
    tumour = tumour_layers(person.tumour, person.anatomy.uterus, thin)
    painted = paint(
        chain(layers(person.anatomy.organs, thin), tumour),
        draw_tissues(tissue_rng),
        texture=draw_texture(texture_rng, geometry).in_sub_slices(SUB_SLICES),
        b_values=(0.0,),
        echo_time_ms=ECHO_TIME_MS / t2_factor,
    )
    image = with_rician_noise(thick_slices(painted.signal[0] + painted.fat), _NOISE, noise_rng)
    signal = np.minimum(np.rint(image * np.float32(_SCALE)), np.float32(LARGEST))
    return T2Image(signal, geometry, covered_by(tumour, thin))
