"""Decode the pixels of image planes and bring them to comparable numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from uteroseg.dicom.frames import Frame
from uteroseg.dicom.header import read_image
from uteroseg.dicom.scaling import require_comparable
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array


def rescaled(frames: Iterable[Frame], *, comparable: bool) -> Iterator[tuple[Frame, Array]]:
    """Decode frames file by file.

    Parameters
    ----------
    frames : iterable of Frame
    comparable : bool
        True for b images, whose signal must compare between images: see `uteroseg.dicom.scaling`. False for
        maps, whose rescaled values have a unit.

    Yields
    ------
    frame : Frame
        In the order of files, not of the input.
    image : ndarray of float32, shape (rows, columns)
        ``stored × slope + intercept`` (PS3.3 C.11.1).

    Raises
    ------
    UserError
        If a file cannot be decoded or is truncated, its Rescale Slope is none, or signal does not compare.
    """
    by_file: dict[Path, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_file[frame.file].append(frame)
    if comparable:
        require_comparable((frame.file, frame.scaling) for group in by_file.values() for frame in group)
    for path, wanted in by_file.items():
        for frame in wanted:
            _require_rescale(frame)
        for frame, stored in _decoded(path, wanted):
            yield frame, frame.scaling.apply(_plane(stored, frame), comparable=comparable)


def _require_rescale(frame: Frame) -> None:
    """Refuse a rescale that is no number, and one under which every pixel is the same."""
    scaling = frame.scaling
    if not (scaling.slope and math.isfinite(scaling.slope) and math.isfinite(scaling.intercept)):
        raise UserError(
            f"{frame.file}: its Rescale Slope and Intercept are {scaling.slope:g} and {scaling.intercept:g} "
            "(nan: they cannot be read, or a table stands in their place).",
            expected="two numbers, of which the slope is not 0.",
            fix="export the file again.",
        )


def _decoded(path: Path, wanted: list[Frame]) -> Iterator[tuple[Frame, Array]]:
    """Decode the planes of a file, of several one at a time: a long series need not fit in memory twice."""
    try:
        dataset = read_image(path)
        if "PixelData" not in dataset:  # pydicom drops compressed pixels whose end is missing
            raise EOFError("they end early or are missing")
        _complete_meta(dataset)
        if int(dataset.get("NumberOfFrames") or 1) > 1:
            indices = [frame.index for frame in wanted]
            yield from zip(wanted, iter_pixels(dataset, indices=indices), strict=True)
            return
        plane = dataset.pixel_array
        yield from ((frame, plane) for frame in wanted)
    except Exception as error:  # decoders of every transfer syntax raise what they like
        raise UserError(
            f"{path}: its pixels cannot be read ({' '.join(str(error).split())}).",
            expected="a whole DICOM image.",
            fix="copy or export the file again.",
        ) from error


def _complete_meta(dataset: Dataset) -> None:
    """Name the transfer syntax of a file without file meta information, which is always uncompressed."""
    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, _ = dataset.original_encoding
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _plane(stored: Array, frame: Frame) -> Array:
    shape = (frame.rows, frame.columns)
    plane = stored
    if frame.window is not None:
        row, column = frame.window
        plane = stored[row : row + frame.rows, column : column + frame.columns]
    if plane.shape != shape:
        raise UserError(
            f"{frame.file}: its pixels have the shape {stored.shape}.",
            expected=f"grey images of {shape[0]}×{shape[1]} pixels, as its header says.",
            fix="copy or export the file again.",
        )
    return plane
