"""Radiotherapy structure sets (RTSTRUCT): regions of interest as contours.

References
----------
DICOM PS3.3 A.19, RT Structure Set IOD; C.8.8.5, Structure Set Module; C.8.8.6, ROI Contour Module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from uteroseg.annotations.reference import shown
from uteroseg.annotations.regions import Choice, Colour, Region, choose
from uteroseg.errors import UserError
from uteroseg.imaging.contours import fill, grid_around
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask

_CONTOUR_DATA = Tag("ContourData")
_AREAS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "")


@dataclass(frozen=True, eq=False)
class Structure:
    """One region of interest.

    Parameters
    ----------
    region : Region
    contours : tuple of ndarray, shape (points, 3)
        LPS, mm.
    instances : frozenset of str
        SOP Instance UIDs of the images that it was drawn on, where the file names them.
    """

    region: Region
    contours: tuple[Array, ...]
    instances: frozenset[str]


def regions_of(dataset: Dataset) -> list[Region]:
    """The regions of interest of a structure set."""
    colours = {
        _number(item, "ReferencedROINumber"): _colour(item)
        for item in dataset.get("ROIContourSequence") or ()
    }
    found = []
    for item in dataset.get("StructureSetROISequence") or ():
        number = _number(item, "ROINumber")
        found.append(Region(number, str(item.get("ROIName") or "").strip(), colours.get(number)))
    return found


def read_structure(path: Path, dataset: Dataset, choice: Choice) -> Structure:
    """Read one region of interest.

    Raises
    ------
    UserError
        If the file is damaged, the choice fits none or several of its regions, or the region has no closed
        contours.
    """
    with shown(path):
        region = choose(regions_of(dataset), choice, path)
        items = [
            contour
            for roi in dataset.get("ROIContourSequence") or ()
            if _number(roi, "ReferencedROINumber") == region.number
            for contour in roi.get("ContourSequence") or ()
        ]
        types = {str(item.get("ContourGeometricType") or "") for item in items}
        if not items or not types <= set(_AREAS):
            raise UserError(
                f"{_name(path, region)} has {', '.join(sorted(types)) or 'no'} contours.",
                expected="closed contours (CLOSED_PLANAR).",
                fix="choose another region, or draw it as closed contours.",
            )
        contours = tuple(_points(item) for item in items)
        if not all(np.isfinite(points).all() for points in contours):
            raise ValueError("contour points that are not finite")
        instances = frozenset(
            str(image.ReferencedSOPInstanceUID)
            for item in items
            for image in item.get("ContourImageSequence") or ()
        )
    return Structure(region, contours, instances)


def structure_mask(
    path: Path, dataset: Dataset, choice: Choice, grid_of: Callable[[frozenset[str]], Geometry | None]
) -> Mask:
    """Read one region of interest as a mask.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : Dataset
        The file's content.
    choice : Choice
    grid_of : callable
        Gives the grid of the images that were drawn on, from their SOP Instance UIDs, or None where it is
        unknown: then the contours' own planes are the slices.

    Raises
    ------
    UserError
        As `read_structure` and `uteroseg.imaging.contours.fill` do.
    """
    structure = read_structure(path, dataset, choice)
    what = _name(path, structure.region)
    grid = grid_of(structure.instances) or grid_around(structure.contours, what=what)
    return fill(structure.contours, grid, what=what)


def _points(item: Dataset) -> Array:
    """Contour Data, from its bytes: pydicom makes an object of every number, which takes far longer."""
    element = item.get_item(_CONTOUR_DATA)
    if element is None or not element.value:
        return np.zeros((0, 3))
    value = element.value
    numbers = value.rstrip(b" \0").split(b"\\") if isinstance(value, bytes) else value
    return np.array([float(number) for number in numbers]).reshape(-1, 3)


def _name(path: Path, region: Region) -> str:
    return f"{path}, ROI {region.name or region.number!r}"


def _number(item: Dataset, keyword: str) -> int:
    return int(item.get(keyword) or 0)


def _colour(item: Dataset) -> Colour | None:
    written = item.get("ROIDisplayColor")
    if not written or len(written) != 3:
        return None
    red, green, blue = (int(value) for value in written)
    return red, green, blue
