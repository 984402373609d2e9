"""Diffusion-weighted signal of tissues laid over each other.

References
----------
``S(b) = PD · exp(−TE / T2) · [(1 − f) · exp(−b · D) + f · exp(−b · D*)]``: Le Bihan D et al., Radiology
1988;168:497–505.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uteroseg.imaging.diffusion import ADC_UNIT
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.anatomy import Layer
from uteroseg.phantom.grids import sampled
from uteroseg.phantom.shapes import Box
from uteroseg.phantom.tissue import PSEUDO_DIFFUSION, Tissue

FAT_DENSITY = 0.9
"""Proton density of fat that is not suppressed (general)."""

_LATTICE_MM = 4.0
_LATTICE_SIZE = 64
_TEXTURE_LIMIT = 2.5
_FINE = 0.6  # detail of 4 mm beside that of 10 mm


def tissue_signal(tissue: Tissue, *, b_value: float, echo_time_ms: float) -> float:
    """Signal of a tissue without texture; 1 is pure water without any weighting.

    Parameters
    ----------
    tissue : Tissue
    b_value : float
        s/mm².
    echo_time_ms : float
        On the scale of the tissue's T2: divided by the acquisition's ``t2_factor`` at other fields than 3 T.
    """
    b = b_value * ADC_UNIT
    f = tissue.perfusion
    diffusion = (1 - f) * np.exp(-b * tissue.diffusion) + f * np.exp(-b * PSEUDO_DIFFUSION)
    return float(tissue.density * np.exp(-echo_time_ms / tissue.t2_ms) * diffusion)


@dataclass(frozen=True, eq=False)
class Painted:
    """What paint gives; 1 is pure water without any weighting.

    Parameters
    ----------
    signal : ndarray of float32, shape (b-values, slices, rows, columns)
    fat : ndarray of float32, shape (slices, rows, columns)
        Signal of the fat at b 0 as it would be without suppression.
    """

    signal: Array
    fat: Array


@dataclass(frozen=True, eq=False)
class Texture:
    """Smooth variation inside tissues: two fields of unit variance on a grid, one for signal, one for D."""

    signal: Array
    diffusion: Array

    def in_sub_slices(self, count: int) -> Texture:
        """The same on the grid of sub-slices, constant through each slice."""
        return Texture(np.repeat(self.signal, count, axis=0), np.repeat(self.diffusion, count, axis=0))


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
) -> Painted:
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
    Painted
    """
    shape = texture.signal.shape
    voxels = np.zeros((len(b_values) + 1, texture.signal.size), np.float32)  # fat is the last
    for layer in layers:
        tissue = tissues[layer.tissue]
        coverage = layer.coverage.ravel()
        inside = np.flatnonzero(coverage)
        where, coverage = _places(inside, layer.box, shape), coverage[inside]
        signal, diffusion = texture.signal.ravel()[where], texture.diffusion.ravel()[where]
        parts = _textured(tissue, signal, diffusion, b_values, echo_time_ms)
        bright = tissue.fat * FAT_DENSITY * np.exp(-echo_time_ms / tissue.t2_ms)
        for volume, part in zip(voxels, (*parts, np.full_like(signal, bright)), strict=True):
            under = volume[where]
            volume[where] = under + coverage * (part - under)
    volumes = voxels.reshape(-1, *shape)
    return Painted(volumes[:-1], volumes[-1])


def _places(inside: Array, box: Box, shape: tuple[int, ...]) -> Array:
    """Of voxels counted within a box, the places among all voxels."""
    slices, rows, columns = (range(size)[part] for size, part in zip(shape, box, strict=True))
    line, column = np.divmod(inside, len(columns))
    starts = (np.array(slices)[:, None] * shape[1] + np.array(rows)) * shape[2] + columns.start
    return np.asarray(starts.ravel()[line] + column)


def _textured(
    tissue: Tissue, signal: Array, diffusion: Array, b_values: Sequence[float], echo_time_ms: float
) -> Iterator[Array]:
    """A tissue's signal at every b-value where its texture has these values; perfusion does not vary."""
    relative, f = np.float32(tissue.texture), np.float32(tissue.perfusion)
    unweighted = np.float32(tissue_signal(tissue, b_value=0, echo_time_ms=echo_time_ms))
    density = unweighted * (1 + relative * signal)
    d = np.float32(ADC_UNIT * tissue.diffusion) * (1 + relative * diffusion)
    for b_value in b_values:
        if not b_value:
            yield density
            continue
        decay = np.exp(np.float32(-b_value) * d)
        if f:
            decay = (1 - f) * decay + f * np.float32(np.exp(-b_value * ADC_UNIT * PSEUDO_DIFFUSION))
        yield density * decay


def _field(rng: np.random.Generator, geometry: Geometry) -> Array:
    lattice = rng.standard_normal((_LATTICE_SIZE,) * 3, dtype=np.float32)
    smooth = ndimage.gaussian_filter(lattice, 1.0, mode="wrap", truncate=3)
    lattice = smooth / smooth.std() + np.float32(_FINE) * lattice
    lattice /= lattice.std()
    lattice_affine = np.diag([_LATTICE_MM, _LATTICE_MM, _LATTICE_MM, 1.0])
    field = sampled(lattice, Geometry(lattice.shape, lattice_affine), geometry, periodic=True)
    return np.clip(field, -_TEXTURE_LIMIT, _TEXTURE_LIMIT)
