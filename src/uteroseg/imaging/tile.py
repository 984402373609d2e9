"""One slice as a picture: grey levels, true proportions, outlines of masks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from uteroseg.imaging.geometry import Array

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_WINDOW_PERCENTILE = 99.7


def windowed(shown: Array, whole: Array) -> Array:
    """Grey levels, 0 to 1, of a part of an image; white is the 99.7th percentile of the whole image."""
    level = max(float(np.percentile(whole, _WINDOW_PERCENTILE)), 1e-6)
    return np.asarray(np.clip(shown / level, 0, 1) ** 0.8)


def outlined_tile(
    grey: Array, outlines: Iterable[tuple[Array, Colour]], spacing: tuple[float, float], size: int
) -> Image.Image:
    """Enlarge a slice to a tile with square millimetres, outlines drawn one pixel wide.

    Parameters
    ----------
    grey : ndarray, shape (rows, columns)
        0 to 1.
    outlines : iterable of (ndarray of bool, Colour)
        Masks on the same pixels; a later one lies over an earlier one.
    spacing : tuple of float
        Between rows and between columns, mm.
    size : int
        Width and height of the tile, pixels.
    """
    height_mm, width_mm = grey.shape[0] * spacing[0], grey.shape[1] * spacing[1]
    factor = size / max(height_mm, width_mm)
    inner = (max(1, round(width_mm * factor)), max(1, round(height_mm * factor)))
    picture = Image.fromarray((grey * 255).astype(np.uint8)).resize(inner, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.convert("RGB")).copy()
    for data, colour in outlines:
        large = Image.fromarray(data.astype(np.uint8) * 255).resize(inner, Image.Resampling.BILINEAR)
        pixels[_outline(np.asarray(large) >= 128)] = colour
    tile = Image.new("RGB", (size, size))
    tile.paste(Image.fromarray(pixels), ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return tile


def _outline(inside: Array) -> Array:
    """Pixels of an area that have a neighbour, left, right, above or below, outside of it."""
    around = np.pad(inside, 1)
    enclosed = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(inside & ~enclosed)
