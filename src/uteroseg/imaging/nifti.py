"""Read and write NIfTI-1: the one place where ``[slice, row, column]`` meets ``(i, j, k)``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask


def write_image(path: Path, image: Array, geometry: Geometry) -> None:
    """Write an image, shape ([volumes,] slices, rows, columns), in its own data type."""
    nifti = nib.Nifti1Image(image.T, geometry.nifti_affine)
    nifti.header.set_xyzt_units("mm", "sec" if image.ndim == 4 else None)
    nifti.set_qform(geometry.nifti_affine, code="scanner")
    nifti.set_sform(geometry.nifti_affine, code="scanner")
    nib.save(nifti, path)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as unsigned bytes, 0 and 1."""
    write_image(path, mask.data.astype(np.uint8), mask.geometry)


def read_image(path: Path) -> tuple[Array, Geometry]:
    """Read a 3-D or 4-D image.

    Returns
    -------
    image : ndarray of float32, shape (slices, rows, columns) or (volumes, slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    UserError
        If the file cannot be read or has another number of dimensions.
    """
    nifti, geometry = _open(path)
    try:
        image = np.asarray(nifti.dataobj, dtype=np.float32).T
    except Exception as error:  # a damaged file can fail anywhere in nibabel
        raise _unreadable(path, error) from error
    return image, geometry


def read_geometry(path: Path) -> Geometry:
    """Read where an image lies, without its voxels; raises UserError where it is no 3-D or 4-D image."""
    return _open(path)[1]


def forms_apart_mm(path: Path) -> float:
    """How far apart, mm, the two places lie that a NIfTI header can give for its grid; 0 with one alone."""
    nifti, geometry = _open(path)
    header = getattr(nifti, "header", None)
    try:
        qform, sform = header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]  # type: ignore[union-attr]
    except Exception:  # a format without forms, or a quaternion that is none
        return 0.0
    if qform is None or sform is None:
        return 0.0
    slices, rows, columns = geometry.shape
    corners = np.array([(0, 0, 0, 1), (columns - 1, rows - 1, slices - 1, 1)], float)
    return float(np.linalg.norm((corners @ (qform - sform).T)[:, :3], axis=1).max())


def read_mask(path: Path, label: int | None = None) -> Mask:
    """Read a mask.

    Parameters
    ----------
    path : Path
    label : int, optional
        The value that means tumour. By default the file must be binary: 0 and one other value.

    Raises
    ------
    UserError
        If the file is not a 3-D label map, or holds several labels and none was chosen.
    """
    image, geometry = read_image(path)
    labels = np.unique(image)
    if image.ndim != 3 or not np.isfinite(labels).all() or not np.array_equal(labels, np.rint(labels)):
        raise UserError(
            f"{path} is not a mask (dimensions {image.shape}, values {labels[:5]} …).",
            expected="a 3-D image of whole numbers, 0 for background.",
            fix="name the mask, not the image or a probability map.",
        )
    foreground = [int(v) for v in labels if v != 0]
    if label is None and len(foreground) > 1:
        raise UserError(
            f"{path} holds the labels {foreground}.",
            expected="one label, the tumour's.",
            fix="say which value is the tumour (column 'label' of the annotation table).",
        )
    return Mask(image != 0 if label is None else image == label, geometry)


def _open(path: Path) -> tuple[Any, Geometry]:
    """The image, its voxels not yet read, and where it lies."""
    try:
        nifti: Any = nib.load(path)
        if len(nifti.shape) in (3, 4):
            return nifti, Geometry.from_nifti(nifti.shape[:3], nifti.affine)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist.", expected="a NIfTI file.", fix="check the path for a typing error."
        ) from None
    except Exception as error:  # a damaged header can fail anywhere in nibabel
        raise _unreadable(path, error) from error
    raise UserError(
        f"{path} has the dimensions {nifti.shape}.",
        expected="a 3-D image, or a 4-D one with a volume per b-value.",
        fix="convert the image again, or split it.",
    )


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read ({error}).",
        expected="a whole NIfTI file (.nii or .nii.gz).",
        fix="copy or convert the file again.",
    )
