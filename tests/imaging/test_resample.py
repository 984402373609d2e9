import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.grids import ORIENTATIONS, grid
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.resample import resample_image, resample_mask, transformed, volume_outside_ml
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


def ellipsoid(geometry, middle, radius):
    """Voxels of which at least half lies in an ellipsoid, from 3 × 3 × 3 points in each."""
    parts = (np.arange(3) + 0.5) / 3 - 0.5
    index = np.moveaxis(np.indices(geometry.shape), 0, -1)
    offsets = np.array(np.meshgrid(parts, parts, parts)).reshape(3, -1).T
    inside = sum(
        np.linalg.norm((geometry.to_patient(index + o) - middle) / (1, 1.25, 0.8), axis=-1) < radius
        for o in offsets
    )
    return Mask(inside >= 14, geometry)


def around_zero(name, spacing, offset, reach=26):
    geometry = grid(name, tuple(int(np.ceil(2 * reach / mm)) for mm in spacing), spacing, (0, 0, 0))
    affine = geometry.affine.copy()
    affine[:3, 3] = offset - affine[:3, :3] @ ((np.array(geometry.shape) - 1) / 2)
    return Geometry(geometry.shape, affine)


@pytest.mark.parametrize("radius", [10.7, 16.8], ids=["5 mL", "20 mL"])
@pytest.mark.parametrize("offset", [(0, 0, 0), (2.1, 0.3, -0.4), (-1.2, 0.9, 1.6)])
def test_between_grids_whose_slices_do_not_meet_the_shape_and_its_volume_stay(offset, radius):
    fine, coarse = (
        around_zero("sagittal", (4, 0.7, 0.7), offset),
        around_zero("sagittal", (4, 2, 2), (0, 0, 0)),
    )
    drawn, truth = ellipsoid(fine, (0.4, -0.8, 1.1), radius), ellipsoid(coarse, (0.4, -0.8, 1.1), radius)
    moved = resample_mask(drawn, coarse)
    assert volume_ml(moved) == pytest.approx(volume_ml(drawn), rel=0.01)
    assert 2 * (moved.data & truth.data).sum() / (moved.data.sum() + truth.data.sum()) > 0.945


def test_what_lies_outside_is_measured_and_not_made_up_for():
    fine = grid(shape=(12, 40, 40), spacing=(3, 1, 1), position=(0, 0, 0))
    data = np.zeros(fine.shape, bool)
    data[2:10, 10:30, 10:30] = True
    upper = grid(shape=(3, 20, 20), spacing=(6, 2, 2), position=(0.5, 0.5, 19.5))
    drawn = Mask(data, fine)
    assert volume_outside_ml(drawn, upper) == pytest.approx(4 * 3 * 400 / 1000)
    moved = resample_mask(drawn, upper)
    assert volume_ml(moved) == pytest.approx(volume_ml(drawn) - volume_outside_ml(drawn, upper))
    np.testing.assert_array_equal(moved.data.any(axis=(1, 2)), [True, True, False])


def test_a_speck_too_small_for_the_grid_is_refused_and_half_a_voxel_is_kept():
    fine, coarse = grid(shape=(8, 40, 40), spacing=(1, 1, 1)), grid(shape=(4, 10, 10), spacing=(2, 4, 4))
    data = np.zeros(fine.shape, bool)
    data[4:6, 8:10, 8:10] = True
    with pytest.raises(UserError, match="Nothing of the mask arrives"):
        resample_mask(Mask(data, fine), coarse)
    data[4:6, 8:12, 8:10] = True
    assert resample_mask(Mask(data, fine), coarse).data.sum() >= 1


@settings(max_examples=30, deadline=None)
@example("oblique", (-0.1876, 0.56, -1.6749))  # parallel slices that do not meet
@given(st.sampled_from(sorted(ORIENTATIONS)), st.tuples(*[st.floats(-2, 2)] * 3))
def test_a_ball_stays_where_it_is_on_every_plane(name, offset):
    fine, coarse = around_zero("oblique", (3, 1, 1), (0, 0, 0), 18), around_zero(name, (4, 2, 2), offset, 20)
    ball = Mask(
        np.linalg.norm(fine.to_patient(np.moveaxis(np.indices(fine.shape), 0, -1)), axis=-1) < 12, fine
    )
    moved = resample_mask(ball, coarse)
    assert volume_ml(moved) == pytest.approx(volume_ml(ball), rel=0.03)
    drawn = fine.to_patient(np.argwhere(ball.data)).mean(axis=0)
    np.testing.assert_allclose(coarse.to_patient(np.argwhere(moved.data)).mean(axis=0), drawn, atol=0.4)


def test_a_transform_moves_a_mask_in_the_patient():
    data = np.zeros(grid().shape, bool)
    data[2, 3, 4] = True
    mask, transform = Mask(data, grid()), np.eye(4)
    transform[:3] = [[0, -1, 0, 1], [1, 0, 0, -2], [0, 0, 1, 3]]
    (before,), (after,) = (
        one.geometry.to_patient(np.argwhere(one.data)) for one in (mask, transformed(mask, transform))
    )
    np.testing.assert_allclose(after, (1 - before[1], before[0] - 2, before[2] + 3))
