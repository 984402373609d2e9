"""Files that hold the slices of a volume side by side in one plane: Siemens mosaic, United Imaging VFRAME.

References
----------
nibabel, "DICOM mosaic", https://nipy.org/nibabel/dicom/dicom_mosaic.html; United Imaging's table of private
elements in the documentation of dcm2niix, https://github.com/rordenlab/dcm2niix/tree/master/UIH
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence

from uteroseg.dicom.csa import csa_numbers
from uteroseg.dicom.enhanced import is_enhanced
from uteroseg.dicom.private import PrivateElement
from uteroseg.errors import UserError

_MOSAIC_COUNT = PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0A)
_VFRAME_COUNT = PrivateElement("uih", 0x0065, "Image Private Header", 0x50)
_VFRAME_ITEMS = PrivateElement("uih", 0x0065, "Image Private Header", 0x51)
_VFRAME = "United Imaging VFRAME"
_PARALLEL = 0.999  # cosine between two statements of the slice normal


@dataclass(frozen=True)
class Tile:
    """One slice of a plane that holds several.

    Parameters
    ----------
    window : tuple of 2 ints
        Row and column of its first pixel in the stored plane.
    rows, columns : int
    position : tuple of 3 floats
        Image Position (Patient) of the slice, mm.
    """

    window: tuple[int, int]
    rows: int
    columns: int
    position: tuple[float, ...]


def tiles_of(path: Path, header: Dataset) -> tuple[Tile, ...]:
    """List the slices that a file holds side by side.

    Parameters
    ----------
    path : Path
        For messages.
    header : Dataset

    Returns
    -------
    tuple of Tile
        Empty where the plane is one slice.

    Raises
    ------
    UserError
        If the plane holds several slices and the header does not say how many and where they lie.
    AttributeError, TypeError, ValueError
        If the header lacks the geometry that every image has.
    """
    image_type = header.get("ImageType") or ()
    mosaic, vframe = "MOSAIC" in image_type, "VFRAME" in image_type
    if (mosaic or vframe) and is_enhanced(header):
        raise _refused(path, "mosaic" if mosaic else _VFRAME, "is enhanced multi-frame as well")
    if mosaic:
        return _mosaic(path, header)
    if vframe or _count(_VFRAME_COUNT.read(header)) > 1:
        return _vframe(path, header)
    return ()


def _mosaic(path: Path, header: Dataset) -> tuple[Tile, ...]:
    """Undo a Siemens mosaic.

    Image Position belongs to a slice of the mosaic's size around the right centre: the first slice's corner
    lies half the difference of the sizes further in.
    """
    count = _count(csa_numbers(header, "NumberOfImagesInMosaic") or _MOSAIC_COUNT.read(header))
    stated_normal = csa_numbers(header, "SliceNormalVector")
    gap = abs(float(header.get("SpacingBetweenSlices") or 0))
    # The slices run along the normal or against it: without the CSA header they could be upside down.
    missing = [
        what
        for what, there in (
            ("how many slices (NumberOfImagesInMosaic)", count),
            ("which way they run (SliceNormalVector in the CSA header (0029,1010))", len(stated_normal) == 3),
            ("how far apart they are (Spacing Between Slices)", gap),
        )
        if not there
    ]
    if missing:
        raise _refused(path, "mosaic", f"does not say {', '.join(missing)}")
    cosines = np.reshape([float(v) for v in header.ImageOrientationPatient], (2, 3))
    normal = np.cross(*cosines)
    along = float(normal @ stated_normal)
    if not abs(along) > _PARALLEL * np.linalg.norm(normal) * np.linalg.norm(stated_normal) > 0:
        raise _refused(path, "mosaic", "states a slice normal that is not at right angles to its slices")
    side = math.ceil(math.sqrt(count))
    rows, columns = _tile_size(path, header, "mosaic", down=side, across=side)
    between_rows, between_columns = (float(v) for v in header.PixelSpacing)
    corner = (
        np.array([float(v) for v in header.ImagePositionPatient])
        + cosines[0] * between_columns * (int(header.Columns) - columns) / 2
        + cosines[1] * between_rows * (int(header.Rows) - rows) / 2
    )
    step = math.copysign(gap, along) * normal / np.linalg.norm(normal)
    return _tiles([(corner + number * step).tolist() for number in range(count)], rows, columns, across=side)


def _vframe(path: Path, header: Dataset) -> tuple[Tile, ...]:
    """Undo United Imaging's grid, whose sequence holds the position of every slice."""
    items = _items(header)
    count = _count(_VFRAME_COUNT.read(header)) or len(items)
    positions = [[float(v) for v in item.get("ImagePositionPatient") or ()] for item in items]
    if not count or len(positions) != count or any(len(position) != 3 for position in positions):
        problem = f"holds positions for {sum(map(bool, positions))} of {count} slices in (0065,1051)"
        raise _refused(path, _VFRAME, problem)
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    rows, columns = _tile_size(path, header, _VFRAME, down=down, across=across)
    return _tiles(positions, rows, columns, across=across)


def _items(header: Dataset) -> Sequence[Dataset]:
    value = _VFRAME_ITEMS.value(header)
    if isinstance(value, bytes):  # implicit VR, or re-export as UN, which is implicit VR inside
        try:
            value = read_sequence(BytesIO(value), True, True, len(value), "iso8859")
        except Exception:  # bytes cut or edited anywhere make the reader raise what it likes
            return ()
    return value or ()


def _count(numbers: Sequence[float] | None) -> int:
    return int(numbers[0]) if numbers and numbers[0] > 0 else 0


def _tile_size(path: Path, header: Dataset, what: str, *, down: int, across: int) -> tuple[int, int]:
    rows, columns = int(header.Rows), int(header.Columns)
    if rows % down or columns % across:
        problem = f"has {rows}×{columns} pixels, which {down}×{across} slices do not fill evenly"
        raise _refused(path, what, problem)
    return rows // down, columns // across


def _tiles(positions: Sequence[Sequence[float]], rows: int, columns: int, *, across: int) -> tuple[Tile, ...]:
    return tuple(
        Tile((number // across * rows, number % across * columns), rows, columns, tuple(position))
        for number, position in enumerate(positions)
    )


def _refused(path: Path, what: str, problem: str) -> UserError:
    return UserError(
        f"{path} holds all slices of a volume in one image ({what}) and {problem}.",
        expected="a header that says how many slices there are and where they lie.",
        fix="export the series again with its private attributes, as separate slices or as enhanced DICOM.",
    )
