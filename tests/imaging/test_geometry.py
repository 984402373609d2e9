import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from tests.grids import ORIENTATIONS, grid, grids
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry


@given(grids, st.tuples(*[st.floats(-20, 20)] * 3))
def test_index_and_patient_coordinates_invert_each_other(geometry, index):
    np.testing.assert_allclose(geometry.to_index(geometry.to_patient(index)), index, atol=1e-6)


@given(grids)
def test_nifti_and_back_is_the_same_grid(geometry):
    back = Geometry.from_nifti(geometry.shape[::-1], geometry.nifti_affine)
    assert back.shape == geometry.shape
    np.testing.assert_allclose(back.affine, geometry.affine, atol=1e-9)


@given(grids)
def test_spacing_normal_and_volume_agree_with_simpleitk(geometry):
    image = sitk.Image(*[int(n) for n in geometry.shape[::-1]], sitk.sitkUInt8)
    axes = geometry.affine[:3, [2, 1, 0]] / np.array(geometry.spacing[::-1])
    image.SetDirection(axes.ravel().tolist())
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    last = [n - 1 for n in geometry.shape]
    np.testing.assert_allclose(
        image.TransformIndexToPhysicalPoint(last[::-1]), geometry.to_patient(last), atol=1e-6
    )
    np.testing.assert_allclose(np.prod(image.GetSpacing()), geometry.voxel_volume_mm3)
    np.testing.assert_allclose(geometry.normal, axes[:, 2], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "plane"),
    [("axial", "axial"), ("sagittal", "sagittal"), ("coronal", "coronal"), ("oblique", "axial")],
)
def test_plane_is_the_nearest_anatomical_one(name, plane):
    assert grid(name).plane == plane


def test_grids_that_differ_are_an_error_that_names_the_difference():
    with pytest.raises(UserError, match="5×7×9 against 5×7×8"):
        grid().require_same(grid(shape=(5, 7, 8)), what="mask", fix="resample it.")
    with pytest.raises(UserError, match=r"up to 3\.0 mm apart"):
        grid().require_same(grid(position=(-13, 20, 5)), what="mask", fix="resample it.")


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_grid_agrees_with_itself(name):
    assert grid(name).difference(grid(name)) is None


def test_a_singular_affine_is_refused():
    with pytest.raises(ValueError, match="invertible"):
        Geometry((1, 1, 1), np.zeros((4, 4)))


@pytest.mark.parametrize("mm", [1e-4, 1e15, 2000.0])
def test_voxels_of_impossible_sizes_are_refused(mm):
    with pytest.raises(ValueError, match=r"voxels have edges of 0.001 to 1000 mm, got 4 × 2 × "):
        Geometry((2, 2, 2), np.diag([4, 2, mm, 1]))
