"""What echo-planar imaging does to an image: distortion near gas, shifted fat, Nyquist ghosts, motion.

Phase encoding is the last axis. The mask is distorted with the image, for annotators draw on what they see.

References
----------
Field of a susceptibility distribution: Marques JP, Bowtell R, Concepts Magn Reson B 2005;25B:65–78.
Distortion and its Jacobian: Jezzard P, Balaban RS, Magn Reson Med 1995;34:65–73.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.diffusion import ADC_UNIT
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.anatomy import layers
from uteroseg.phantom.grids import sampled
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.shapes import box_of
from uteroseg.phantom.signal import Painted

GAS_PPM = 9.4
"""Susceptibility of gas less that of tissue, ppm."""
FAT_PPM = -3.4
"""Chemical shift of the main peak of fat from water, ppm."""
FAT_ADC = 0.15
"""ADC of fat, 10⁻³ mm²/s."""

_FIELD_GRID = Geometry(
    (64, 64, 64), np.array([[0, 0, 4, -126], [0, 4, 0, -126], [4, 0, 0, -106], [0, 0, 0, 1.0]])
)
"""Slices, rows and columns along z, y and x (LPS, mm): 256 mm around the uterus."""
_FIELD_BLUR = 0.8  # of the field's grid, standard deviation in its voxels: its steps are none of the field's
_SHIM_MM = 90.0
_SHORTEST_SHIFT = 0.05
_LARGEST_STRAIN = 0.08  # pixels per pixel
_LEAST_DENSITY = 0.25  # voxels that less tissue was moved to show nothing


@dataclass(frozen=True)
class PixelMotion:
    """A shift (pixels) and rotation (radians) in plane."""

    rows: float
    columns: float
    angle: float


@dataclass(frozen=True)
class Drawn:
    """What one patient gets of each artefact (as in ``Artefacts``), and the motion of every image."""

    distortion: float
    fat_residue: float
    ghost: float
    motions: tuple[PixelMotion, ...]


def draw_artefacts(rng: np.random.Generator, acquisition: Acquisition) -> Drawn:
    """Draw a patient's artefacts; the first image, in which the mask lies, does not move."""
    limits = acquisition.artefacts
    distortion, fat, ghost = rng.uniform([0.4, 0.1, 0.1], 1)
    step = np.array([limits.motion_mm / acquisition.spacing_mm] * 2 + [np.radians(limits.motion_deg)])
    motions = [PixelMotion(*(step * rng.normal(size=3))) for _ in acquisition.b_values[1:]]
    return Drawn(
        limits.distortion * distortion,
        limits.fat_residue * fat,
        limits.ghost * ghost,
        (PixelMotion(0, 0, 0), *motions),
    )


def distortion(organs: Sequence[Organ], geometry: Geometry, acquisition: Acquisition, drawn: Drawn) -> Array:
    """Shift along phase encoding, in pixels, that the field around gas causes on a grid."""
    if not drawn.distortion:
        return np.zeros(geometry.shape, np.float32)
    strength = np.float32(drawn.distortion * acquisition.pixels_per_ppm)
    return np.asarray(strength * gas_field(organs, geometry))


def with_artefacts(
    clean: Painted, covered: Array, shift: Array, acquisition: Acquisition, drawn: Drawn
) -> tuple[Array, Array]:
    """The images with motion, distortion, shifted fat and ghost; and what the mask becomes.

    Parameters
    ----------
    clean : Painted
        On the grid of the slices, coil sensitivity included.
    covered : ndarray, shape (slices, rows, columns)
        Share of the tumour in every voxel, 0–1.
    shift : ndarray, shape (slices, rows, columns)
        From ``distortion``.
    acquisition : Acquisition
    drawn : Drawn

    Returns
    -------
    images : ndarray of float32, shape (b-values, slices, rows, columns)
    covered : ndarray of float32, shape (slices, rows, columns)
        Share of the tumour in what every voxel shows after distortion, 0–1.
    """
    still = np.concatenate([moved(clean.signal, drawn.motions), covered[None], np.ones_like(covered[None])])
    *images, share, density = pushed(still, shift)
    image = np.stack(images)
    if drawn.fat_residue:
        fat = pushed(*_wrapped(clean.fat, shift, FAT_PPM * acquisition.pixels_per_ppm))[0]
        fat *= np.float32(drawn.fat_residue)
        for volume, b_value in zip(image, acquisition.b_values, strict=True):
            volume += fat * np.float32(np.exp(-b_value * ADC_UNIT * FAT_ADC))
    return with_ghost(image, drawn.ghost), share / np.maximum(density, np.float32(_LEAST_DENSITY))


