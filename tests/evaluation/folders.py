"""Folders of predictions for tests: each mask near the truth, in any layout."""

import numpy as np

from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.study import Mask


def near(dataset, case, *, seed=0):
    """The truth, moved and grown a little, differently in each case."""
    truth = dataset.load_mask(case)
    random = np.random.default_rng([seed, *str(case).encode()])
    moved = np.roll(truth.data, random.integers(-2, 3, 2), (1, 2))
    return Mask(moved | np.roll(moved, random.integers(0, 3), 1), truth.geometry)


def empty(mask):
    return Mask(np.zeros_like(mask.data), mask.geometry)


def write_flat(folder, dataset, cases, mask_of=near):
    """Write ``<case>.nii.gz`` for every case."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        write_mask(folder / f"{case}.nii.gz", mask_of(dataset, case))
    return folder


def write_values(path, values, geometry):
    """Write voxels as they are, mask or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, values, geometry)
    return path
