import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from tests.grids import ORIENTATIONS, grid
from uteroseg.annotations.file import open_annotation
from uteroseg.annotations.regions import Choice, Region
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
    file = open_annotation(path)
    assert file.regions == (Region(1), Region(2), Region(3))
    for number in (1, 2, 3):
        mask = file.mask(Choice(number=number))
        np.testing.assert_array_equal(mask.data, labels(geometry) == number)
        assert mask.geometry.difference(geometry, tolerance_mm=1e-3) is None


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64, np.int64])
def test_every_type_of_number_is_read(dtype, tmp_path):
    sitk.WriteImage(to_itk(labels(grid(), dtype), grid()), str(tmp_path / "mask.mha"))
    mask = open_annotation(tmp_path / "mask.mha").mask(Choice(number=3))
    np.testing.assert_array_equal(mask.data, labels(grid()) == 3)


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
    for name, number in (("flat", 2), ("layered", 1)):
        file = open_annotation(tmp_path / f"{name}.seg.nrrd")
        assert [(region.number, region.name) for region in file.regions] == [
            (1, "Uterus"),
            (number, "Tumour"),
        ]
        mask = file.mask(Choice(name="tumour"))
        np.testing.assert_array_equal(mask.data, tumour)
        assert mask.geometry.difference(grid(), tolerance_mm=1e-3) is None
    with pytest.raises(UserError, match="holds 2 regions: 1 Uterus; 1 Tumour"):
        file.mask(Choice(number=1))


def slicer(path, data, *segments, layered=False):
    """A file of 3D Slicer with segments (name, label value, layer), each of which can be None."""
    header = slicer_header(grid(), layered)
    for key in [key for key in header if key.startswith("Segment")]:
        del header[key]
    for number, stated in enumerate(segments):
        for key, value in zip(("Name", "LabelValue", "Layer"), stated, strict=True):
            if value is not None:
                header[f"Segment{number}_{key}"] = str(value)
    nrrd.write(str(path), data, header)
    return open_annotation(path)


def test_a_segment_that_no_voxel_bears_is_empty_and_a_label_without_name_is_told(tmp_path):
    stated = [("Tumour", 7, 0), ("Uterus", 1, 0), ("Cervix", 1, 5)]
    file = slicer(tmp_path / "a.seg.nrrd", labels(grid()).T, *stated)
    assert list(map(str, file.regions)) == ["7 Tumour", "1 Uterus", "1 Cervix", "2", "3"]
    for name in ("tumour", "cervix"):
        with pytest.raises(UserError, match=rf"a\.seg\.nrrd, region \d {name.title()} is empty"):
            file.mask(Choice(name=name))
    np.testing.assert_array_equal(file.mask(Choice(name="uterus")).data, labels(grid()) == 1)
    np.testing.assert_array_equal(file.mask(Choice(number=3)).data, labels(grid()) == 3)


def test_segments_of_one_label_value_are_never_joined(tmp_path):
    stated = [("Tumour", 1, 0), ("Bladder", 1, 0), ("Uterus", 2, 0)]
    file = slicer(tmp_path / "a.seg.nrrd", labels(grid()).T, *stated)
    with pytest.raises(UserError, match="their number is one: 1 Tumour; 1 Bladder"):
        file.mask(Choice(name="tumour"))
    np.testing.assert_array_equal(file.mask(Choice(name="uterus")).data, labels(grid()) == 2)


def test_segments_without_label_values_are_refused_with_a_fix(tmp_path):
    layers = np.stack([(labels(grid()) == n).T for n in (1, 2)]).astype("u1")
    for stated in ([], [("Uterus", None, None), ("Tumour", None, None)]):
        with pytest.raises(UserError, match="does not say which label of which of its layers") as caught:
            slicer(tmp_path / "old.seg.nrrd", layers, *stated, layered=True)
        assert "3D Slicer 4.11" in caught.value.fix
    one = slicer(tmp_path / "one.seg.nrrd", (labels(grid()) == 1).T.astype("u1"), ("Tumour", None, None))
    assert one.mask(Choice(name="tumour")).data.sum() == (labels(grid()) == 1).sum()


