"""A picture of masks on the high-b image, for a person to check at a glance."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from uteroseg import RESEARCH_USE
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask
from uteroseg.imaging.view import View

PREDICTION_COLOUR = (224, 33, 138)
TRUTH_COLOUR = (0, 176, 155)
_TILE = 300
_COLUMNS = 3
_BAR = 22
_WINDOW_PERCENTILE = 99.7


def overlay(
    high_b: Array, prediction: Mask, *, truth: Mask | None = None, caption: str, tiles: int = 6
) -> Image.Image:
    """Draw outlines on the slices that matter.

    Parameters
    ----------
    high_b : ndarray, shape (slices, rows, columns)
    prediction, truth : Mask
        On the same grid; drawn magenta and green.
    caption : str
        Stands under the picture, before the research-use notice.
    tiles : int
        At most this many slices: those with most mask, in their order; evenly spread where masks are empty.

    Returns
    -------
    Image
        In the usual view of the study's plane, with true proportions.
    """
    view = View.of(prediction.geometry)
    level = max(float(np.percentile(high_b, _WINDOW_PERCENTILE)), 1e-6)
    grey = np.clip(high_b / level, 0, 1) ** 0.8
    masks = [(truth, TRUTH_COLOUR), (prediction, PREDICTION_COLOUR)]
    drawn = [(mask.data, colour) for mask, colour in masks if mask is not None]
    chosen = _slices(np.any([data for data, _ in drawn], axis=0), tiles)
    pictures = []
    for number in chosen:
        outlines = [(view.turn(data[number]), colour) for data, colour in drawn]
        pictures.append(_tile(view.turn(grey[number]), outlines, view.spacing_mm, f"slice {number + 1}"))
    return _sheet(pictures, f"{caption} · {RESEARCH_USE}")


def _slices(foreground: Array, count: int) -> list[int]:
    """The slices with the largest foreground, in order; evenly spread ones where there is none."""
    area = foreground.sum(axis=(1, 2))
    if not area.any():
        return sorted({int(i) for i in np.linspace(0, len(area) - 1, count + 2)[1:-1]})
    return sorted(int(i) for i in np.argsort(-area, kind="stable")[:count] if area[i])


def _tile(
    grey: Array, outlines: list[tuple[Array, tuple[int, int, int]]], spacing: tuple[float, float], text: str
) -> Image.Image:
    """One slice, enlarged to a tile's width with square millimetres, outlines drawn one pixel wide."""
    height_mm, width_mm = grey.shape[0] * spacing[0], grey.shape[1] * spacing[1]
    factor = _TILE / max(height_mm, width_mm)
    size = (round(width_mm * factor), round(height_mm * factor))
    picture = Image.fromarray((grey * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.convert("RGB")).copy()
    for data, colour in outlines:
        large = Image.fromarray(data.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
        inside = np.asarray(large) >= 128
        pixels[_outline(inside)] = colour
    tile = Image.new("RGB", (_TILE, _TILE))
    tile.paste(Image.fromarray(pixels), ((_TILE - size[0]) // 2, (_TILE - size[1]) // 2))
    ImageDraw.Draw(tile).text((6, 4), text, fill=(200, 200, 200))
    return tile


def _outline(inside: Array) -> Array:
    """Pixels of an area that have a neighbour, left, right, above or below, outside of it."""
    around = np.pad(inside, 1)
    enclosed = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(inside & ~enclosed)


def _sheet(tiles: list[Image.Image], caption: str) -> Image.Image:
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * _TILE, rows * _TILE + _BAR * 2))
    for position, tile in enumerate(tiles):
        sheet.paste(tile, (position % columns * _TILE, position // columns * _TILE))
    _write_caption(ImageDraw.Draw(sheet), caption, width=sheet.width, top=rows * _TILE)
    return sheet


def _write_caption(draw: ImageDraw.ImageDraw, caption: str, *, width: int, top: int) -> None:
    """Write a caption on two lines where one is too narrow for it."""
    first, line = caption, ""
    while draw.textlength(first) > width - 12 and " " in first:
        first, word = first.rsplit(" ", 1)
        line = f"{word} {line}"
    draw.text((6, top + 4), first, fill=(220, 220, 220))
    draw.text((6, top + 4 + _BAR), line, fill=(220, 220, 220))
