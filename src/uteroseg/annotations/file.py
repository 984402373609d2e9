"""Annotations from files of any kind: label maps, DICOM segmentations, structure sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from uteroseg.annotations.label_map import is_label_map, read_label_map
from uteroseg.annotations.reference import STRUCTURE_SET, Reference, read_object, reference_of, shown
from uteroseg.annotations.regions import Choice, Region, choose, segments_of
from uteroseg.annotations.rtstruct import regions_of, structure_mask
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import Mask

_PREAMBLE = 128


def read_annotation(
    path: Path,
    *,
    choice: Choice | None = None,
    grid_of: Callable[[frozenset[str]], Geometry | None] = lambda instances: None,
) -> Mask:
    """Read a mask, on the grid that it was drawn on.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage by its name; a DICOM Segmentation or RT Structure Set by its content.
    choice : Choice, optional
        Which of its regions is the tumour.
    grid_of : callable
        For contours: gives the grid of the images that they were drawn on, from their SOP Instance UIDs, or
        None where it is unknown.

    Returns
    -------
    Mask
        `uteroseg.imaging.resample.resample_mask` moves it to another grid.

    Raises
    ------
    UserError
        If the file is of another kind, cannot be read, or the choice fits none or several of its regions.
    """
    choice = choice or Choice()
    if is_label_map(path):
        return _label_mask(path, choice)
    if not is_dicom(path):
        raise UserError(
            f"{path} is no mask in a format that is read.",
            expected="NIfTI, NRRD (.nrrd), MetaImage (.mha), DICOM Segmentation or RT Structure Set.",
            fix="export the mask in one of these formats.",
        )
    dataset = read_object(path)
    if dataset.SOPClassUID == STRUCTURE_SET:
        return structure_mask(path, dataset, choice, grid_of)
    from uteroseg.annotations.segmentation import read_seg  # highdicom takes half a second to import

    return read_seg(path, choice=choice)


def annotation_header(path: Path) -> tuple[Reference, list[Region]]:
    """What a DICOM annotation belongs to and which regions it holds; raises as `read_annotation` does."""
    dataset = read_object(path)
    with shown(path):
        regions = regions_of(dataset) if dataset.SOPClassUID == STRUCTURE_SET else segments_of(dataset)
    if not regions:
        raise UserError(
            f"{path} holds no region.",
            expected="a whole DICOM Segmentation or RT Structure Set.",
            fix="copy or export the file again.",
        )
    return reference_of(dataset, path), regions


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its content; raises UserError where it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError as error:
        raise UserError(
            f"{path} cannot be opened ({error.strerror or error}).",
            expected="a file with a mask.",
            fix="check the path and its permissions.",
        ) from error


def _label_mask(path: Path, choice: Choice) -> Mask:
    labels = read_label_map(path)
    if not labels.labels and not choice.name:  # a patient without a tumour
        return Mask(np.zeros(labels.geometry.shape, bool), labels.geometry)
    regions = [Region(label.value, label.name) for label in labels.labels]
    chosen = choose(regions, choice, path)
    return labels.mask(labels.labels[regions.index(chosen)])