@pytest.mark.parametrize("value", [1.6857, 0.5, 255, -1])
@pytest.mark.parametrize("ending", ["nii.gz", "mha"])
def test_a_mask_that_was_scaled_is_a_mask_and_it_is_said(ending, value, tmp_path):
    data = (labels(grid()) > 1) * np.float32(value)
    sitk.WriteImage(to_itk(data, grid()), str(tmp_path / f"mask.{ending}"))
    file = open_annotation(tmp_path / f"mask.{ending}")
    assert file.notes == (f"every voxel of the mask holds {value:g}, not 1",)
    for choice in (Choice(), Choice(number=value), Choice(number=value + 2e-5 * (value % 1))):
        np.testing.assert_array_equal(file.mask(choice).data, labels(grid()) > 1)
    with pytest.raises(UserError, match=f"holds no region of number 2, it holds: {value:g}"):
        file.mask(Choice(number=2))


def test_a_real_mask_that_was_scaled_is_a_mask(real_data):
    file = open_annotation(real_data / "prostate_13b" / "1_5T" / "tumor_roi.nii.gz")
    assert file.notes == ("every voxel of the mask holds 1.6857, not 1",)
    assert file.mask().data.sum() > 10


def test_a_file_of_zeros_is_an_error_unless_it_is_said_to_hold_no_tumour(tmp_path):
    write_image(tmp_path / "zeros.nii", np.zeros(grid().shape, np.uint8), grid())
    file = open_annotation(tmp_path / "zeros.nii")
    with pytest.raises(UserError, match="holds nothing but background"):
        file.mask()
    file.require_empty()
    write_image(tmp_path / "full.nii", labels(grid()), grid())
    with pytest.raises(UserError, match=r"full\.nii is said to hold no tumour, and region 1 "):
        open_annotation(tmp_path / "full.nii").require_empty()


def test_ras_coordinates_are_turned(tmp_path):
    header = slicer_header(grid(), False)
    flip = np.array([-1, -1, 1])
    header.update({"space": "right-anterior-superior", "space origin": header["space origin"] * flip})
    header["space directions"] = header["space directions"] * flip
    nrrd.write(str(tmp_path / "mask.nrrd"), labels(grid()).T, header)
    mask = open_annotation(tmp_path / "mask.nrrd").mask(Choice(number=1))
    assert mask.geometry.difference(grid(), tolerance_mm=1e-3) is None


@pytest.mark.parametrize("name", ["mask.nrrd", "mask.mha", "mask.nii.gz"])
def test_damaged_files_and_images_that_are_no_masks_are_refused_by_name(name, tmp_path):
    path = tmp_path / name
    sitk.WriteImage(to_itk(labels(grid()), grid()), str(path), useCompression=True)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) - 60], whole[:80], b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=name):
            open_annotation(path)
    several = (labels(grid()) * 0.25).astype(np.float32)
    for image in (np.full(grid().shape, 0.5, np.float32), several, np.where(several > 0.5, np.nan, 0)):
        sitk.WriteImage(to_itk(image.astype(np.float32), grid()), str(path))
        with pytest.raises(UserError, match=f"{name} is not a mask"):
            open_annotation(path)


def test_a_nrrd_file_that_lies_nowhere_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "mask.nrrd"), labels(grid()).T)
    with pytest.raises(UserError, match=r"mask\.nrrd cannot be read \(its header lacks the field 'space'\)"):
        open_annotation(tmp_path / "mask.nrrd")


def test_a_study_is_no_label_map(tmp_path):
    write_image(tmp_path / "dwi.nii", np.zeros((2, *grid().shape), np.int16), grid())
    with pytest.raises(UserError, match="is not a mask"):
        open_annotation(tmp_path / "dwi.nii")
