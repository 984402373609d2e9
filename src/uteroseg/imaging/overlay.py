"""A picture of masks on the high-b image, for a person to check at a glance."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from uteroseg import RESEARCH_USE
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask
from uteroseg.imaging.tile import outlined_tile, windowed
from uteroseg.imaging.view import View

PREDICTION_COLOUR = (224, 33, 138)
TRUTH_COLOUR = (0, 176, 155)
_TILE = 300
_COLUMNS = 3
_BAR = 22


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
    grey = windowed(high_b, high_b)
    masks = [(truth, TRUTH_COLOUR), (prediction, PREDICTION_COLOUR)]
    drawn = [(mask.data, colour) for mask, colour in masks if mask is not None]
    chosen = _slices(np.any([data for data, _ in drawn], axis=0), tiles)
    pictures = []
    for number in chosen:
        outlines = [(view.turn(data[number]), colour) for data, colour in drawn]
        tile = outlined_tile(view.turn(grey[number]), outlines, view.spacing_mm, _TILE)
        ImageDraw.Draw(tile).text((6, 4), f"slice {number + 1}", fill=(200, 200, 200))
        pictures.append(tile)
    return _sheet(pictures, f"{caption} · {RESEARCH_USE}")


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file, as notebooks show it."""
    written = io.BytesIO()
    picture.save(written, format="PNG")
    return written.getvalue()


def _slices(foreground: Array, count: int) -> list[int]:
    """The slices with the largest foreground, in order; evenly spread ones where there is none."""
    area = foreground.sum(axis=(1, 2))
    if not area.any():
        return sorted({int(i) for i in np.linspace(0, len(area) - 1, count + 2)[1:-1]})
    return sorted(int(i) for i in np.argsort(-area, kind="stable")[:count] if area[i])


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
