"""Alignment of a study's images between b-values: rigid in plane, one transform per b-value.

One transform serves the whole stack: a single slice of a high b-value has too little signal for one of its
own, and one that went wrong would tear slices apart. Motion between slices and through the plane stays.

References
----------
Studholme C et al., Pattern Recognition 1999;32:71–86: normalised mutual information, which needs no relation
between the contrasts. Its bias towards the grid, and samples off the grid against it: Tsao J, IEEE Trans Med
Imaging 2003;22:1107–1118.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage, optimize

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import DwiStudy

_BINS = 32
_BODY_FWHM_MM, _BODY_LEVEL = 6.0, 0.15
_FWHM_PER_SIGMA = 2.355


METHOD = "rigid in plane, one transform per b-value; normalised mutual information; cubic spline"

_LEAST_MOTION_MM, _LEAST_MOTION_PIXELS = 1.0, 0.5
_LARGEST_DOUBT = 1 / 3
_LEVELS = ((8.0, 10_000, 4.0), (3.0, 40_000, 1.0))  # smoothing (FWHM, mm), samples, first step (mm)
_PRECISION_MM = 0.03
_MARGIN_MM = 10.0


@dataclass(frozen=True)
class Motion:
    """Where an image lies: what the reference has at p (mm from the slice's centre), it has at R · p + shift.

    Parameters
    ----------
    rows_mm, columns_mm : float
        Shift along increasing row and column index.
    rotation_deg : float
        From the direction of increasing row index towards that of increasing column index.
    """

    rows_mm: float = 0.0
    columns_mm: float = 0.0
    rotation_deg: float = 0.0

    @property
    def rotation(self) -> Array:
        """Rotation matrix of (row, column)."""
        cosine, sine = np.cos(np.deg2rad(self.rotation_deg)), np.sin(np.deg2rad(self.rotation_deg))
        return np.array([[cosine, -sine], [sine, cosine]])

    def moved(self, points: Array) -> Array:
        """Points (row, column), shape (…, 2), mm from the slice's centre, where this image has them."""
        return np.asarray(points @ self.rotation.T + (self.rows_mm, self.columns_mm))


def align(study: DwiStudy) -> tuple[DwiStudy, dict[str, Any]]:
    """Align the images of the higher b-values with that of the lowest.

    An image is resampled once, and only if it moved the body by more than a threshold (root mean square: 1 mm
    or half a pixel, whichever is more) and each half of its slices, even and odd, shows the same motion by
    itself: not further apart than the threshold and a third of the motion. Otherwise it stays bit for bit.
    Signal stays positive where it was; where the source lies outside the slice, it becomes 0.

    Parameters
    ----------
    study : DwiStudy

    Returns
    -------
    study : DwiStudy
        The same object if no image was moved. The scanner's ADC map is left as it is.
    record : dict
        For JSON: ``method``, ``reference_b_value``, ``threshold_mm``, and for each other b-value in
        ``images`` ``b_value``, ``rows_mm``, ``columns_mm``, ``rotation_deg`` (see `Motion`),
        ``displacement_mm`` (root mean square in the body) and whether it was ``applied``.
    """
    _, *spacing = study.geometry.spacing
    reference, signal, images = study.signal[0], study.signal, []
    for index, b_value in enumerate(study.b_values[1:], 1):
        motion, displacement, applied = judged_motion(reference, study.signal[index], spacing)
        if applied:
            signal = signal.copy() if signal is study.signal else signal
            signal[index] = undo(study.signal[index], motion, spacing)
        numbers = {**asdict(motion), "displacement_mm": displacement}
        rounded = {name: round(number, 3) for name, number in numbers.items()}
        images.append({"b_value": b_value, **rounded, "applied": applied})
    record = {
        "method": METHOD,
        "reference_b_value": study.b_values[0],
        "threshold_mm": round(_threshold(spacing), 3),
        "images": images,
    }
    return (study if signal is study.signal else replace(study, signal=signal)), record


def find_motion(reference: Array, image: Array, spacing: Sequence[float]) -> Motion:
    """Find the motion of an image against the reference, coarse to fine.

    Parameters
    ----------
    reference, image : ndarray, shape (slices, rows, columns)
    spacing : sequence of float
        Distance between rows and between columns, mm.
    """
    body = _body_of(reference, spacing)
    if not body.any() or not image[body].any():
        return Motion()
    radius = float(np.sqrt((_points(body, spacing) ** 2).sum(axis=1).mean()))
    found = np.zeros(3)  # mm: shifts, and what the rotation moves a point of the body
    for fwhm, count, step in _LEVELS:
        measure = _Likeness.of(reference, image, body, spacing, fwhm=fwhm, count=count)
        found = optimize.minimize(
            _unlikeness,
            found,
            args=(measure, radius),
            method="Nelder-Mead",
            options={
                "initial_simplex": found + step * np.vstack([np.zeros(3), np.eye(3)]),
                "xatol": _PRECISION_MM,
                "fatol": 1e-6,
            },
        ).x
    return _motion(found, radius)


def undo(image: Array, motion: Motion, spacing: Sequence[float]) -> Array:
    """Undo the motion of an image, shape (slices, rows, columns): cubic splines, never below its signal."""
    shape, scale = np.array(image.shape[1:]), np.array(spacing)
    centre = (shape - 1) / 2
    grid = np.moveaxis(np.indices(image.shape[1:]), 0, -1)
    source = np.moveaxis(motion.moved((grid - centre) * scale) / scale + centre, -1, 0)
    inside = ((source >= -0.5) & (source < (shape - 0.5)[:, None, None])).all(axis=0)
    aligned = np.zeros_like(image)
    for one, into in zip(image, aligned, strict=True):
        positive = ndimage.map_coordinates(one > 0, source, order=0, mode="nearest") & inside
        if positive.any():
            values = ndimage.map_coordinates(one, source, order=3, mode="mirror")
            into[positive] = np.maximum(values, one[one > 0].min())[positive]
    return aligned


@dataclass(frozen=True, eq=False)
class _Likeness:
    """Normalised mutual information of reference and image at fixed samples off the grid."""

    points: Array  # (samples, 2): row and column, mm from the slice's centre
    slices: Array
    reference_bins: Array
    image: Array  # smoothed, 0–1
    spacing: Array

    @classmethod
    def of(
        cls, reference: Array, image: Array, body: Array, spacing: Sequence[float], *, fwhm: float, count: int
    ) -> _Likeness:
        rng = np.random.default_rng(0)
        around = ndimage.maximum_filter(body, (1, *(2 * int(_MARGIN_MM / mm) + 1 for mm in spacing)))
        chosen = np.flatnonzero(around)
        if len(chosen) > count:
            chosen = np.sort(rng.choice(chosen, count, replace=False))
        index = np.stack(np.unravel_index(chosen, body.shape)).astype(np.float64)
        index[1:] += rng.uniform(-0.5, 0.5, (2, len(chosen)))
        at_samples = ndimage.map_coordinates(
            _normalised(_smoothed(reference, spacing, fwhm), body), index, order=1, mode="nearest"
        )
        scale, centre = np.array(spacing), (np.array(body.shape[1:]) - 1) / 2
        return cls(
            points=(index[1:].T - centre) * scale,
            slices=index[0],
            reference_bins=_bins_of(at_samples),
            image=_normalised(_smoothed(image, spacing, fwhm), body),
            spacing=scale,
        )

    def __call__(self, motion: Motion) -> float:
        centre = (np.array(self.image.shape[1:]) - 1) / 2
        rows, columns = (motion.moved(self.points) / self.spacing + centre).T
        values = ndimage.map_coordinates(self.image, (self.slices, rows, columns), order=1, mode="nearest")
        return _likeness(self.reference_bins, values)


def judged_motion(reference: Array, image: Array, spacing: Sequence[float]) -> tuple[Motion, float, bool]:
    """An image's motion, how far it takes the body (mm), and whether that is enough and beyond doubt."""
    threshold = _threshold(spacing)
    motion = find_motion(reference, image, spacing)
    displacement = _apart(motion, Motion(), reference, spacing)
    applied = displacement > threshold
    if applied and len(reference) > 1:  # the noise of even and odd slices is independent
        even, odd = (find_motion(reference[start::2], image[start::2], spacing) for start in (0, 1))
        applied = _apart(even, odd, reference, spacing) <= min(threshold, _LARGEST_DOUBT * displacement)
    return motion, displacement, applied


def _threshold(spacing: Sequence[float]) -> float:
    return max(_LEAST_MOTION_MM, _LEAST_MOTION_PIXELS * max(spacing))


def _apart(one: Motion, other: Motion, reference: Array, spacing: Sequence[float]) -> float:
    """Root mean square distance, mm, between where two motions take the body."""
    points = _points(_body_of(reference, spacing), spacing)
    if not len(points):
        return 0.0
    return float(np.sqrt(((one.moved(points) - other.moved(points)) ** 2).sum(axis=1).mean()))


def _unlikeness(found: Array, measure: _Likeness, radius: float) -> float:
    return -measure(_motion(found, radius))


def _motion(found: Array, radius: float) -> Motion:
    rows, columns, along_arc = (float(x) for x in found)
    return Motion(rows, columns, float(np.rad2deg(along_arc / radius)))


def _points(body: Array, spacing: Sequence[float]) -> Array:
    """Row and column of the body's voxels, mm from the slice's centre."""
    return (np.argwhere(body)[:, 1:] - (np.array(body.shape[1:]) - 1) / 2) * spacing


def _bins_of(values: Array) -> Array:
    """The bins of the reference's values, 0–1."""
    return np.asarray(np.minimum((values * _BINS).astype(int), _BINS - 1))


def _likeness(reference_bins: Array, values: Array) -> float:
    """Normalised mutual information of samples: 1 where one image says nothing of the other, at most 2.

    Parameters
    ----------
    reference_bins : ndarray of int
        From `_bins_of`.
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


def _body_of(image: Array, spacing: Sequence[float]) -> Array:
    """Voxels of the body, from an image of low b-value; ``spacing`` is that in plane, mm."""
    smooth = _smoothed(image, spacing, _BODY_FWHM_MM)
    return np.asarray(smooth > _BODY_LEVEL * np.percentile(smooth, 98))


def _smoothed(image: Array, spacing: Sequence[float], fwhm: float) -> Array:
    """An image, smoothed in plane."""
    sigma = [fwhm / _FWHM_PER_SIGMA / mm for mm in spacing]
    return np.asarray(ndimage.gaussian_filter(image.astype(np.float32), (0, *sigma)))


def _normalised(image: Array, body: Array) -> Array:
    """0–1, as a square root: bright water must not leave one bin for everything else."""
    return np.asarray(np.sqrt(np.clip(image / max(np.percentile(image[body], 99.5), 1e-9), 0, 1)))


def _entropy(probability: Array) -> float:
    positive = probability[probability > 0]
    return float(-(positive * np.log(positive)).sum())
