"""How alike two images of different contrast are: normalised mutual information.

References
----------
Studholme C et al., Pattern Recognition 1999;32:71–86.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from uteroseg.imaging.geometry import Array

_BINS = 32
_BODY_FWHM_MM, _BODY_LEVEL = 6.0, 0.15
_FWHM_PER_SIGMA = 2.355


def bins_of(values: Array) -> Array:
    """The bins of the reference's values, 0–1."""
    return np.asarray(np.minimum((values * _BINS).astype(int), _BINS - 1))


def likeness(reference_bins: Array, values: Array) -> float:
    """Normalised mutual information of samples: 1 where one image says nothing of the other, at most 2.

    Parameters
    ----------
    reference_bins : ndarray of int
        From `bins_of`.
    values : ndarray
        Of the other image, 0–1; each is shared between two bins, so that the result is continuous.
    """
    position = values * (_BINS - 1)
    lower = np.minimum(position.astype(int), _BINS - 2)
    share, cell = position - lower, reference_bins * _BINS + lower
    counts = np.bincount(cell, 1 - share, _BINS**2) + np.bincount(cell + 1, share, _BINS**2)
    joint = counts.reshape(_BINS, _BINS) / len(values)
    together = _entropy(joint)
    apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
    return apart / together if together > 0 else 1.0


def body_of(image: Array, spacing: Sequence[float]) -> Array:
    """Voxels of the body, from an image of low b-value; ``spacing`` is that in plane, mm."""
    smooth = smoothed(image, spacing, _BODY_FWHM_MM)
    return np.asarray(smooth > _BODY_LEVEL * np.percentile(smooth, 98))


def smoothed(image: Array, spacing: Sequence[float], fwhm: float) -> Array:
    """An image, smoothed in plane."""
    sigma = [fwhm / _FWHM_PER_SIGMA / mm for mm in spacing]
    return np.asarray(ndimage.gaussian_filter(image.astype(np.float32), (0, *sigma)))


def normalised(image: Array, body: Array) -> Array:
    """0–1, as a square root: bright water must not leave one bin for everything else."""
    return np.asarray(np.sqrt(np.clip(image / max(np.percentile(image[body], 99.5), 1e-9), 0, 1)))


def _entropy(probability: Array) -> float:
    positive = probability[probability > 0]
    return float(-(positive * np.log(positive)).sum())
