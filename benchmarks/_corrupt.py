"""Ways in which a study can be wrong, and two bodies that are no pelvis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import DwiStudy
from uteroseg.model.prepare import PreparedStudy
from uteroseg.phantom.artefacts import with_ghost
from uteroseg.phantom.scanner import with_rician_noise

Corruption = Callable[[DwiStudy, np.random.Generator], DwiStudy]


def swapped_b_values(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """The images in the opposite order, the b-values not."""
    return replace(study, signal=study.signal[::-1].copy())


def wrong_scale(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """The image of the highest b-value with a factor of its own, as where a rescale slope is lost."""
    signal = study.signal.copy()
    signal[-1] *= np.float32(rng.choice([0.1, 0.25, 0.5, 2, 4, 10]))
    return replace(study, signal=signal)


def wrong_spacing(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """Pixels of a spacing that is not theirs."""
    affine = study.geometry.affine.copy()
    affine[:3, 1:3] *= rng.choice([0.4, 0.5, 2, 2.5])
    return replace(study, geometry=Geometry(study.geometry.shape, affine))


def noise(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """Rician noise of 5 to 60 % of the body's signal at the lowest b-value."""
    sigma = rng.uniform(0.05, 0.6) * float(np.median(study.signal[0][PreparedStudy(study).body]))
    return replace(study, signal=with_rician_noise(study.signal, sigma, rng).astype(np.float32))


def ghosts(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """A Nyquist ghost of 30 to 100 %."""
    return replace(study, signal=with_ghost(study.signal, rng.uniform(0.3, 1)))


def another_anatomy(study: DwiStudy, rng: np.random.Generator) -> DwiStudy:
    """A head or a pair of thighs on the study's grid, as bright and as noisy as the study."""
    body = PreparedStudy(study).body
    unit = float(np.median(study.signal[0][body]))
    draw = rng.choice([_head, _thighs])
    s0, adc = draw(study.geometry, rng)
    b = np.asarray(study.b_values, np.float32)[:, None, None, None]
    signal = with_rician_noise(unit * s0 * np.exp(-b * adc * 1e-3), 0.03 * unit, rng)
    return replace(study, signal=np.rint(signal).astype(np.float32) + 1)


CORRUPTIONS: dict[str, Corruption] = {
    "swapped b-values": swapped_b_values,
    "wrong scale": wrong_scale,
    "wrong spacing": wrong_spacing,
    "noise": noise,
    "ghosts": ghosts,
    "another anatomy": another_anatomy,
}


def _head(geometry: Geometry, rng: np.random.Generator) -> tuple[Array, Array]:
    """Relative S0 and ADC of scalp, brain, ventricles and, in half of the heads, an acute stroke."""
    s0, adc = np.full(geometry.shape, 0.01), np.zeros(geometry.shape)
    size = rng.uniform(0.9, 1.1)
    centre = rng.normal(0, 6, 3)
    tissues = [(centre, (78, 98, 88), 0.4, 1.2), (centre, (68, 86, 76), 1.0, 0.78)]
    tissues += [(centre + np.array([side, -8, 8]), (8, 26, 12), 2.0, 3.0) for side in (-12, 12)]
    if rng.random() < 0.5:
        tissues.append((centre + rng.choice([-1, 1]) * np.array([38, 10, 10]), (14, 18, 14), 1.4, 0.45))
    for middle, radii, value, its_adc in tissues:
        inside = _ellipsoid(geometry, middle, np.array(radii) * size)
        s0[inside], adc[inside] = value, its_adc
    return s0, adc


def _thighs(geometry: Geometry, rng: np.random.Generator) -> tuple[Array, Array]:
    """Relative S0 and ADC of two thighs: muscle and bone."""
    s0, adc = np.full(geometry.shape, 0.01), np.zeros(geometry.shape)
    size = rng.uniform(0.85, 1.15)
    for side in (-95, 95):
        for radius, value, its_adc in ((80, 0.3, 0.3), (72, 1.0, 1.5), (16, 0.1, 0.3)):
            inside = _ellipsoid(geometry, (side, 0, 0), np.array([radius, radius, 2000]) * size)
            s0[inside], adc[inside] = value, its_adc
    return s0, adc


def _ellipsoid(geometry: Geometry, offset_mm: Array | tuple[float, ...], radii_mm: Array) -> Array:
    """Where an ellipsoid around a point, relative to the grid's middle (LPS, mm), lies."""
    middle = geometry.to_patient((np.array(geometry.shape) - 1) / 2)
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1))
    return np.linalg.norm((points - middle - offset_mm) / radii_mm, axis=-1) < 1
