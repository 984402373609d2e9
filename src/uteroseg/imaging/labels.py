"""What makes an image a label map: the one check, for every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

_EXACT_BELOW = 2**24  # float32, which images are read as, tells whole numbers apart below this


def label_values(image: Array, path: Path) -> list[float]:
    """The values that stand for something in a label map, ascending.

    They are whole numbers; or one number, whatever it is, in all that is not 0: a mask that was scaled.

    Raises
    ------
    UserError
        If the image is no label map.
    """
    values = np.unique(image[image != 0])
    whole = np.array_equal(values, np.rint(values)) and (np.abs(values) < _EXACT_BELOW).all()
    scaled = values.size == 1 and np.isfinite(values[0]) and (image == 0).any()
    if image.ndim != 3 or not (whole or scaled):
        raise UserError(
            f"{path} is not a mask (dimensions {image.shape}, values {values[:5]} …).",
            expected="a 3-D image of whole numbers, or of one number, and 0 for background.",
            fix="name the mask, not the image or a probability map.",
        )
    return [int(value) if whole else float(f"{value:.5g}") for value in values]
