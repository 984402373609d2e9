"""What the scanner adds: thick slices, coil sensitivity, echo-planar blur and Rician noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.shapes import points_in

SUB_SLICES = 3
"""A slice is the mean of so many thin ones: partial volume through the slice."""

_REFERENCE_T2_MS = 90.0
_REFERENCE_DENSITY = 0.85


def thin_slices(geometry: Geometry) -> Geometry:
    """The grid of sub-slices whose means are the slices."""
    affine = np.array(geometry.affine)
    affine[:3, 0] /= SUB_SLICES
    affine[:3, 3] -= affine[:3, 0] * (SUB_SLICES - 1) / 2
    slices, rows, columns = geometry.shape
    return Geometry((slices * SUB_SLICES, rows, columns), affine)


def thick_slices(image: Array) -> Array:
    """Mean of the sub-slices, shape (…, sub-slices, rows, columns) to (…, slices, rows, columns)."""
    *leading, thin, rows, columns = image.shape
    return np.asarray(image.reshape(*leading, thin // SUB_SLICES, SUB_SLICES, rows, columns).mean(axis=-3))


def coil_sensitivity(rng: np.random.Generator, geometry: Geometry, *, contrast: float = 1.0) -> Array:
    """Smooth sensitivity of surface coils in front of and behind the patient, about 1 in the middle.

    Parameters
    ----------
    rng : Generator
    geometry : Geometry
    contrast : float
        1 for real coils; more for those of the domain-randomised mode.
    """
    x, y, z = points_in(
        geometry, (slice(0, geometry.shape[0]), slice(0, geometry.shape[1]), slice(0, geometry.shape[2]))
    )
    front, back, lean = rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.5), rng.normal(0, 0.07, 2)
    depth = np.clip(y / np.float32(110), -1.5, 1.5)
    bowl = np.where(depth < 0, front, back).astype(np.float32) * depth**2
    along = (
        np.float32(lean[0]) * (x / 110) + np.float32(lean[1]) * (z / 110) - np.float32(0.15) * (z / 130) ** 2
    )
    return np.asarray(np.clip(0.95 + np.float32(contrast) * (bowl + along), 0.3, 2.2), np.float32)


def blurred(image: Array, pixels: tuple[float, float]) -> Array:
    """Point spread of the echo train: its standard deviation along rows and columns (phase encoding)."""
    if not any(pixels):
        return image
    return np.asarray(ndimage.gaussian_filter(image, (0,) * (image.ndim - 2) + pixels, truncate=3))


def noise_level(acquisition: Acquisition) -> float:
    """Standard deviation of one channel's noise, where 1 is pure water without any weighting."""
    reference = _REFERENCE_DENSITY * np.exp(-acquisition.echo_time_ms / _REFERENCE_T2_MS)
    return float(reference / acquisition.snr)


def with_rician_noise(
    image: Array, sigma: float, rng: np.random.Generator, *, width_pixels: float = 0.0
) -> Array:
    """Magnitude of the image with Gaussian noise in both channels.

    Parameters
    ----------
    image : ndarray
    sigma : float
        Standard deviation of one channel's noise.
    rng : Generator
    width_pixels : float
        Interpolation and filters correlate the noise in plane over this width (standard deviation, pixels).

    References
    ----------
    Gudbjartsson H, Patz S, Magn Reson Med 1995;34:910–914.
    """
    real, imaginary = (np.float32(sigma) * _noise(image.shape, rng, width_pixels) for _ in range(2))
    return np.asarray(np.hypot(image + real, imaginary))


def _noise(shape: tuple[int, ...], rng: np.random.Generator, width: float) -> Array:
    """Gaussian noise of unit variance, correlated in plane over a width in pixels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    if not width:
        return white
    sides = np.exp(-0.5 * (np.arange(-2, 3) / width) ** 2).astype(np.float32)
    sides /= np.sqrt((sides**2).sum())
    along_rows = ndimage.correlate1d(white, sides, axis=-2, mode="wrap")
    return np.asarray(ndimage.correlate1d(along_rows, sides, axis=-1, mode="wrap"))
