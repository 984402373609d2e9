"""Noise of averaged magnitude images from many coils: an even, dark floor in air, grain inside the body.

A stored image is a mean of magnitudes (diffusion directions and repeats). Averaging makes the noise weaker
and nearly Gaussian, but leaves the Rician mean, so that air is a smooth dark grey and not salt and pepper.

References
----------
Moments of the Rician distribution: Koay CG, Basser PJ, J Magn Reson 2006;179:317–322. Noise of parallel
imaging, largest in the middle: Pruessmann KP et al., Magn Reson Med 1999;42:952–962.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import special

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.scanner import _noise, with_rician_noise
from uteroseg.phantom.shapes import points_in

OUTSIDE = 0.45
"""Noise far from the middle, where single coils see well, relative to the middle's (general)."""

_HIGHEST_SNR, _STEPS = 15.0, 64


def noise_map(geometry: Geometry) -> Array:
    """Noise relative to that in the middle of the patient: 1 falling towards ``OUTSIDE``."""
    rows, columns = (slice(0, size) for size in geometry.shape[1:])
    x, y, _ = points_in(geometry, (slice(0, geometry.shape[0]), rows, columns))
    far = (x / np.float32(130)) ** 2 + (y / np.float32(95)) ** 2
    return np.asarray(OUTSIDE + (1 - OUTSIDE) * np.exp(-far), np.float32)


def with_averaged_noise(
    image: Array, sigma: Array, rng: np.random.Generator, *, averages: int, width_pixels: float = 0.0
) -> Array:
    """Mean of as many magnitude images as were averaged.

    Parameters
    ----------
    image : ndarray
    sigma : ndarray
        Standard deviation of the noise in a bright part of the mean; broadcasts against the image.
    rng : Generator
    averages : int
    width_pixels : float
        As in ``with_rician_noise``.
    """
    if averages == 1:
        return with_rician_noise(image / sigma, 1.0, rng, width_pixels=width_pixels) * sigma
    one = sigma * np.float32(averages**0.5)
    level = image / one
    step = np.minimum(level * np.float32(_STEPS), len(_moments()[0]) - 1).astype(np.int32)
    floor, spread = (moment.take(step) for moment in _moments())
    noise = _noise(image.shape, rng, width_pixels) * spread
    return np.asarray(np.maximum((level + floor) * one + noise * sigma, 0))


@cache
def _moments() -> tuple[Array, Array]:
    """How far the mean magnitude lies over the signal, and its standard deviation, in steps of the SNR."""
    snr = np.arange(0, _HIGHEST_SNR, 1 / _STEPS) + 0.5 / _STEPS
    half = snr**2 / 4
    mean = np.sqrt(np.pi / 2) * ((1 + 2 * half) * special.i0e(half) + 2 * half * special.i1e(half))
    return (mean - snr).astype(np.float32), np.sqrt(2 + snr**2 - mean**2).astype(np.float32)
