"""Studies and masks as images of SimpleITK and nibabel, and back; either library where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry

if TYPE_CHECKING:
    from uteroseg.imaging.study import DwiStudy, Mask


def to_sitk(image: Array, geometry: Geometry) -> Any:
    """A SimpleITK image of an array of shape (slices, rows, columns)."""
    import SimpleITK as sitk

    found: Any = sitk.GetImageFromArray(image)
    spacing = np.array(geometry.spacing)
    found.SetSpacing(spacing[::-1].tolist())
    found.SetOrigin(geometry.affine[:3, 3].tolist())
    found.SetDirection((geometry.affine[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    return found


def of_sitk(image: Any) -> tuple[Array, Geometry]:
    """Voxels, shape (slices, rows, columns), and grid of a SimpleITK image.

    Raises
    ------
    UserError
        If it is no 3-D image of one number a voxel.
    """
    import SimpleITK as sitk

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UserError(
            f"The image has {image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} "
            "numbers a voxel.",
            expected="a 3-D image with one number a voxel; of a study one for each b-value.",
            fix="split it.",
        )
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, :3], affine[:3, 3] = direction[:, ::-1], image.GetOrigin()
    columns, rows, slices = image.GetSize()
    return sitk.GetArrayFromImage(image), Geometry((slices, rows, columns), affine)


def to_nibabel(image: Array, geometry: Geometry) -> Any:
    """A NIfTI image, as it would be written, of an array of shape ([volumes,] slices, rows, columns)."""
    import nibabel as nib

    image_class: Any = nib.Nifti1Image
    return image_class(image.T, geometry.nifti_affine)


def of_nibabel(image: Any) -> tuple[Array, Geometry]:
    """Voxels, shape ([volumes,] slices, rows, columns), and grid of an image of nibabel.

    Raises
    ------
    UserError
        If it has neither three nor four dimensions.
    """
    values = np.asarray(image.dataobj).T
    if values.ndim not in (3, 4):
        raise UserError(
            f"The image has the dimensions {image.shape}.",
            expected="a 3-D image, or a 4-D one with a volume for each b-value.",
            fix="split it.",
        )
    return values, Geometry.from_nifti(image.shape[:3], image.affine)


def study_of_sitk(images: Sequence[Any], b_values: Sequence[float]) -> DwiStudy:
    """A study of SimpleITK images, one for each b-value (s/mm²), in any order.

    Raises
    ------
    UserError
        If their number differs from that of the b-values, or they lie on several grids.
    """
    found = [of_sitk(image) for image in images]
    for _, geometry in found[1:]:
        geometry.require_same(found[0][1], what="Images of one study", fix="resample them to one grid.")
    return _study([image for image, _ in found], b_values, found[0][1])


def study_of_nibabel(image: Any, b_values: Sequence[float]) -> DwiStudy:
    """A study of a 4-D image of nibabel, a volume for each b-value (s/mm²), in any order; raises as above."""
    values, geometry = of_nibabel(image)
    return _study(list(values) if values.ndim == 4 else [values], b_values, geometry)


def _study(images: Sequence[Array], b_values: Sequence[float], geometry: Geometry) -> DwiStudy:
    from uteroseg.imaging.study import DwiStudy

    if len(images) != len(b_values) or len(set(b_values)) < len(b_values):
        raise UserError(
            f"{len(images)} images came with the b-values {', '.join(f'{b:g}' for b in b_values)}.",
            expected="one image for each b-value, and each b-value once.",
            fix="correct `b_values`.",
        )
    order = np.argsort(b_values)
    signal = np.stack([np.asarray(images[i], np.float32) for i in order])
    source = {"b_value_source": "user"}
    return DwiStudy(signal, tuple(float(b_values[i]) for i in order), geometry, acquisition=source)


def mask_of(image: Array, geometry: Geometry) -> Mask:
    """A mask of voxels of which each is 0 or one other value.

    Raises
    ------
    UserError
        If there are several other values.
    """
    from uteroseg.imaging.study import Mask

    values = set(np.unique(image).tolist()) - {0}
    if len(values) > 1 or image.ndim != 3:
        raise UserError(
            f"The image of shape {image.shape} holds {', '.join(f'{v:g}' for v in sorted(values)[:5])}.",
            expected="a 3-D mask: 0 and one other value.",
            fix="choose one label, such as with image == 1.",
        )
    return Mask(image != 0, geometry)
