"""DICOM Segmentation → `Mask`.

References
----------
DICOM PS3.3 A.51 Segmentation IOD, C.8.20 Segmentation modules.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import highdicom as hd
import numpy as np

from uteroseg.annotations.reference import SEGMENTATIONS, read_object, shown
from uteroseg.annotations.regions import Choice, choose, segments_of
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask

_POSITION_TOLERANCE_MM = 0.01  # unevenness of slice distances that single-precision writers leave


def read_seg(path: Path, *, choice: Choice | None = None) -> Mask:
    """Read one segment of a segmentation, on its own grid.

    Parameters
    ----------
    path : Path
        BINARY, FRACTIONAL (at least one half is the segment) or LABELMAP.
    choice : Choice, optional
        Which segment; needed where there are several. Others may overlap it.

    Returns
    -------
    Mask
        Slices ascend along ``geometry.normal``; slices that the file leaves out as empty are filled in.

    Raises
    ------
    UserError
        If the file is no segmentation, the choice fits none or several of its segments, or its frames do not
        form a regular grid.
    """
    header = read_object(path)
    if header.SOPClassUID not in SEGMENTATIONS:
        raise UserError(
            f"{path} is not a segmentation ({header.get('Modality') or 'no modality'}).",
            expected="a DICOM Segmentation.",
            fix="name the file that holds the mask.",
        )
    with shown(path):
        number = choose(segments_of(header), choice or Choice(), path).number
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # highdicom quotes headers in its warnings
            volume = hd.seg.Segmentation.from_dataset(header, copy=False).get_volume(
                segment_numbers=[number], atol=_POSITION_TOLERANCE_MM
            )
    except Exception as error:  # a damaged file can fail anywhere in highdicom
        raise UserError(
            f"{path}: its frames do not form a volume ({' '.join(str(error).split())}).",
            expected="parallel frames at equal distances, whole.",
            fix="export the segmentation again, or as NIfTI.",
        ) from error
    return _ascending(np.asarray(volume.array)[..., 0] >= 0.5, np.asarray(volume.affine))


def _ascending(data: Array, affine: Array) -> Mask:
    """Turn the slices so that they ascend along the normal, as in a `DwiStudy`."""
    geometry = Geometry(data.shape, affine)
    if geometry.normal @ geometry.affine[:3, 0] >= 0:
        return Mask(data, geometry)
    turned = geometry.affine.copy()
    turned[:3, 3] = geometry.to_patient((data.shape[0] - 1, 0, 0))
    turned[:3, 0] *= -1
    return Mask(np.ascontiguousarray(data[::-1]), Geometry(data.shape, turned))
