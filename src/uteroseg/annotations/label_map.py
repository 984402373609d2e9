"""Label maps of any format: NIfTI, NRRD (3D Slicer's segmentations too) and MetaImage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.metaimage import read_metaimage
from uteroseg.imaging.nifti import read_image
from uteroseg.imaging.nrrd import read_nrrd
from uteroseg.imaging.study import Mask

NIFTI, NRRD, METAIMAGE = (".nii", ".nii.gz"), (".nrrd", ".nhdr"), (".mha", ".mhd")
ENDINGS = (*NIFTI, *NRRD, *METAIMAGE)


@dataclass(frozen=True)
class Label:
    """One label of a label map: its value, its name where the file has one, and the layer that it is in."""

    value: int
    name: str = ""
    layer: int = 0


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Labels on a grid.

    Parameters
    ----------
    layers : ndarray, shape (layers, slices, rows, columns)
        Several where labels overlap.
    geometry : Geometry
    labels : tuple of Label
        Without the background, 0.
    """

    layers: Array
    geometry: Geometry
    labels: tuple[Label, ...]

    def mask(self, label: Label) -> Mask:
        """The voxels of one label."""
        return Mask(self.layers[label.layer] == label.value, self.geometry)


def is_label_map(path: Path) -> bool:
    """Whether a file is named as one of the formats that are read."""
    return path.name.lower().endswith(ENDINGS)


def read_label_map(path: Path) -> LabelMap:
    """Read a label map.

    Raises
    ------
    UserError
        If the file cannot be read or is no label map.
    """
    name = path.name.lower()
    names: Mapping[tuple[int, int], str] = {}
    if name.endswith(NRRD):
        image, geometry, names = read_nrrd(path)
    else:
        image, geometry = read_metaimage(path) if name.endswith(METAIMAGE) else read_image(path)
    layers = image if image.ndim == 4 and name.endswith(NRRD) else image[None]
    values = [np.unique(layer) for layer in layers]
    every = np.concatenate(values)
    if layers.ndim != 4 or not np.isfinite(every).all() or not np.array_equal(every, np.rint(every)):
        raise UserError(
            f"{path} is not a mask (dimensions {image.shape}, values {every[:5]} …).",
            expected="a 3-D image of whole numbers, 0 for background.",
            fix="name the mask, not the image or a probability map.",
        )
    found = [(layer, int(value)) for layer, of in enumerate(values) for value in of if value]
    keys = names or dict.fromkeys(found, "")
    labels = tuple(Label(value, names.get((layer, value), ""), layer) for layer, value in keys)
    return LabelMap(layers, geometry, labels)
