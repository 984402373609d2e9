"""From a study to the network's input, and from the network's output back to the study's grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.components import label_components
from uteroseg.imaging.diffusion import DiffusionFit
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import MM3_PER_ML, bounding_box
from uteroseg.imaging.quality import body_in
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.imaging.view import View
from uteroseg.model.spec import CHANNELS as CHANNELS
from uteroseg.model.spec import ModelSpec

HIGH_B = 1000.0
SAME_B = 25.0
"""A measured image this near to b 1000 s/mm² is taken as it is."""
MAX_ADC = 4.0
"""ADC above that of free water at body temperature (3.0) is noise; 10⁻³ mm²/s."""
MIN_HIGH_B = 400.0
"""With no image of at least this b-value (s/mm²), the one at b 1000 would be extrapolated from noise."""
MAX_COARSER = 4.0
"""How many times as large as the network's a study's pixels may be."""


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """How slices of a study map to the network's matrix and back.

    Both ways are separable: ``rows @ slice @ columns.T``.

    Parameters
    ----------
    geometry : Geometry
        The study's.
    spec : ModelSpec
        Its spacing and matrix apply.
    view : View
        Turns slices to the radiologist's view.
    to_network, to_study : tuple of ndarray
        For rows and for columns.
    """

    geometry: Geometry
    spec: ModelSpec
    view: View
    to_network: tuple[Array, Array]
    to_study: tuple[Array, Array]

    @classmethod
    def between(cls, geometry: Geometry, spec: ModelSpec) -> SliceGrid:
        """The mapping between a study's slices, turned to the usual view, and the network's matrix."""
        view, mm = View.of(geometry), spec.spacing_mm
        axes = list(zip(view.shape, view.spacing_mm, spec.matrix, strict=True))
        return cls(
            geometry=geometry,
            spec=spec,
            view=view,
            to_network=_pair([_interpolation(n, step, m, mm) for n, step, m in axes]),
            to_study=_pair([_interpolation(m, mm, n, step) for n, step, m in axes]),
        )

    def to_matrix(self, slices: Array) -> Array:
        """Slices (…, rows, columns) of a study on the network's matrix (…, height, width)."""
        return _separable(self.view.turn(slices), self.to_network)

    def from_matrix(self, slices: Array) -> Array:
        """Slices (…, height, width) of the network on the study's grid (…, rows, columns)."""
        return self.view.turn_back(_separable(slices, self.to_study))


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """A study with what a model needs of it, each computed once, when it is first needed.

    Parameters
    ----------
    study : DwiStudy
    """

    study: DwiStudy

    @property
    def geometry(self) -> Geometry:
        """The study's."""
        return self.study.geometry

    @cached_property
    def fit(self) -> DiffusionFit:
        """The study's fit; raises UserError if it has one b-value only."""
        return self.study.fit()

    @cached_property
    def body(self) -> Array:
        """Where the patient is, ndarray of bool; raises UserError if the study has no signal."""
        body = body_in(self.study.signal[0])
        if not body.any():
            raise UserError(
                "The study has no signal.",
                expected="a body in the image of the lowest b-value.",
                fix="look at the images in a viewer; was the right series sent?",
            )
        return body

    @cached_property
    def high_b(self) -> Array:
        """The image at b 1000 s/mm²: measured, or computed from the fit.

        Raises
        ------
        UserError
            If no b-value is high.
        """
        b_values, signal = self.study.b_values, self.study.signal
        if b_values[-1] < MIN_HIGH_B:
            raise UserError(
                f"The study's b-values are {', '.join(f'{b:g}' for b in b_values)} s/mm²; none is high.",
                expected=f"an image of at least b {MIN_HIGH_B:g}, best of b {HIGH_B:g} s/mm².",
                fix="add the series with the high b-value of the same examination.",
            )
        nearest = int(np.argmin([abs(b - HIGH_B) for b in b_values]))
        if abs(b_values[nearest] - HIGH_B) <= SAME_B:
            return np.asarray(signal[nearest])
        return np.asarray(np.minimum(self.fit.image_at(HIGH_B), signal[0]))

    def channels(self) -> Array:
        """Every channel on the study's own grid.

        Returns
        -------
        ndarray of float32, shape (slices, 3, rows, columns)
            In the order of `CHANNELS`: the images at the lowest b-value and at b 1000 s/mm², in units of the
            median of the former inside the body, and ADC in 10⁻³ mm²/s, 0 outside the body.

        Raises
        ------
        UserError
            If the study has one b-value only, no high one or no signal.
        """
        return np.stack(list(self._each_channel()), axis=1)

    def on_matrix(self, grid: SliceGrid) -> Array:
        """Every channel on the network's matrix: as `channels`, shape (slices, 3, height, width)."""
        return np.stack([grid.to_matrix(channel) for channel in self._each_channel()], axis=1)

    def _each_channel(self) -> Iterator[Array]:
        """One after the other, float32: all at once take memory."""
        fit, low_b, body = self.fit, self.study.signal[0], self.body
        scale = np.float32(np.median(low_b[body]))
        yield np.asarray(low_b / scale, np.float32)
        yield np.asarray(self.high_b / scale, np.float32)
        yield np.asarray(np.clip(fit.adc, 0, MAX_ADC) * body, np.float32)


