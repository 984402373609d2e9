"""How good an image is: its body, its noise and its ghost.

References
----------
Immerkær J, Fast noise variance estimation, Computer Vision and Image Understanding 1996;64:300–302.
"""

from __future__ import annotations

import numpy as np

from uteroseg.imaging.geometry import Array

BODY_SHARE = 0.1
"""The body is where the image exceeds this share of its 99th percentile."""
_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
_MARGIN = 3
"""Pixels around the body that count neither as body nor as background: blur and distortion reach so far."""
_ENOUGH = 500
"""Background pixels below which nothing is said of a ghost."""


def body_in(image: Array) -> Array:
    """Where the patient is in an image of low b-value: brighter than a tenth of its brightest hundredth.

    Parameters
    ----------
    image : ndarray

    Returns
    -------
    ndarray of bool, same shape
        Empty where there is no signal.
    """
    return np.asarray(image > BODY_SHARE * np.percentile(image, 99))


def noise_sd(image: Array, body: Array) -> float:
    """Standard deviation of the noise inside the body, from what a second difference in plane leaves.

    Parameters
    ----------
    image : ndarray, shape (slices, rows, columns)
    body : ndarray of bool, same shape

    Returns
    -------
    float
        0 where the body is empty. Too small where the scanner interpolated or filtered the image.
    """
    kernel_norm = 6.0
    inner = np.concatenate([_second_difference(*slices) for slices in zip(image, body, strict=True)])
    return float(np.median(np.abs(inner)) * _MAD / kernel_norm) if inner.size else 0.0


def _second_difference(image: Array, body: Array) -> Array:
    """Along rows and columns of one slice, inside the body."""
    rows = image[2:] - 2 * image[1:-1] + image[:-2]
    both = rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]
    return np.asarray(both[body[1:-1, 1:-1]])


def ghost_level(image: Array, body: Array) -> float | None:
    """Level of the Nyquist ghost: the image again, half a field of view away, relative to the image.

    The slope of the background's signal over that of the pixel half a field of view away, along rows or
    columns, whichever is larger: the direction of phase encoding is often not known.

    Parameters
    ----------
    image : ndarray, shape (slices, rows, columns)
    body : ndarray of bool, same shape

    Returns
    -------
    float or None
        0 without a ghost; None where there is too little background to tell.
    """
    from scipy import ndimage  # which a prediction has no use for, and takes long to import

    in_plane = np.ones((1, 3, 3), bool)  # slices do not ghost into each other
    around = ndimage.binary_dilation(body, in_plane, iterations=_MARGIN)
    background = ~around
    if np.count_nonzero(background) < _ENOUGH:
        return None
    level = None
    for axis in (1, 2):
        source = np.roll(image, image.shape[axis] // 2, axis=axis)[background].astype(np.float64)
        signal = np.minimum(image[background], np.percentile(image[background], 99)).astype(np.float64)
        spread = source - source.mean()
        if (variance := float((spread**2).sum())) > 0:
            slope = float((spread * (signal - signal.mean())).sum()) / variance
            level = max(slope, 0.0, level or 0.0)
    return level
