"""Masks for tests of measures: random, tiny, touching, separate, anisotropic and degenerate ones."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask

Spacing = tuple[float, float, float]

shapes = st.tuples(*[st.integers(1, 6)] * 3)
spacings = st.tuples(*[st.floats(0.4, 6)] * 3)


@st.composite
def pairs(draw: st.DrawFn, *, filled: bool = False) -> tuple[Array, Array]:
    """Two small masks of one shape."""
    masks = hnp.arrays(np.bool_, draw(shapes))
    if filled:
        masks = masks.filter(np.any)
    return draw(masks), draw(masks)


def on_grid(data: Array, spacing: Spacing) -> Mask:
    return Mask(data, Geometry(data.shape, np.diag([*spacing, 1.0])))


def box(shape: tuple[int, int, int], *corners: tuple[int, int, int, int, int, int]) -> Array:
    """Boxes, each from one corner up to but not including the other."""
    mask = np.zeros(shape, bool)
    for a, b, c, d, e, f in corners:
        mask[a:d, b:e, c:f] = True
    return mask


def ball(radius: float, spacing: Spacing, shape: tuple[int, int, int]) -> Array:
    """A ball in the middle of the grid; radius in mm."""
    squares = [(s * (np.arange(n) - (n - 1) / 2)) ** 2 for s, n in zip(spacing, shape, strict=True)]
    return np.asarray(squares[0][:, None, None] + squares[1][:, None] + squares[2] <= radius**2)


_S = (9, 12, 11)
NAMED: dict[str, tuple[Array, Array]] = {
    "one voxel, the same": (box(_S, (4, 4, 4, 5, 5, 5)), box(_S, (4, 4, 4, 5, 5, 5))),
    "one voxel, the next": (box(_S, (4, 4, 4, 5, 5, 5)), box(_S, (4, 4, 5, 5, 5, 6))),
    "one voxel, by a corner": (box(_S, (4, 4, 4, 5, 5, 5)), box(_S, (5, 5, 5, 6, 6, 6))),
    "opposite corners": (box(_S, (0, 0, 0, 1, 1, 1)), box(_S, (8, 11, 10, 9, 12, 11))),
    "touching": (box(_S, (2, 2, 2, 5, 6, 6)), box(_S, (5, 2, 2, 8, 6, 6))),
    "one inside the other": (box(_S, (3, 3, 3, 5, 5, 5)), box(_S, (1, 1, 1, 8, 10, 9))),
    "one slice": (box(_S, (4, 1, 1, 5, 10, 9)), box(_S, (4, 3, 2, 5, 11, 11))),
    "one line": (box(_S, (4, 1, 4, 5, 11, 5)), box(_S, (4, 4, 1, 5, 5, 10))),
    "everything": (box(_S, (0, 0, 0, 9, 12, 11)), box(_S, (2, 3, 3, 5, 8, 8))),
    "several parts": (
        box(_S, (0, 0, 0, 2, 2, 2), (4, 4, 4, 7, 8, 8), (8, 10, 0, 9, 12, 3)),
        box(_S, (0, 1, 1, 3, 3, 3), (5, 4, 3, 8, 9, 8)),
    ),
    "hollow": (
        box(_S, (1, 1, 1, 8, 10, 9)) & ~box(_S, (3, 3, 3, 6, 8, 7)),
        box(_S, (1, 1, 1, 8, 10, 9)),
    ),
}
"""Predictions and truths that programs get wrong."""


def random_pairs(count: int, seed: int = 7) -> list[tuple[Array, Array, Spacing]]:
    """Dense noise, sparse noise and smooth blobs, on anisotropic grids."""
    random = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        shape = tuple(random.integers(2, 16, 3))
        spacing = tuple(random.uniform(0.4, 6, 3).tolist())
        if number % 3 < 2:
            share = (0.5, 0.03)[number % 3]
            masks = random.random((2, *shape)) < share
        else:
            points = np.moveaxis(np.indices(shape), 0, -1)
            centres = random.uniform(0.3, 0.7, (2, 3)) * shape
            radii = random.uniform(0.2, 0.5, (2, 3)) * shape
            masks = np.stack(
                [(((points - c) / r) ** 2).sum(-1) <= 1 for c, r in zip(centres, radii, strict=True)]
            )
        for mask in masks:
            mask[tuple(random.integers(shape))] = True
        cases.append((masks[0], masks[1], spacing))
    return cases
