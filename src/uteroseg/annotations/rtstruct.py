"""Radiotherapy structure sets (RTSTRUCT): regions of interest as contours.

References
----------
DICOM PS3.3 A.19, RT Structure Set IOD; C.8.8.5, Structure Set Module; C.8.8.6, ROI Contour Module.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from uteroseg.annotations.regions import Colour, GridOf, Region, algorithm
from uteroseg.errors import UserError
from uteroseg.imaging.contours import fill
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask

_CONTOUR_DATA = Tag("ContourData")
_AREAS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "")


def rois(dataset: Dataset, beside: str) -> list[Region]:
    """What a file says of its regions of interest."""
    colours = {
        _number(of, "ReferencedROINumber"): _colour(of) for of in dataset.get("ROIContourSequence") or ()
    }
    found = []
    for roi in dataset.get("StructureSetROISequence") or ():
        number, name = _number(roi, "ROINumber"), str(roi.get("ROIName") or "")
        drawn_by = algorithm(roi.get("ROIGenerationAlgorithm"), roi.get("ROIGenerationDescription"), beside)
        found.append(Region(number, name, colours.get(number), drawn_by))
    return found


def draw_roi(dataset: Dataset, region: Region, grid_of: GridOf, what: str) -> Mask | None:
    """Fill the contours of a region on the grid of the images that they were drawn on; None without any.

    Raises
    ------
    UserError
        If they are not closed, stand in several places, or their images are not at hand; and as
        `uteroseg.imaging.contours.fill` does.
    """
    every = dataset.get("ROIContourSequence") or ()
    entries = [entry for entry in every if _number(entry, "ReferencedROINumber") == region.number]
    items = [item for entry in entries for item in entry.get("ContourSequence") or ()]
    types = {str(item.get("ContourGeometricType") or "") for item in items}
    if len(entries) > 1 or not types <= set(_AREAS):
        raise UserError(
            f"{what} has {', '.join(sorted(types)) or 'no'} contours, in {len(entries)} entries.",
            expected="closed contours (CLOSED_PLANAR) in one entry for each number.",
            fix="choose another region, or draw it as closed contours and export it again.",
        )
    if not items:
        known = {_number(roi, "ROINumber") for roi in dataset.get("StructureSetROISequence") or ()}
        if strays := {_number(entry, "ReferencedROINumber") for entry in every} - known:
            raise ValueError(f"its contours are of ROI numbers that no region has: {sorted(strays)}")
        return None
    # one that is there twice would count as a hole of itself, from whatever point it starts
    outlines = {np.unique(points, axis=0).tobytes(): points for points in map(_points, items)}
    contours = list(outlines.values())
    images = [image for item in items for image in item.get("ContourImageSequence") or ()]
    uids = {str(image.get("ReferencedSOPInstanceUID") or "") for image in images}
    grid = grid_of(frozenset(uids - {""}), np.concatenate(contours))
    if grid is None:
        raise UserError(
            f"{what}: the images that it was drawn on are not at hand, and its contours do not lie in the "
            "study's slices: nothing tells how thick their slices are.",
            expected="the series that it was drawn on.",
            fix="put that series into the source folder.",
        )
    return fill(contours, grid, what=what)


def _points(item: Dataset) -> Array:
    """Contour Data, from its bytes: pydicom makes an object of every number, which takes far longer."""
    element = item.get_item(_CONTOUR_DATA)
    value = (element.value if element is not None else None) or []
    numbers = value.rstrip(b" \0").split(b"\\") if isinstance(value, bytes) else value
    points = np.array([float(number) for number in numbers]).reshape(-1, 3)
    stated = item.get("NumberOfContourPoints")
    if not np.isfinite(points).all() or stated not in (None, len(points)):
        raise ValueError(f"a contour of {stated} points has {len(points)}, or they are not finite")
    return points


def _number(item: Dataset, keyword: str) -> int:
    return int(item.get(keyword) or 0)


def _colour(item: Dataset) -> Colour | None:
    written = item.get("ROIDisplayColor")
    if not written or len(written) != 3:
        return None
    red, green, blue = (int(value) for value in written)
    return red, green, blue
