"""From a study to the network's input, and from the network's output back to the study's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import DiffusionFit, fit_adc
from uteroseg.imaging.geometry import Array, Geometry, Plane
from uteroseg.imaging.measure import MM3_PER_ML
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.model.spec import ModelSpec

HIGH_B = 1000.0
SAME_B = 25.0
"""A measured image this near to b 1000 s/mm² is taken as it is."""
MAX_ADC = 4.0
"""ADC above that of free water at body temperature (3.0) is noise; 10⁻³ mm²/s."""
BODY_SHARE = 0.1
"""The body is where the image of the lowest b-value exceeds this share of its 99th percentile."""

# Directions (LPS) of increasing row and column index as a radiologist sees the plane.
_VIEW: dict[Plane, tuple[tuple[int, int], tuple[int, int]]] = {
    "sagittal": ((2, -1), (1, 1)),  # rows to inferior, columns to posterior
    "coronal": ((2, -1), (0, 1)),  # rows to inferior, columns to the patient's left
    "axial": ((1, 1), (0, 1)),  # rows to posterior, columns to the patient's left
}


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """How slices of a study map to the network's matrix and back.

    Both ways are separable: ``rows @ slice @ columns.T``.
    """

    transpose: bool
    flip: tuple[slice, slice]
    to_network: tuple[Array, Array]
    to_study: tuple[Array, Array]

    @classmethod
    def between(cls, geometry: Geometry, spec: ModelSpec) -> SliceGrid:
        """The mapping between a study's slices, turned to the usual view, and the network's matrix."""
        (row_axis, row_sign), (column_axis, column_sign) = _VIEW[geometry.plane]
        rows, columns = geometry.affine[:3, 1], geometry.affine[:3, 2]
        transpose = bool(abs(rows[column_axis]) > abs(rows[row_axis]))
        if transpose:
            rows, columns = columns, rows
        sizes = geometry.shape[1:][::-1] if transpose else geometry.shape[1:]
        spacings = geometry.spacing[1:][::-1] if transpose else geometry.spacing[1:]
        axes = list(zip(sizes, spacings, spec.matrix, strict=True))
        flip_rows, flip_columns = rows[row_axis] * row_sign < 0, columns[column_axis] * column_sign < 0
        return cls(
            transpose=transpose,
            flip=(slice(None, None, -1 if flip_rows else 1), slice(None, None, -1 if flip_columns else 1)),
            to_network=_pair([_interpolation(n, mm, m, spec.spacing_mm) for n, mm, m in axes]),
            to_study=_pair([_interpolation(m, spec.spacing_mm, n, mm) for n, mm, m in axes]),
        )

    def to_matrix(self, slices: Array) -> Array:
        """Slices (…, rows, columns) of a study on the network's matrix (…, height, width)."""
        turned = (np.swapaxes(slices, -1, -2) if self.transpose else slices)[(..., *self.flip)]
        return _separable(turned, self.to_network)

    def from_matrix(self, slices: Array) -> Array:
        """Slices (…, height, width) of the network on the study's grid (…, rows, columns)."""
        turned = _separable(slices, self.to_study)[(..., *self.flip)]
        return np.ascontiguousarray(np.swapaxes(turned, -1, -2) if self.transpose else turned)


def network_input(study: DwiStudy, spec: ModelSpec, fit: DiffusionFit | None = None) -> Array:
    """What the network sees of a study.

    Parameters
    ----------
    study : DwiStudy
    spec : ModelSpec
    fit : DiffusionFit, optional
        The study's fit, where it has been made already.

    Returns
    -------
    ndarray of float32, shape (slices, 3, height, width)
        Normalised; outside the study every channel is that of air (0 before normalisation).

    Raises
    ------
    UserError
        If the study has one b-value only or no signal.
    """
    fit = fit or fit_adc(study.signal, study.b_values)
    low_b = study.signal[0]
    body = low_b > BODY_SHARE * np.percentile(low_b, 99)
    if not body.any():
        raise UserError(
            "The study has no signal.",
            expected="a body in the image of the lowest b-value.",
            fix="look at the images in a viewer; was the right series sent?",
        )
    scale = np.median(low_b[body])
    adc = np.clip(fit.adc, 0, MAX_ADC) * body
    channels = np.stack([low_b / scale, high_b_image(study, fit) / scale, adc], axis=1, dtype=np.float32)
    on_matrix = SliceGrid.between(study.geometry, spec).to_matrix(channels)
    mean, std = (np.asarray(v, np.float32)[:, None, None] for v in (spec.channel_mean, spec.channel_std))
    return np.asarray((on_matrix - mean) / std, np.float32)


def high_b_image(study: DwiStudy, fit: DiffusionFit) -> Array:
    """The image at b 1000 s/mm²: measured, else computed from the fit."""
    nearest = int(np.argmin([abs(b - HIGH_B) for b in study.b_values]))
    if abs(study.b_values[nearest] - HIGH_B) <= SAME_B:
        return np.asarray(study.signal[nearest])
    return np.asarray(np.minimum(fit.image_at(HIGH_B), study.signal[0]))


def network_target(mask: Mask, spec: ModelSpec) -> Array:
    """A mask as the network is to learn it: ndarray of bool, shape (slices, height, width)."""
    return np.asarray(SliceGrid.between(mask.geometry, spec).to_matrix(mask.data.astype(np.float32)) >= 0.5)


def mask_from_output(probability: Array, geometry: Geometry, spec: ModelSpec) -> tuple[Mask, Array]:
    """The mask that the network's output means.

    Parameters
    ----------
    probability : ndarray of float32, shape (slices, height, width)
    geometry : Geometry
        The study's.
    spec : ModelSpec
        Its threshold and its rule for small components apply.

    Returns
    -------
    mask : Mask
        On the study's grid.
    probability : ndarray of float32, shape (slices, rows, columns)
        On the study's grid.
    """
    on_study = SliceGrid.between(geometry, spec).from_matrix(probability)
    labels, count = ndimage.label(on_study >= spec.threshold, np.ones((3, 3, 3)))
    sizes_ml = np.bincount(labels.ravel(), minlength=count + 1) * geometry.voxel_volume_mm3 / MM3_PER_ML
    kept = sizes_ml >= spec.min_component_ml
    kept[0] = False
    return Mask(kept[labels], geometry), on_study


def _interpolation(size: int, spacing: float, new_size: int, new_spacing: float) -> Array:
    """Matrix (new size, size) that interpolates linearly between two centred axes.

    Where the new axis is coarser the triangle is as wide as its spacing, so that nothing is skipped; its
    weights outside the old axis are zero.
    """
    position = (np.arange(new_size) - (new_size - 1) / 2) * new_spacing / spacing + (size - 1) / 2
    distance = np.abs(position[:, None] - np.arange(size)) / max(1.0, new_spacing / spacing)
    weights = np.clip(1 - distance, 0, None)
    inside = (position > -0.5) & (position < size - 0.5)
    total = np.where(inside, weights.sum(axis=1), 1)
    return np.asarray(weights * inside[:, None] / total[:, None], np.float32)


def _separable(slices: Array, matrices: tuple[Array, Array]) -> Array:
    rows, columns = matrices
    return np.asarray(rows @ slices @ columns.T)


def _pair(matrices: list[Array]) -> tuple[Array, Array]:
    rows, columns = matrices
    return rows, columns
