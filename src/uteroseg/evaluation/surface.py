"""Distances between the surfaces of two masks.

A mask's surface passes between its voxels: through every block of 2 × 2 × 2 voxels that holds both foreground
and background. The block's pattern decides the area of its piece of surface (marching cubes), its centre the
place. Distances are between these centres, and every share, percentile and mean is weighted with the areas.

References
----------
Nikolov S et al., J Med Internet Res 2021;23:e26151: surface DSC (NSD) and this surface; their program is
`surface-distance` (DeepMind, Apache-2.0), which the tests compare with.
Lorensen WE, Cline HE, Computer Graphics 1987;21:163–169: marching cubes.
Taha AA, Hanbury A, BMC Medical Imaging 2015;15:29: Hausdorff distance, its quantiles and average distances.
Maier-Hein L et al., Metrics Reloaded, Nature Methods 2024;21:195–212: HD95, ASSD, NSD.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
from scipy import ndimage

from uteroseg.imaging.geometry import Array

ROUNDING_MM = 1e-5
"""A distance counts as within the tolerance up to this much above it: a row spacing of 2.0000001 mm in a
file's header must not take a surface that is one voxel off out of a tolerance of 2 mm."""

_ROUNDING_SHARE = 1e-9
"""The same for the share of the area at which a percentile is reached: 19 of 20 equal pieces are 95 %,
whatever the sum of their areas is rounded to."""

_BLOCK = tuple(product((0, 1), repeat=3))
"""Voxels of a block; the first has the highest bit of the block's code, 7, the last bit 0."""

