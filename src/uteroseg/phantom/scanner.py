"""What the scanner adds: thick slices, coil sensitivity, echo-planar blur and Rician noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.shapes import points_in

SUB_SLICES = 3
"""A slice is the mean of so many thin ones: partial volume through the slice."""

_BLUR_PIXELS = (0.35, 0.55)
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


def coil_sensitivity(rng: np.random.Generator, geometry: Geometry) -> Array:
    """Smooth sensitivity of surface coils in front of and behind the patient, about 1."""
    x, y, z = points_in(
        geometry, (slice(0, geometry.shape[0]), slice(0, geometry.shape[1]), slice(0, geometry.shape[2]))
    )
    front, back, lean = rng.uniform(0.05, 0.30), rng.uniform(0.05, 0.25), rng.normal(0, 0.05, 2)
    depth = np.clip(y / np.float32(110), -1.5, 1.5)
    bowl = np.where(depth < 0, front, back).astype(np.float32) * depth**2
    along = (
        np.float32(lean[0]) * (x / 110) + np.float32(lean[1]) * (z / 110) - np.float32(0.12) * (z / 130) ** 2
    )
    return np.asarray(np.clip(0.95 + bowl + along, 0.3, 2), np.float32)


def blurred(image: Array) -> Array:
    """Point spread of the echo train, wider along phase encoding (rows or columns as seen: the last axis)."""
    sigma = (0,) * (image.ndim - 2) + _BLUR_PIXELS
    return np.asarray(ndimage.gaussian_filter(image, sigma, truncate=3))


def noise_level(acquisition: Acquisition) -> float:
    """Standard deviation of one channel's noise, where 1 is pure water without any weighting."""
    reference = _REFERENCE_DENSITY * np.exp(-acquisition.echo_time_ms / _REFERENCE_T2_MS)
    return float(reference / acquisition.snr)


def with_rician_noise(image: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Magnitude of the image with Gaussian noise in both channels.

    References
    ----------
    Gudbjartsson H, Patz S, Magn Reson Med 1995;34:910–914.
    """
    real = image + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary))
