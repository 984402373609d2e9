"""Decode the pixels of image planes and bring them to comparable numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from uteroseg.dicom.frames import Frame
from uteroseg.dicom.header import read_whole
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
        for frame, stored in _decoded(path, wanted, padded=not comparable):
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


def _decoded(path: Path, wanted: list[Frame], *, padded: bool) -> Iterator[tuple[Frame, Array]]:
    """Decode the planes of a file, of several one at a time: a long series need not fit in memory twice.

    Pixels that are declared to be padding stay with ``padded``; they are 0, no signal, otherwise.
    """
    try:
        dataset = read_whole(path)
        if "PixelData" not in dataset:  # pydicom drops compressed pixels whose end is missing
            raise EOFError("they end early or are missing")
        _complete_meta(dataset)
        _require_plain(path, dataset)
        if int(dataset.get("NumberOfFrames") or 1) > 1:
            indices = [frame.index for frame in wanted]
            for frame, plane in zip(wanted, iter_pixels(dataset, indices=indices), strict=True):
                yield frame, plane if padded else _without_padding(plane, dataset)
            return
        plane = dataset.pixel_array if padded else _without_padding(dataset.pixel_array, dataset)
        yield from ((frame, plane) for frame in wanted)
    except UserError:
        raise
    except Exception as error:  # decoders of every transfer syntax raise what they like
        raise UserError(
            f"{path}: its pixels cannot be read ({' '.join(str(error).split())}).",
            expected="a whole DICOM image.",
            fix="copy or export the file again.",
        ) from error


def _require_plain(path: Path, dataset: Dataset) -> None:
    """Refuse pixels that are not what they seem: inverted or coloured ones, bits beyond those that count.

    References
    ----------
    DICOM PS3.5 8.1.1, Pixel Data Encoding; PS3.3 C.7.6.3, Image Pixel Module.
    """
    kind = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    syntax = dataset.file_meta.TransferSyntaxUID
    stored, high = int(dataset.BitsStored), int(dataset.get("HighBit", dataset.BitsStored - 1))
    problem = ""
    if kind != "MONOCHROME2":
        problem = f"Photometric Interpretation is {kind}"
    elif high != stored - 1:
        problem = f"Bits Stored is {stored} and High Bit {high}"
    elif dataset.BitsAllocated == 16 and stored < 16 and not syntax.is_compressed:
        signed = dataset.PixelRepresentation == 1
        whole = len(dataset.PixelData) // 2 * 2
        values = np.frombuffer(dataset.PixelData[:whole], "<i2" if syntax.is_little_endian else ">i2")
        above = values >> (stored - 1 if signed else stored)  # a sign is repeated
        if not (np.isin(above, (0, -1)).all() if signed else (above == 0).all()):
            problem = f"its values need more than the {stored} bits that Bits Stored counts"
    if problem:
        raise UserError(
            f"{path}: {problem}.",
            expected="MONOCHROME2 pixels in the lowest bits, as many as Bits Stored says.",
            fix="export the file again.",
        )


def _without_padding(plane: Array, dataset: Dataset) -> Array:
    """Pixels that are declared to be padding as 0: no signal."""
    value = dataset.get("PixelPaddingValue")
    if value in (None, ""):
        return plane
    low, high = sorted((int(value), int(dataset.get("PixelPaddingRangeLimit") or value)))
    padding = (plane >= low) & (plane <= high)
    return np.where(padding, plane.dtype.type(0), plane) if padding.any() else plane


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