def _wrapped(fat: Array, shift: Array, pixels: float) -> tuple[Array, Array]:
    """Fat moved by whole pixels, and the shift that is left: what leaves on one side enters on the other."""
    whole = round(pixels)
    return np.roll(fat, whole, axis=-1)[None], np.roll(shift, whole, axis=-1) + np.float32(pixels - whole)


def gas_field(organs: Sequence[Organ], geometry: Geometry) -> Array:
    """Field of the gas in the bowel after a linear shim, in ppm of the main field.

    Parameters
    ----------
    organs : sequence of Organ
        In order; what lies over gas takes its place.
    geometry : Geometry
        Where the field is wanted.
    """
    gas = _gas(organs)
    if not gas.any():
        return np.zeros(geometry.shape, np.float32)
    field = _dipole_field(gas) * np.float32(GAS_PPM)
    field -= _linear_trend(field)
    return sampled(field, _FIELD_GRID, geometry)


def _gas(organs: Sequence[Organ]) -> Array:
    """Share of gas in the voxels of the field's grid."""
    gas = np.zeros(_FIELD_GRID.shape, np.float32)
    sources = [organ.shape.bounds() for organ in organs if organ.tissue == "gas"]
    for organ in organs:
        low, high = organ.shape.bounds()
        if not any((low < end).all() and (start < high).all() for start, end in sources):
            continue
        box = box_of(_FIELD_GRID, (low, high))
        if box is None or (organ.tissue != "gas" and not gas[box].any()):
            continue
        for layer in layers((organ,), _FIELD_GRID):
            gas[layer.box] *= 1 - layer.coverage
            if layer.tissue == "gas":
                gas[layer.box] += layer.coverage
    return gas