def network_input(study: DwiStudy, spec: ModelSpec) -> Array:
    """What the network sees of a study.

    Returns
    -------
    ndarray of float32, shape (slices, channels, height, width)
        Normalised; outside the study every channel is that of air (0 before normalisation).

    Raises
    ------
    UserError
        If the study has one b-value only, no high one or no signal.
    """
    return normalise(PreparedStudy(study).on_matrix(SliceGrid.between(study.geometry, spec)), spec)


def require_fitting_grid(geometry: Geometry, spec: ModelSpec) -> None:
    """Refuse a study whose pixels are too coarse for a model, or of which the network would see a scrap."""
    _, *pixel_mm = geometry.spacing
    field_mm = [n * mm for n, mm in zip(geometry.shape[1:], pixel_mm, strict=True)]
    least_mm = min(spec.matrix) * spec.spacing_mm / MAX_COARSER
    if max(pixel_mm) > MAX_COARSER * spec.spacing_mm or min(field_mm) < least_mm:
        raise UserError(
            f"The study's slices have {geometry.shape[1]} × {geometry.shape[2]} pixels of "
            f"{pixel_mm[0]:.3g} × {pixel_mm[1]:.3g} mm.",
            expected=f"pixels of at most {MAX_COARSER * spec.spacing_mm:g} mm, a field of view of at least "
            f"{least_mm:g} mm; the model sees {spec.matrix[0]} × {spec.matrix[1]} pixels "
            f"of {spec.spacing_mm:g} mm.",
            fix="check the geometry of the images; was the right series sent?",
        )


def normalise(raw: Array, spec: ModelSpec) -> Array:
    """Choose the channels that the network sees, and normalise them.

    Parameters
    ----------
    raw : ndarray of float32, shape (slices, 3, height, width)
        From `PreparedStudy.on_matrix`.
    spec : ModelSpec

    Returns
    -------
    ndarray of float32, shape (slices, channels, height, width)
    """
    chosen = raw[:, [CHANNELS.index(name) for name in spec.channels]]
    mean, std = (np.asarray(v, np.float32)[:, None, None] for v in (spec.channel_mean, spec.channel_std))
    return np.asarray((chosen - mean) / std, np.float32)


def network_target(mask: Mask, grid: SliceGrid) -> Array:
    """A mask as the network is to learn it: ndarray of bool, shape (slices, height, width)."""
    return np.asarray(grid.to_matrix(mask.data.astype(np.float32)) >= 0.5)


def mask_from_output(probability: Array, grid: SliceGrid) -> tuple[Mask, Array]:
    """The mask that the network's output means.

    Parameters
    ----------
    probability : ndarray of float32, shape (slices, height, width)
    grid : SliceGrid
        The threshold and the rule for small components of its ModelSpec apply.

    Returns
    -------
    mask : Mask
        On the study's grid.
    probability : ndarray of float32, shape (slices, rows, columns)
        On the study's grid.
    """
    on_study, spec = grid.from_matrix(probability), grid.spec
    above = on_study >= spec.threshold
    voxel_ml = grid.geometry.voxel_volume_mm3 / MM3_PER_ML
    _drop_small(above[bounding_box(above)], voxel_ml, spec.min_component_ml)
    return Mask(above, grid.geometry), on_study


def _drop_small(mask: Array, voxel_ml: float, least_ml: float) -> None:
    """Empty the components of a mask that are smaller, in place."""
    labels, count = label_components(mask)
    kept = np.bincount(labels.ravel(), minlength=count + 1) * voxel_ml >= least_ml
    mask &= kept[labels]


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
