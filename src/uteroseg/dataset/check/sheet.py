"""Contact sheets: three pictures of each case with its mask, for a person to look through."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from uteroseg.dataset.check.images import CheckedImages
from uteroseg.files import write_file
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.tile import outlined_tile, windowed
from uteroseg.imaging.view import View

ROWS, COLUMNS = 6, 2
"""Cases on a sheet."""
_TILE = 220
_BAR = 20
_MASK = (0, 176, 155)
_TEXT, _ALARM = (220, 220, 220), (255, 170, 60)
_MAX_ADC = 3.0


def strip(case: str, images: CheckedImages, mask: Array | None, checks: Sequence[str]) -> bytes:
    """One case as PNG: lowest b, highest b and ADC in the slice with most mask, and what was found.

    Parameters
    ----------
    case : str
    images : CheckedImages
    mask : ndarray of bool, optional
        On the images' grid.
    checks : sequence of str
        What was found, by name.
    """
    picture = Image.new("RGB", (3 * _TILE, _TILE + _BAR))
    draw = ImageDraw.Draw(picture)
    draw.text((6, 4), case, fill=_TEXT)
    draw.text((6 + draw.textlength(case) + 12, 4), ", ".join(checks), fill=_ALARM)
    if images.signal is None or images.adc is None or images.geometry is None:
        draw.text((6, _BAR + 8), "The images cannot be shown.", fill=_ALARM)
        return _png(picture)
    area = mask.sum(axis=(1, 2)) if mask is not None else np.zeros(1)
    number = int(np.argmax(area)) if area.any() else images.geometry.shape[0] // 2
    view = View.of(images.geometry)
    outlines = [(view.turn(mask[number]), _MASK)] if mask is not None else []
    for place, (image, text) in enumerate(
        (
            (
                windowed(images.signal[0][number], images.signal[0]),
                f"b {images.b_values[0]:g}, slice {number + 1}",
            ),
            (windowed(images.signal[-1][number], images.signal[-1]), f"b {images.b_values[-1]:g}"),
            (np.clip(images.adc[number] / _MAX_ADC, 0, 1), "ADC 0 to 3"),
        )
    ):
        tile = outlined_tile(view.turn(image), outlines, view.spacing_mm, _TILE)
        ImageDraw.Draw(tile).text((5, 3), text, fill=_TEXT)
        picture.paste(tile, (place * _TILE, _BAR))
    return _png(picture)


def write_sheets(strips: Iterable[bytes], folder: Path) -> list[Path]:
    """Write strips on numbered sheets, ``sheet-001.png`` …; memory holds one sheet at a time."""
    written: list[Path] = []
    page: list[bytes] = []
    for one in strips:
        page.append(one)
        if len(page) == ROWS * COLUMNS:
            written.append(_write_sheet(page, folder, len(written) + 1))
            page = []
    if page:
        written.append(_write_sheet(page, folder, len(written) + 1))
    return written


def _write_sheet(page: Sequence[bytes], folder: Path, number: int) -> Path:
    rows = min(ROWS, len(page))
    columns = -(-len(page) // rows)
    width, height = 3 * _TILE + 10, _TILE + _BAR + 6
    sheet = Image.new("RGB", (columns * width, rows * height), (40, 40, 40))
    for place, one in enumerate(page):
        sheet.paste(Image.open(io.BytesIO(one)), (place // rows * width, place % rows * height))
    path = folder / f"sheet-{number:03d}.png"
    write_file(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return path


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1)
    return stream.getvalue()
