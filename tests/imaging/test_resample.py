import numpy as np
import pytest
import SimpleITK as sitk

from tests.grids import ORIENTATIONS, grid
from uteroseg.errors import UserError
from uteroseg.imaging.resample import resample_image, resample_mask
from uteroseg.imaging.study import Mask


def to_itk(image, geometry):
    itk = sitk.GetImageFromArray(image.astype(np.float32))
    itk.SetSpacing(geometry.spacing[::-1])
    itk.SetDirection((geometry.affine[:3, [2, 1, 0]] / np.array(geometry.spacing[::-1])).ravel().tolist())
    itk.SetOrigin(geometry.affine[:3, 3].tolist())
    return itk


@pytest.mark.parametrize("target", ORIENTATIONS)
@pytest.mark.parametrize("source", ["axial", "sagittal", "oblique"])
def test_linear_interpolation_agrees_with_simpleitk(source, target):
    fine = grid(source, (12, 40, 40), (3, 0.7, 0.7), (-14, -14, -16))
    coarse = grid(target, (8, 12, 10), (4, 2, 2.3), (-9, -9, -14))
    image = np.random.default_rng(3).normal(size=fine.shape)
    reference = sitk.Resample(
        to_itk(image, fine), to_itk(np.zeros(coarse.shape), coarse), sitk.Transform(), sitk.sitkLinear, 0.0
    )
    np.testing.assert_allclose(
        resample_image(image, fine, coarse), sitk.GetArrayFromImage(reference), atol=1e-4
    )


def test_a_mask_keeps_its_place_and_volume_on_another_grid():
    fine, coarse = (
        grid(shape=(12, 80, 80), spacing=(3, 0.5, 0.5)),
        grid(shape=(12, 20, 20), spacing=(3, 2, 2)),
    )
    distance = np.linalg.norm(
        fine.to_patient(np.moveaxis(np.indices(fine.shape), 0, -1)) - (8, 38, 20), axis=-1
    )
    moved = resample_mask(Mask(distance < 11, fine), coarse)
    centres = coarse.to_patient(np.argwhere(moved.data))
    assert abs(centres.mean(axis=0) - (8, 38, 20)).max() < 0.5
    volume = moved.data.sum() * coarse.voxel_volume_mm3
    assert volume == pytest.approx((distance < 11).sum() * fine.voxel_volume_mm3, rel=0.05)


def test_a_mask_of_another_place_is_refused():
    data = np.zeros((5, 7, 9), bool)
    data[2, 3, 4] = True
    with pytest.raises(UserError, match="Nothing of the mask arrives"):
        resample_mask(Mask(data, grid(position=(500, 0, 0))), grid())


def test_an_empty_mask_stays_empty():
    moved = resample_mask(Mask(np.zeros((5, 7, 9), bool), grid()), grid("sagittal"))
    assert not moved.data.any()
