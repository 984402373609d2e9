"""Hand-made headers of text formats, and the same image as SimpleITK sees it."""

import numpy as np
import SimpleITK as sitk

from uteroseg.imaging.geometry import Geometry

VOXELS = np.arange(24, dtype="<i2").reshape(4, 3, 2)
"""Slices, rows, columns: as an image of DimSize 2 3 4."""


def to_itk(data, geometry):
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetDirection((geometry.affine[:3, [2, 1, 0]] / geometry.spacing[::-1]).ravel().tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    return image


def of_itk(path):
    """What SimpleITK reads: voxels and where they lie."""
    image = sitk.ReadImage(str(path))
    data = sitk.GetArrayFromImage(image)
    affine = np.eye(4)
    affine[:3, :3] = (np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing())[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return data, Geometry(data.shape[:3], affine)


def require_as_simpleitk(read, path):
    """Check that voxels, their type and their places are those that SimpleITK reads."""
    data, geometry = of_itk(path)
    np.testing.assert_array_equal(read[0], data)
    assert read[0].dtype == data.dtype
    assert read[1].difference(geometry, tolerance_mm=1e-6) is None
