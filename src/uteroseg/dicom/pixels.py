"""Decode the pixels of image planes and bring them to comparable numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pydicom

from uteroseg.dicom.frames import Frame
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array


def rescaled(frames: Iterable[Frame], *, comparable: bool) -> Iterator[tuple[Frame, Array]]:
    """Decode frames file by file.

    Parameters
    ----------
    frames : iterable of Frame
    comparable : bool
        True for b images: Philips rescaled values are divided by ``slope × scale slope`` (2005,100E), which
        makes signal comparable between images of different slopes. False for maps, whose rescaled values
        have a unit.

    Yields
    ------
    frame : Frame
        In the order of files, not of the input.
    image : ndarray of float32, shape (rows, columns)
        ``stored × slope + intercept`` (PS3.3 C.11.1).

    Raises
    ------
    UserError
        If a file cannot be decoded or is truncated.
    """
    by_file: dict[Path, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_file[frame.file].append(frame)
    for path, wanted in by_file.items():
        stored = _decode(path)
        for frame in wanted:
            image = _plane(stored, frame).astype(np.float32)
            if (frame.slope, frame.intercept) != (1.0, 0.0):
                image = image * np.float32(frame.slope) + np.float32(frame.intercept)
            if comparable and frame.scale_slope is not None:
                image = image / np.float32(frame.slope * frame.scale_slope)
            yield frame, image


def _decode(path: Path) -> Array:
    try:
        dataset = pydicom.dcmread(path, force=True)
        return dataset.pixel_array
    except Exception as error:  # decoders of every transfer syntax raise what they like
        raise UserError(
            f"{path}: its pixels cannot be read ({' '.join(str(error).split())}).",
            expected="a whole DICOM image.",
            fix="copy or export the file again.",
        ) from error


def _plane(stored: Array, frame: Frame) -> Array:
    shape = (frame.rows, frame.columns)
    plane = stored if stored.ndim == 2 else stored[frame.index] if frame.index < len(stored) else None
    if plane is None or plane.shape != shape:
        raise UserError(
            f"{frame.file}: its pixels have the shape {stored.shape}.",
            expected=f"grey images of {shape[0]}×{shape[1]} pixels, as its header says.",
            fix="copy or export the file again.",
        )
    return plane