_TRIANGLES: dict[int, tuple[tuple[int, int, int], ...]] = {
    0b00000001: ((1, 1, 1),),
    0b00000011: ((2, 2, 0), (2, 2, 0)),
    0b00000110: ((1, 1, 1), (1, 1, 1)),
    0b00000111: ((4, 0, 0), (2, 2, 2), (1, 1, 1)),
    0b00001111: ((4, 0, 0), (4, 0, 0)),
    0b00010110: ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
    0b00010111: ((2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
    0b00011000: ((1, 1, 1), (1, 1, 1)),
    0b00011001: ((0, 2, 2), (0, 2, 2), (1, 1, 1)),
    0b00011011: ((3, 3, 3), (0, 2, 2), (2, 0, 2), (1, 1, 1)),
    0b00011110: ((4, 0, 0), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
    0b00111100: ((2, 2, 0), (2, 2, 0), (2, 2, 0), (2, 2, 0)),
    0b01101001: ((1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
}
"""The triangles of marching cubes for each pattern of a block: the magnitude of a triangle's normal along
each axis, in eighths, as long as the triangle is large when voxels are cubes of side 1. A block that is
turned, mirrored or has foreground and background exchanged has the same triangles, so 13 patterns stand for
all 254 that a surface passes through."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Pieces of two surfaces, each with its area and its distance to the other surface.

    Parameters
    ----------
    to_truth : ndarray, shape (pieces of the prediction's surface,)
        Distance of each piece of the prediction's surface to the nearest of the truth's, mm.
    predicted_areas : ndarray, same shape
        Areas of these pieces, mm².
    to_prediction : ndarray, shape (pieces of the truth's surface,)
        Distance of each piece of the truth's surface to the nearest of the prediction's, mm.
    true_areas : ndarray, same shape
        Areas of these pieces, mm².
    """

    to_truth: Array
    predicted_areas: Array
    to_prediction: Array
    true_areas: Array

    @classmethod
    def between(
        cls, prediction: Array, truth: Array, spacing_mm: tuple[float, float, float]
    ) -> SurfaceDistances:
        """Measure two boolean arrays of one shape, 3-D; what lies outside them is background.

        Raises
        ------
        ValueError
            If an array holds nothing and so has no surface.
        """
        if not prediction.any() or not truth.any():
            raise ValueError("an empty mask has no surface; the rule for empty masks decides")
        areas = _areas(spacing_mm)
        predicted_codes, true_codes = _codes(prediction), _codes(truth)
        predicted_surface, true_surface = _mixed(predicted_codes), _mixed(true_codes)
        return cls(
            to_truth=_distances(predicted_surface, true_surface, spacing_mm),
            predicted_areas=areas[predicted_codes[predicted_surface]],
            to_prediction=_distances(true_surface, predicted_surface, spacing_mm),
            true_areas=areas[true_codes[true_surface]],
        )

    @property
    def hd95_mm(self) -> float:
        """95th percentile of the Hausdorff distance, mm.

        The larger of the two directed distances within which 95 % of a surface's area lies from the other.
        """
        return max(
            _percentile(self.to_truth, self.predicted_areas, 0.95),
            _percentile(self.to_prediction, self.true_areas, 0.95),
        )

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance, mm: the mean over the area of both surfaces together."""
        total = (self.to_truth * self.predicted_areas).sum() + (self.to_prediction * self.true_areas).sum()
        return float(total / (self.predicted_areas.sum() + self.true_areas.sum()))

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface distance (surface DSC), 0 to 1.

        The share of the area of both surfaces that lies within the tolerance (mm) of the other surface.

        Raises
        ------
        ValueError
            If the tolerance is negative or not finite.
        """
        if not (np.isfinite(tolerance_mm) and tolerance_mm >= 0):
            raise ValueError(f"a tolerance is a distance in mm, at least 0, got {tolerance_mm}")
        limit = tolerance_mm + ROUNDING_MM
        within = (
            self.predicted_areas[self.to_truth <= limit].sum()
            + self.true_areas[self.to_prediction <= limit].sum()
        )
        return float(within / (self.predicted_areas.sum() + self.true_areas.sum()))


def _codes(mask: Array) -> Array:
    """The pattern of each block of 2 × 2 × 2 voxels, a bit per voxel: uint8, one longer along each axis."""
    voxels = np.pad(mask, 1).view(np.uint8)
    slices, rows, columns = (n + 1 for n in mask.shape)
    codes = np.zeros((slices, rows, columns), np.uint8)
    for bit, (i, j, k) in enumerate(reversed(_BLOCK)):
        codes |= voxels[i : i + slices, j : j + rows, k : k + columns] << bit
    return codes


def _mixed(codes: Array) -> Array:
    """Blocks that the surface passes through."""
    return np.asarray((codes != 0) & (codes != 255))


def _distances(start: Array, end: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Distance, mm, of each piece of one surface to the nearest piece of another, shape (pieces,)."""
    nearest: Array = ndimage.distance_transform_edt(
        ~end, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    places = np.nonzero(start)
    steps = np.stack([place - axis[places] for place, axis in zip(places, nearest, strict=True)], axis=1)
    return np.asarray(np.linalg.norm(steps * spacing_mm, axis=1))


def _percentile(distances: Array, areas: Array, share: float) -> float:
    """The smallest distance within which a share of the area lies."""
    order = np.lexsort((areas, distances))
    reached = np.cumsum(areas[order])
    index = np.searchsorted(reached / reached[-1], share - _ROUNDING_SHARE)
    return float(distances[order][index])


def _areas(spacing_mm: tuple[float, float, float]) -> Array:
    """Area of the piece of surface in a block, mm², by the block's code."""
    spacing = np.asarray(spacing_mm, np.float64)
    return np.asarray(np.linalg.norm(_normals() * (spacing.prod() / spacing), axis=2).sum(axis=1))


@cache
def _normals() -> Array:
    """Magnitudes of the normals of the triangles in a block, by the block's code, shape (256, 4, 3)."""
    bits = 1 << np.arange(8)[::-1].reshape(2, 2, 2)
    normals = np.zeros((256, 4, 3))
    for pattern, triangles in _TRIANGLES.items():
        block = (pattern & bits) > 0
        for axes, steps in product(permutations(range(3)), product((1, -1), repeat=3)):
            turned = block.transpose(axes)[:: steps[0], :: steps[1], :: steps[2]]
            code = int(bits[turned].sum())
            for same in (code, 255 - code):
                normals[same, : len(triangles)] = np.array(triangles)[:, axes] / 8
    normals.setflags(write=False)
    return normals
