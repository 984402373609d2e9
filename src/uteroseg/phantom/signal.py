"""Diffusion-weighted signal of tissues laid over each other.

References
----------
``S(b) = PD · exp(−TE / T2) · exp(−b · ADC)``: Le Bihan D et al., Radiology 1986;161:401–407.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uteroseg.imaging.diffusion import ADC_UNIT
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.anatomy import Layer
from uteroseg.phantom.tissue import Tissue

_LATTICE_MM = 4.0
_LATTICE_SIZE = 64
_TEXTURE_LIMIT = 2.5


def tissue_signal(tissue: Tissue, *, b_value: float, echo_time_ms: float) -> float:
    """Signal of a tissue without texture; 1 is pure water without any weighting.

    Parameters
    ----------
    tissue : Tissue
    b_value : float
        s/mm².
    echo_time_ms : float
    """
    weighted = np.exp(-echo_time_ms / tissue.t2_ms) * np.exp(-b_value * ADC_UNIT * tissue.adc)
    return float(tissue.density * weighted)


@dataclass(frozen=True, eq=False)
class Texture:
    """Smooth variation inside tissues: two fields of unit variance on a grid, one for signal, one for ADC."""

    signal: Array
    adc: Array

    def in_sub_slices(self, count: int) -> Texture:
        """The same on the grid of sub-slices, constant through each slice."""
        return Texture(np.repeat(self.signal, count, axis=0), np.repeat(self.adc, count, axis=0))


def draw_texture(rng: np.random.Generator, geometry: Geometry) -> Texture:
    """Draw texture that is fixed in the patient (periodic, 256 mm), whatever grid it is sampled on."""
    first, second = (_field(rng, geometry) for _ in range(2))
    return Texture(first, second)


def paint(
    layers: Iterable[Layer],
    tissues: Mapping[str, Tissue],
    *,
    texture: Texture,
    b_values: Sequence[float],
    echo_time_ms: float,
) -> Array:
    """Lay tissues over each other, each by its coverage: borders are mixtures, as in partial volume.

    Parameters
    ----------
    layers : iterable of Layer
        In order; outside all of them is air.
    tissues : mapping
        Name to tissue, with every layer's.
    texture : Texture
    b_values : sequence of float
        s/mm².
    echo_time_ms : float

    Returns
    -------
    ndarray of float32, shape (b-values, slices, rows, columns)
        1 is pure water without any weighting.
    """
    image = np.zeros((len(b_values), *texture.signal.shape), np.float32)
    for layer in layers:
        tissue = tissues[layer.tissue]
        relative = np.float32(tissue.texture)
        density = 1 + relative * texture.signal[layer.box]
        adc = np.float32(ADC_UNIT * tissue.adc) * (1 + relative * texture.adc[layer.box])
        unweighted = np.float32(tissue_signal(tissue, b_value=0, echo_time_ms=echo_time_ms)) * density
        for volume, b_value in zip(image, b_values, strict=True):
            part = volume[layer.box]
            tissue_image = unweighted * np.exp(np.float32(-b_value) * adc) if b_value else unweighted
            part += layer.coverage * (tissue_image - part)
    return image


def _field(rng: np.random.Generator, geometry: Geometry) -> Array:
    lattice = rng.standard_normal((_LATTICE_SIZE,) * 3, dtype=np.float32)
    lattice = ndimage.gaussian_filter(lattice, 1.0, mode="wrap", truncate=3)
    lattice /= lattice.std()
    to_lattice = geometry.affine[:3] / _LATTICE_MM
    field = ndimage.affine_transform(
        lattice,
        to_lattice[:, :3],
        offset=to_lattice[:, 3],
        output_shape=geometry.shape,
        order=1,
        mode="grid-wrap",
        output=np.float32,
    )
    return np.clip(field, -_TEXTURE_LIMIT, _TEXTURE_LIMIT)
