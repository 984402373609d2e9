import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from tests.grids import ORIENTATIONS, grid
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_geometry, read_image, read_mask, write_image, write_mask
from uteroseg.imaging.study import Mask


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_images_come_back_and_lie_where_simpleitk_sees_them(tmp_path, name):
    geometry = grid(name)
    image = np.random.default_rng(1).normal(size=(2, *geometry.shape)).astype(np.float32)
    write_image(tmp_path / "a.nii.gz", image, geometry)
    read, where = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read, image)
    for found in (where, read_geometry(tmp_path / "a.nii.gz")):
        assert found.difference(geometry, tolerance_mm=1e-3) is None
    write_image(tmp_path / "b.nii.gz", image[0], geometry)
    itk = sitk.ReadImage(str(tmp_path / "b.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk), image[0])
    np.testing.assert_allclose(
        itk.TransformIndexToPhysicalPoint((3, 2, 1)), geometry.to_patient((1, 2, 3)), atol=1e-3
    )


def test_masks_come_back(tmp_path):
    mask = Mask(np.random.default_rng(1).random((5, 7, 9)) > 0.5, grid("oblique"))
    write_mask(tmp_path / "m.nii.gz", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz").data, mask.data)


def write_labels(path, labels):
    nib.save(nib.Nifti1Image(np.asarray(labels), np.eye(4)), path)


def test_several_labels_need_a_choice(tmp_path):
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[0, 0, 0], labels[1, 1, 1] = 1, 2
    write_labels(tmp_path / "m.nii", labels)
    with pytest.raises(UserError, match=r"labels \[1, 2\]"):
        read_mask(tmp_path / "m.nii")
    assert read_mask(tmp_path / "m.nii", label=2).data.sum() == 1


def test_a_probability_map_is_no_mask(tmp_path):
    write_labels(tmp_path / "m.nii", np.random.default_rng(1).random((3, 4, 5)).astype(np.float32))
    with pytest.raises(UserError, match="is not a mask"):
        read_mask(tmp_path / "m.nii")


def test_missing_foreign_and_truncated_files_are_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"gone\.nii does not exist"):
        read_image(tmp_path / "gone.nii")
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(UserError, match=r"text\.nii\.gz cannot be read"):
        read_image(tmp_path / "text.nii.gz")
    write_image(tmp_path / "a.nii.gz", np.random.default_rng(1).normal(size=(5, 7, 9)), grid())
    whole = (tmp_path / "a.nii.gz").read_bytes()
    for length in (len(whole) // 2, 400, 20):
        (tmp_path / "cut.nii.gz").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.nii\.gz cannot be read"):
            read_image(tmp_path / "cut.nii.gz")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
@pytest.mark.parametrize("label", [None, 1])
def test_a_map_with_other_than_whole_numbers_is_no_mask_whatever_the_label(tmp_path, label, value):
    write_labels(tmp_path / "m.nii", np.resize(np.array([value, 1, 0], np.float32), (3, 4, 5)))
    with pytest.raises(UserError, match="is not a mask"):
        read_mask(tmp_path / "m.nii", label)


def test_where_an_image_lies_is_read_without_its_voxels(tmp_path):
    write_image(tmp_path / "a.nii", np.zeros((5, 7, 9)), grid())
    (tmp_path / "a.nii").write_bytes((tmp_path / "a.nii").read_bytes()[:400])
    assert read_geometry(tmp_path / "a.nii").difference(grid(), tolerance_mm=1e-3) is None
    with pytest.raises(UserError, match="cannot be read"):
        read_image(tmp_path / "a.nii")
    write_labels(tmp_path / "b.nii", np.zeros((3, 4), np.uint8))
    for read in (read_geometry, read_image):
        with pytest.raises(UserError, match=r"has the dimensions \(3, 4\)"):
            read(tmp_path / "b.nii")


def test_damaged_headers_and_streams_are_read_or_refused(tmp_path):
    """Whatever byte is wrong, no other error comes out."""
    write_labels(tmp_path / "m.nii", np.eye(6, 8, dtype=np.uint8)[:, :, None])
    whole = (tmp_path / "m.nii").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for name, content, upto in (("d.nii", whole, 352), ("d.nii.gz", gzip.compress(whole), None)):
        for _ in range(200):
            damaged = bytearray(content)
            for place in random.integers(0, upto or len(content), 3):
                damaged[place] = random.integers(0, 256)
            (tmp_path / name).write_bytes(damaged)
            try:
                read_mask(tmp_path / name, 1)
            except UserError:
                refused += 1
    assert refused > 100
