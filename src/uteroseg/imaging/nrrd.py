"""Read NRRD images, and the names of segments that 3D Slicer keeps in them.

References
----------
Definition of NRRD File Format, teem.sourceforge.net/nrrd/format.html; 3D Slicer's Segmentations module
(``.seg.nrrd``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

_SIGNS = {"left": 1, "right": -1, "posterior": 1, "anterior": -1, "superior": 1, "inferior": -1}
_SHORT = {"LPS": "left-posterior-superior", "RAS": "right-anterior-superior", "LAS": "left-anterior-superior"}
_SEGMENT = re.compile(r"Segment(\d+)_LabelValue")


def read_nrrd(path: Path) -> tuple[Array, Geometry, Mapping[tuple[int, int], str]]:
    """Read a 3-D image, or layers of a segmentation.

    Returns
    -------
    image : ndarray, shape ([layers,] slices, rows, columns)
    geometry : Geometry
    names : mapping
        (Layer, label value) → name of each segment, where the file names them.

    Raises
    ------
    UserError
        If the file cannot be read, or does not say where it lies in the patient.
    """
    import nrrd  # only where there is such a file

    try:
        data, header = nrrd.read(str(path))
        return _placed(np.asarray(data), header)
    except Exception as error:  # of a damaged file
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split())}).",
            expected="a whole NRRD file with space, space directions and space origin.",
            fix="export it again, or as NIfTI.",
        ) from error


def _placed(data: Array, header: Mapping[str, Any]) -> tuple[Array, Geometry, Mapping[tuple[int, int], str]]:
    space = str(header["space"])
    signs = [_SIGNS[word] for word in _SHORT.get(space.upper(), space.lower()).split("-")]
    directions = np.array(header["space directions"], float)
    spatial = np.isfinite(directions).all(axis=1)
    if spatial.sum() != 3 or data.ndim not in (3, 4) or (data.ndim == 4 and spatial[0]):
        raise ValueError(f"it has {data.ndim} dimensions, {spatial.sum()} of them in space")
    affine = np.eye(4)
    affine[:3, :3] = (directions[spatial] * signs).T[:, ::-1]
    affine[:3, 3] = np.array(header["space origin"], float) * signs
    image = np.ascontiguousarray(data.T) if data.ndim == 3 else np.stack([layer.T for layer in data])
    slices, rows, columns = image.shape[-3:]
    return image, Geometry((slices, rows, columns), affine), _names(header)


def _names(header: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    numbers = [match[1] for key in header if (match := _SEGMENT.fullmatch(key))]
    return {
        (int(header.get(f"Segment{n}_Layer", 0)), int(header[f"Segment{n}_LabelValue"])): str(
            header.get(f"Segment{n}_Name", "")
        )
        for n in numbers
    }
