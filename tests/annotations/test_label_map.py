import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from tests.grids import ORIENTATIONS, grid
from uteroseg.annotations.label_map import Label, read_label_map
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import write_image


def to_itk(data, geometry):
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetDirection((geometry.affine[:3, [2, 1, 0]] / geometry.spacing[::-1]).ravel().tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    return image


def labels(geometry, dtype=np.uint8):
    return np.random.default_rng(1).integers(0, 4, geometry.shape).astype(dtype)


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("ending", ["nrrd", "mha", "mhd", "nii.gz"])
def test_voxels_and_place_are_those_of_simpleitk(ending, name, tmp_path):
    geometry = grid(name)
    path = tmp_path / f"mask.{ending}"
    sitk.WriteImage(to_itk(labels(geometry), geometry), str(path), useCompression=name != "axial")
    read = read_label_map(path)
    np.testing.assert_array_equal(read.layers[0], labels(geometry))
    assert read.geometry.difference(geometry, tolerance_mm=1e-3) is None
    assert read.labels == (Label(1), Label(2), Label(3))
    np.testing.assert_array_equal(read.mask(Label(2)).data, labels(geometry) == 2)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64, np.int64])
def test_every_type_of_number_is_read(dtype, tmp_path):
    sitk.WriteImage(to_itk(labels(grid(), dtype), grid()), str(tmp_path / "mask.mha"))
    np.testing.assert_array_equal(read_label_map(tmp_path / "mask.mha").layers[0], labels(grid()))


def slicer_header(geometry, layered):
    directions = geometry.affine[:3, [2, 1, 0]].T
    header = {
        "space": "left-posterior-superior",
        "space origin": geometry.affine[:3, 3],
        "Segment0_Name": "Uterus",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment1_Name": "Tumour",
        "Segment1_LabelValue": "1" if layered else "2",
        "Segment1_Layer": "1" if layered else "0",
    }
    if layered:
        directions = np.vstack([np.full(3, np.nan), directions])
        header["kinds"] = ["list", "domain", "domain", "domain"]
    return {**header, "space directions": directions}


def test_segments_that_slicer_named_are_read_overlapping_ones_too(tmp_path):
    uterus, tumour = labels(grid()) > 0, labels(grid()) == 2
    nrrd.write(
        str(tmp_path / "flat.seg.nrrd"), (uterus * 1 + tumour).T.astype("u1"), slicer_header(grid(), False)
    )
    layers = np.stack([uterus.T, tumour.T]).astype("u1")
    nrrd.write(str(tmp_path / "layered.seg.nrrd"), layers, slicer_header(grid(), True))
    for name, label in (("flat", Label(2, "Tumour")), ("layered", Label(1, "Tumour", 1))):
        read = read_label_map(tmp_path / f"{name}.seg.nrrd")
        assert label in read.labels
        np.testing.assert_array_equal(read.mask(label).data, tumour)
        assert read.geometry.difference(grid(), tolerance_mm=1e-3) is None


def test_ras_coordinates_are_turned(tmp_path):
    header = slicer_header(grid(), False)
    flip = np.array([-1, -1, 1])
    header.update({"space": "right-anterior-superior", "space origin": header["space origin"] * flip})
    header["space directions"] = header["space directions"] * flip
    nrrd.write(str(tmp_path / "mask.nrrd"), labels(grid()).T, header)
    assert read_label_map(tmp_path / "mask.nrrd").geometry.difference(grid(), tolerance_mm=1e-3) is None


@pytest.mark.parametrize("name", ["mask.nrrd", "mask.mha", "mask.nii.gz"])
def test_damaged_files_and_images_that_are_no_masks_are_refused_by_name(name, tmp_path):
    path = tmp_path / name
    sitk.WriteImage(to_itk(labels(grid()), grid()), str(path), useCompression=True)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) - 60], whole[:80], b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=name):
            read_label_map(path)
    sitk.WriteImage(to_itk(np.full(grid().shape, 0.5, np.float32), grid()), str(path))
    with pytest.raises(UserError, match=f"{name} is not a mask"):
        read_label_map(path)


def test_a_nrrd_file_that_lies_nowhere_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "mask.nrrd"), labels(grid()).T)
    with pytest.raises(UserError, match=r"mask\.nrrd cannot be read \('space'\)"):
        read_label_map(tmp_path / "mask.nrrd")


def test_a_study_is_no_label_map(tmp_path):
    write_image(tmp_path / "dwi.nii", np.zeros((2, *grid().shape), np.int16), grid())
    with pytest.raises(UserError, match="is not a mask"):
        read_label_map(tmp_path / "dwi.nii")
