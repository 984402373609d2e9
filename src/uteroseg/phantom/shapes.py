"""Implicit shapes in patient coordinates: free of resolution, sampled on any grid.

A shape answers with the approximate signed distance to its surface in mm, negative inside. Coordinates are
three arrays (x, y, z; LPS, mm) that broadcast together, so that grids along the axes stay cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry

Points = tuple[Array, Array, Array]
Box = tuple[slice, slice, slice]
Bounds = tuple[Array, Array]


class Shape(Protocol):
    """Something with a surface."""

    def bounds(self) -> Bounds:
        """Lowest and highest corner (LPS, mm) of a box around the shape."""

    def distance(self, points: Points) -> Array:
        """Approximate signed distance to the surface, mm, negative inside."""


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid, or a pear where it tapers.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        LPS, mm.
    radii : ndarray, shape (3,)
        Along the shape's own axes, mm.
    axes : ndarray, shape (3, 3)
        Its axes as rows, orthonormal.
    taper : float
        How much narrower the first axis is at the low end of the third than at the high end (0–0.8).

    References
    ----------
    Distance: https://iquilezles.org/articles/ellipsoids (first order, exact on the surface).
    """

    centre: Array
    radii: Array
    axes: Array | None = None
    taper: float = 0.0

    def bounds(self) -> Bounds:
        """Box around the ellipsoid."""
        axes = np.eye(3) if self.axes is None else self.axes
        half = np.sqrt(((axes * np.asarray(self.radii)[:, None]) ** 2).sum(axis=0)) * (1 + self.taper / 3)
        return np.asarray(self.centre) - half, np.asarray(self.centre) + half

    def distance(self, points: Points) -> Array:
        """Signed distance, exact on the surface and to first order beside it."""
        u, v, w = _local(points, self.centre, self.axes)
        a, b, c = (np.float32(radius) for radius in self.radii)
        if self.taper:
            u = u / np.clip(1 + np.float32(self.taper) * (w / c) / 2, 0.3, 1.6)
        uu, vv, ww = (u / a) ** 2, (v / b) ** 2, (w / c) ** 2
        k0 = np.sqrt(uu + vv + ww)
        k1 = np.sqrt(uu / a**2 + vv / b**2 + ww / c**2) + np.float32(1e-6)
        # beside the edge of a flat one the first order falls short: at least as far as its box
        box = np.maximum(np.maximum(np.abs(u) - a, np.abs(v) - b), np.abs(w) - c)
        return np.asarray(np.maximum(k0 * (k0 - 1) / k1, box))


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube of varying radius along a line, flattened from front to back if wanted.

    Parameters
    ----------
    line : ndarray, shape (n, 3)
        LPS, mm.
    radii : ndarray, shape (n,)
        mm.
    flatness : float
        Ratio of the width (x) to the depth (y).
    """

    line: Array
    radii: Array
    flatness: float = 1.0

    def bounds(self) -> Bounds:
        """Box around the tube."""
        reach = np.max(self.radii) * np.array([self.flatness, 1, 1])
        return self.line.min(axis=0) - reach, self.line.max(axis=0) + reach

    def distance(self, points: Points) -> Array:
        """Signed distance to the nearest piece, radii interpolated along it."""
        squeeze = np.float32(1 / self.flatness)
        x, y, z = points[0] * squeeze, points[1], points[2]
        line = (self.line * [squeeze, 1, 1]).astype(np.float32)
        nearest: Array | None = None
        for start, end, r0, r1 in zip(line, line[1:], self.radii, self.radii[1:], strict=False):
            px, py, pz = x - start[0], y - start[1], z - start[2]
            d = end - start
            along = np.clip((px * d[0] + py * d[1] + pz * d[2]) / np.float32(d @ d + 1e-9), 0, 1)
            away = np.sqrt((px - along * d[0]) ** 2 + (py - along * d[1]) ** 2 + (pz - along * d[2]) ** 2)
            piece = away - (np.float32(r0) + along * np.float32(r1 - r0))
            nearest = piece if nearest is None else np.minimum(nearest, piece)
        assert nearest is not None
        return nearest


@dataclass(frozen=True, eq=False)
class Waves:
    """Smooth noise of unit variance and any resolution: a sum of plane waves in random directions.

    Parameters
    ----------
    vectors : ndarray, shape (n, 3)
        Wave vectors, rad/mm.
    phases : ndarray, shape (n,)
        rad.
    """

    vectors: Array
    phases: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, *, length_mm: float, count: int = 8) -> Waves:
        """Draw waves of lengths from 0.7 to 1.8 times the given one (mm)."""
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = length_mm * rng.uniform(0.7, 1.8, size=(count, 1))
        return cls(2 * np.pi * directions / lengths, rng.uniform(0, 2 * np.pi, count))

    def at(self, points: Points) -> Array:
        """Value at points; its standard deviation over space is 1."""
        vectors, phases = self.vectors.astype(np.float32), self.phases.astype(np.float32)
        scale = np.float32(np.sqrt(2 / len(phases)))
        if all(p.ndim == 3 and max(p.shape) == p.size for p in points) and _apart(points):
            return scale * _separable_waves(points, vectors, phases)
        total = np.float32(0)
        for vector, phase in zip(vectors, phases, strict=True):
            total = total + np.cos(
                vector[0] * points[0] + (vector[1] * points[1] + (vector[2] * points[2] + phase))
            )
        return np.asarray(total * scale)


@dataclass(frozen=True, eq=False)
class Rough:
    """A shape whose surface is pushed in and out by smooth noise of a given amplitude (mm)."""

    shape: Shape
    waves: Waves
    amplitude_mm: float

    def bounds(self) -> Bounds:
        """Box around the shape and its bulges."""
        low, high = self.shape.bounds()
        return low - 2 * self.amplitude_mm, high + 2 * self.amplitude_mm

    def distance(self, points: Points) -> Array:
        """Signed distance, perturbed."""
        return np.asarray(self.shape.distance(points) + np.float32(self.amplitude_mm) * self.waves.at(points))


@dataclass(frozen=True, eq=False)
class Grown:
    """A shape grown (positive) or shrunk (negative) by a margin in mm."""

    shape: Shape
    margin_mm: float

    def bounds(self) -> Bounds:
        """Box around the grown shape."""
        low, high = self.shape.bounds()
        return low - self.margin_mm, high + self.margin_mm

    def distance(self, points: Points) -> Array:
        """Signed distance, less the margin."""
        return np.asarray(self.shape.distance(points) - np.float32(self.margin_mm))


@dataclass(frozen=True, eq=False)
class Without:
    """A shape as far as it lies outside another."""

    shape: Shape
    other: Shape

    def bounds(self) -> Bounds:
        """Box around the first shape."""
        return self.shape.bounds()

    def distance(self, points: Points) -> Array:
        """Difference of the two."""
        return np.asarray(np.maximum(self.shape.distance(points), -self.other.distance(points)))


@dataclass(frozen=True, eq=False)
class Union:
    """Shapes melted together over a few mm."""

    shapes: tuple[Shape, ...]
    blend_mm: float = 4.0

    def bounds(self) -> Bounds:
        """Box around all of them."""
        lows, highs = zip(*(shape.bounds() for shape in self.shapes), strict=True)
        return np.min(lows, axis=0) - self.blend_mm / 4, np.max(highs, axis=0) + self.blend_mm / 4

    def distance(self, points: Points) -> Array:
        """Polynomial smooth minimum of the distances."""
        total = self.shapes[0].distance(points)
        for shape in self.shapes[1:]:
            other = shape.distance(points)
            overlap = np.maximum(self.blend_mm - np.abs(total - other), 0) / np.float32(self.blend_mm)
            total = np.minimum(total, other) - overlap**2 * np.float32(self.blend_mm / 4)
        return total


def box_of(geometry: Geometry, bounds: Bounds, *, margin_mm: float = 3.0) -> Box | None:
    """The part of a grid that holds a shape's bounds, or None where they miss each other."""
    to_index = np.linalg.inv(geometry.affine)
    middle = to_index[:3, :3] @ (bounds[0] + bounds[1]) / 2 + to_index[:3, 3]
    reach = np.abs(to_index[:3, :3]) @ ((bounds[1] - bounds[0]) / 2 + margin_mm)
    starts = np.maximum(np.floor(middle - reach).astype(int), 0)
    stops = np.minimum(np.ceil(middle + reach).astype(int) + 1, geometry.shape)
    if (starts >= stops).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True))  # type: ignore[return-value]


