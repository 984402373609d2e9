"""How well a mask survives being moved from T2 to DWI: DSC with the same shape drawn on the DWI itself.

    python benchmarks/resample.py > resample.json

Twelve shapes of balls, drawn on a T2 of 0.7 × 0.7 × 4 mm and moved to grids of 1.6 mm pixels: with the same
slices, with others in parallel (4.5 mm), across, and oblique.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._common import machine, versions
from tests.grids import grid

from uteroseg.evaluation.metrics import dice
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.resample import resample_mask
from uteroseg.imaging.study import Mask

Shape = Callable[[Array], Array]


def main() -> None:
    """Print the mean DSC for each kind of target grid."""
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {}
    for _ in range(12):
        inside, offset = shape(rng), rng.uniform(-2, 2, 3)
        t2 = centred("sagittal", (20, 120, 120), (4.0, 0.7, 0.7), np.zeros(3))
        targets = {
            "same_slices": centred("sagittal", (20, 60, 60), (4.0, 1.6, 1.6), offset * (0, 1, 1)),
            "other_slices": centred("sagittal", (20, 60, 60), (4.5, 1.6, 1.6), offset),
            "across": centred("axial", (24, 60, 60), (4.0, 1.6, 1.6), offset),
            "oblique": centred("oblique", (24, 60, 60), (4.0, 1.6, 1.6), offset),
        }
        drawn = Mask(drawn_on(t2, inside), t2)
        for name, target in targets.items():
            found.setdefault(name, []).append(
                dice(resample_mask(drawn, target).data, drawn_on(target, inside))
            )
    means = {name: round(float(np.mean(several)), 4) for name, several in found.items()}
    print(
        json.dumps({"dsc": means, "runs": 12, "machine": machine(), "versions": versions("scipy")}, indent=2)
    )


def shape(rng: np.random.Generator) -> Shape:
    """Six balls that grow into each other, stretched."""
    centres, radii, stretched = rng.uniform(-10, 10, (6, 3)), rng.uniform(6, 13, 6), rng.uniform(0.7, 1.4, 3)

    def inside(points: Array) -> Array:
        distances = [
            np.linalg.norm((points - centre) * stretched, axis=-1) - radius
            for centre, radius in zip(centres, radii, strict=True)
        ]
        return np.asarray(np.min(distances, axis=0) < 0)

    return inside


def centred(
    name: str, size: tuple[int, int, int], spacing: tuple[float, float, float], at: Array
) -> Geometry:
    """A grid of this orientation whose middle lies at a place."""
    made = grid(name, size, spacing)
    affine = made.affine.copy()
    affine[:3, 3] += at - made.to_patient((np.array(size) - 1) / 2)
    return Geometry(size, affine)


def drawn_on(geometry: Geometry, inside: Shape) -> Array:
    """The voxels whose centres lie in a shape."""
    return inside(geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1)))


if __name__ == "__main__":
    main()