def _dipole_field(susceptibility: Array) -> Array:
    """Relative field of a distribution (z, y, x); the main field is along z."""
    kz, ky, kx = (
        np.fft.fftfreq(n).astype(np.float32).reshape(shape)
        for n, shape in zip(susceptibility.shape, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True)
    )
    square = kz**2 + ky**2 + kx**2
    square[0, 0, 0] = 1
    kernel = np.float32(1 / 3) - kz**2 / square
    kernel[0, 0, 0] = 0
    kernel *= np.exp(-2 * (np.pi * _FIELD_BLUR) ** 2 * square)
    half = kernel[..., : susceptibility.shape[2] // 2 + 1]
    return np.fft.irfftn(np.fft.rfftn(susceptibility) * half, susceptibility.shape, axes=(0, 1, 2)).astype(
        np.float32
    )


def _linear_trend(field: Array) -> Array:
    """The linear shim's answer to a field: fitted in a ball in the middle."""
    z, y, x = (np.float32(4) * (i - np.float32(31.5)) for i in np.ogrid[:64, :64, :64])
    inside = z**2 + y**2 + x**2 < _SHIM_MM**2
    trend = np.full(field.shape, field[inside].mean(), np.float32)
    for axis in (z, y, x):
        weight = np.where(inside, axis, 0)
        trend += axis * (float((weight * field).sum()) / float((weight**2).sum()))
    return trend


def pushed(images: Array, shift: Array) -> Array:
    """Move signal along phase encoding; where it piles up it is brighter, where it spreads darker (Jacobian).

    Parameters
    ----------
    images : ndarray, shape (n, slices, rows, columns)
    shift : ndarray, shape (slices, rows, columns)
        Pixels.

    Returns
    -------
    ndarray of float32
        What is pushed beyond the border is lost.
    """
    result = np.array(images, np.float32)
    shifts = shift.reshape(-1, shift.shape[-1])
    moves = np.abs(shifts).max(axis=1) > _SHORTEST_SHIFT
    strains = np.abs(np.diff(shifts, axis=1)).max(axis=1) > _LARGEST_STRAIN
    for lines, pieces in ((moves & ~strains, 1), (moves & strains, 2)):
        (chosen,) = np.nonzero(lines)
        if chosen.size:
            _push_lines(result, shifts[chosen], chosen, pieces)
    return result


def _push_lines(images: Array, shifts: Array, lines: Array, pieces: int) -> None:
    """Push some lines of pixels, each pixel cut into so many pieces, of which each falls into two pixels."""
    columns = shifts.shape[1]
    low, high = _moved_pieces(shifts, pieces)
    first = np.floor(low)
    share = np.minimum((first + 1 - low) / (high - low), 1) / pieces
    # a pixel on either side of each line takes what is pushed beyond it
    start = np.arange(lines.size, dtype=np.int32)[:, None] * np.int32(columns + 2) + 1
    place = np.clip(first, -1, columns).astype(np.int32)
    beside = start + np.clip(first + 1, -1, columns).astype(np.int32)
    bins, beside = (start + place).ravel(), beside.ravel()
    size = lines.size * (columns + 2)
    for image in images:
        line = image.reshape(-1, columns)
        signal = np.repeat(line[lines], pieces, axis=1)
        here = signal * share
        there = signal / np.float32(pieces) - here
        total = np.bincount(bins, here.ravel(), size) + np.bincount(beside, there.ravel(), size)
        line[lines] = total.reshape(-1, columns + 2)[:, 1:-1]


def _moved_pieces(shifts: Array, pieces: int) -> tuple[Array, Array]:
    """Both ends of every piece of a pixel after the shift, in pixels from the first one's edge."""
    columns = shifts.shape[1]
    edges = np.empty((shifts.shape[0], pieces * columns + 1), np.float32)
    edges[:, pieces:-1:pieces] = (shifts[:, 1:] + shifts[:, :-1]) / 2
    edges[:, 0], edges[:, -1] = shifts[:, 0], shifts[:, -1]
    if pieces == 2:
        edges[:, 1::2] = shifts
    edges += np.arange(pieces * columns + 1, dtype=np.float32) / np.float32(pieces)
    low = np.minimum(edges[:, :-1], edges[:, 1:])
    return low, np.maximum(np.maximum(edges[:, :-1], edges[:, 1:]), low + np.float32(1e-3))


def with_ghost(images: Array, level: float) -> Array:
    """Add the Nyquist ghost: the image again, fainter, half a field of view away."""
    if not level:
        return images
    return np.asarray(images + np.float32(level) * np.roll(images, images.shape[-1] // 2, axis=-1))


def moved(images: Array, motions: Sequence[PixelMotion]) -> Array:
    """Every image where the patient lies in it; interpolation softens it, as averaging moving images does."""
    result = np.array(images)
    for image, motion in zip(result, motions, strict=True):
        if motion != PixelMotion(0, 0, 0):
            image[:] = _displaced(image, motion)
    return result


def _displaced(image: Array, motion: PixelMotion) -> Array:
    """A stack after a motion: linear interpolation, the same for every slice; the border goes on outside."""
    rows, columns = image.shape[-2:]
    y, x = np.ogrid[:rows, :columns]
    y, x = y - (rows - 1) / 2 - motion.rows, x - (columns - 1) / 2 - motion.columns
    c, s = np.cos(motion.angle), np.sin(motion.angle)
    row = np.clip(c * y + s * x + (rows - 1) / 2, 0, rows - 1 - 1e-6).ravel()
    column = np.clip(c * x - s * y + (columns - 1) / 2, 0, columns - 1 - 1e-6).ravel()
    low_row, low_column = row.astype(np.int32), column.astype(np.int32)
    below, right = (row - low_row).astype(np.float32), (column - low_column).astype(np.float32)
    flat = image.reshape(len(image), -1)
    first = low_row * np.int32(columns) + low_column
    total = flat[:, first] * ((1 - below) * (1 - right))
    total += flat[:, first + 1] * ((1 - below) * right)
    total += flat[:, first + columns] * (below * (1 - right))
    total += flat[:, first + columns + 1] * (below * right)
    return np.asarray(total.reshape(image.shape))