def points_in(geometry: Geometry, box: Box) -> Points:
    """Patient coordinates of a box's voxels: three arrays that broadcast, thin where they can be."""
    indices = np.ogrid[box]
    coordinates: list[Array] = []
    for axis in range(3):
        value = np.full((1, 1, 1), geometry.affine[axis, 3], np.float32)
        for index, factor in zip(indices, geometry.affine[axis, :3], strict=True):
            if factor:
                value = value + index.astype(np.float32) * np.float32(factor)
        coordinates.append(value)
    return coordinates[0], coordinates[1], coordinates[2]


def _apart(points: Points) -> bool:
    """Whether the coordinates run along different axes of the grid."""
    axes = [int(np.argmax(p.shape)) for p in points]
    return len(set(axes)) == 3


def _separable_waves(points: Points, vectors: Array, phases: Array) -> Array:
    """Sum of cos(k · p + φ) on a grid along the axes, as a product of matrices: many times faster."""
    axes = [int(np.argmax(p.shape)) for p in points]
    waves = [
        np.exp(1j * np.outer(v, p.ravel())).astype(np.complex64)
        for v, p in zip(vectors.T, points, strict=True)
    ]
    waves[0] *= np.exp(1j * phases)[:, None]
    first, second, third = (waves[axes.index(axis)] for axis in range(3))
    front = first.T[:, None, :] * second.T[None, :, :]
    pair = np.concatenate([front.real, -front.imag], axis=2).reshape(-1, 2 * len(phases))
    total = pair @ np.concatenate([third.real, third.imag])
    return total.reshape(first.shape[1], second.shape[1], third.shape[1])


def _local(points: Points, centre: Array, axes: Array | None) -> Points:
    x, y, z = (p - np.float32(c) for p, c in zip(points, centre, strict=True))
    if axes is None:
        return x, y, z
    m = np.asarray(axes, np.float32)
    u, v, w = (m[i, 0] * x + (m[i, 1] * y + m[i, 2] * z) for i in range(3))
    return u, v, w
