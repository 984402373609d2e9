import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grids import ORIENTATIONS, grid, grids
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import (
    MAX_FORMS_APART,
    forms_apart,
    read_geometry,
    read_image,
    read_mask,
    write_image,
    write_mask,
)
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
    write_labels(tmp_path / "b.nii", np.zeros((3, 4, 5, 1, 2), np.uint8))
    with pytest.raises(UserError, match=r"has the dimensions \(3, 4, 5, 1, 2\)"):
        read_geometry(tmp_path / "b.nii")


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


VOXELS = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def saved(path, shift=(0.0, 0.0, 0.0), *, cls=nib.Nifti1Image, voxels=VOXELS, change=lambda image: None):
    """Save an image on an oblique grid whose sform is shifted (columns, rows, slices) against its qform."""
    affine = grid("oblique", voxels.shape[::-1][-3:]).nifti_affine
    image = cls(voxels, affine)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ shift
    image.set_qform(affine, code=1)
    image.set_sform(moved, code=1)
    image.header.set_xyzt_units("mm")
    change(image)
    image.to_filename(path)
    return path


def edited(path, **fields):
    """Change fields of an uncompressed file's header as they stand, whatever nibabel thinks of them."""
    content = path.read_bytes()
    header = nib.Nifti1Header(content[:348], "<", check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return path


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("voxels", [0.09, -0.09, 0.11, -0.11, 8])
def test_two_places_a_tenth_of_a_voxel_apart_are_refused_unless_one_is_chosen(tmp_path, axis, voxels):
    path = saved(tmp_path / "a.nii", voxels * np.eye(3)[axis])
    mm, apart = forms_apart(path)
    assert apart == pytest.approx(abs(voxels), abs=1e-4)
    assert mm == pytest.approx(abs(voxels) * (1.5, 2, 4)[axis], abs=1e-3)
    image = nib.load(path)
    for form, affine in (("qform", image.get_qform()), ("sform", image.get_sform())):
        for geometry in (read_image(path, form=form)[1], read_geometry(path, form=form)):
            np.testing.assert_allclose(geometry.nifti_affine, affine, atol=1e-5)
    if apart < MAX_FORMS_APART:
        np.testing.assert_allclose(read_geometry(path).nifti_affine, image.get_sform(), atol=1e-5)
        return
    for read in (read_image, read_geometry, read_mask):
        with pytest.raises(UserError, match=r"a\.nii gives two places for its grid") as caught:
            read(path)
    assert f"up to {mm:.1f} mm apart" in caught.value.found
    assert "by its qform" in caught.value.found
    assert "by its sform" in caught.value.found
    assert 'set `nifti_form` to "qform" or "sform"' in caught.value.fix


def test_forms_that_agree_at_the_first_voxel_are_compared_at_every_corner(tmp_path):
    def turn(image):
        sform = image.get_sform()
        sform[:3, 0] *= 1.1
        image.set_sform(sform, code=2)

    path = saved(tmp_path / "a.nii", change=turn)
    assert forms_apart(path)[1] == pytest.approx(0.2 / 1.1, abs=1e-3)
    with pytest.raises(UserError, match="two places"):
        read_image(path)


def test_a_place_is_that_of_the_one_form_that_is_valid(tmp_path):
    for form, other in (("qform", "sform"), ("sform", "qform")):
        path = edited(saved(tmp_path / "a.nii", (8, 0, 0)), **{f"{other}_code": 0})
        expected = nib.load(path).header
        expected = expected.get_qform() if form == "qform" else expected.get_sform()
        for chosen in (None, form, other):
            found = read_geometry(path, form=chosen).nifti_affine
            np.testing.assert_allclose(found, expected, atol=1e-5)
        assert forms_apart(path) == (0, 0)


def test_with_neither_form_valid_one_has_to_be_named(tmp_path):
    path = edited(saved(tmp_path / "a.nii", (8, 0, 0)), qform_code=0, sform_code=0)
    for read in (read_image, read_geometry, read_mask):
        with pytest.raises(
            UserError, match=r"a\.nii does not say where it lies: qform_code and sform_code"
        ) as e:
            read(path)
    assert "set `nifti_form`" in e.value.fix
    header = nib.load(path).header
    np.testing.assert_allclose(read_geometry(path, form="qform").nifti_affine, header.get_qform(), atol=1e-5)
    np.testing.assert_allclose(read_geometry(path, form="sform").nifti_affine, header.get_sform(), atol=1e-5)
    edited(path, srow_x=0, srow_y=0, srow_z=0)
    with pytest.raises(UserError, match="its sform is no place: it is singular"):
        read_geometry(path, form="sform")


@settings(deadline=None, max_examples=30)
@given(grids, st.booleans())
def test_what_we_write_gives_one_place_wherever_it_is(tmp_path_factory, geometry, four):
    path = tmp_path_factory.mktemp("n") / "a.nii"
    write_image(path, np.zeros((2,) * four + geometry.shape, np.uint8), geometry)
    assert forms_apart(path)[1] < 0.01
    assert read_geometry(path).difference(geometry, tolerance_mm=1e-3) is None
    if four:
        return
    itk = sitk.ReadImage(str(path))
    last = [n - 1 for n in geometry.shape]
    np.testing.assert_allclose(
        itk.TransformIndexToPhysicalPoint(last[::-1]), read_geometry(path).to_patient(last), atol=1e-2
    )


def test_what_we_write_of_a_skewed_grid_gives_one_place(tmp_path):
    affine = np.diag([-1.5, -1.5, 4.0, 1.0])
    affine[0, 1] = 1.5
    write_image(tmp_path / "a.nii", np.zeros((9, 64, 64), np.uint8), Geometry((9, 64, 64), affine))
    assert forms_apart(tmp_path / "a.nii") == (0, 0)
    assert read_geometry(tmp_path / "a.nii").difference(Geometry((9, 64, 64), affine)) is None


@pytest.mark.parametrize(("units", "factor"), [("meter", 1000), ("mm", 1), ("micron", 0.001), ("unknown", 1)])
@pytest.mark.parametrize("form", ["qform", "sform"])
def test_units_of_length_are_obeyed(tmp_path, units, factor, form):
    def change(image):
        image.header.set_xyzt_units(units, "sec")
        affine = grid("oblique", VOXELS.shape[::-1]).nifti_affine
        affine[:3] /= factor
        image.set_qform(affine, code=int(form == "qform"))
        image.set_sform(affine, code=int(form == "sform"))

    path = saved(tmp_path / "a.nii", change=change)
    expected = grid("oblique", VOXELS.shape[::-1])
    assert read_geometry(path).difference(expected, tolerance_mm=1e-3) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(("slope", "intercept"), [(np.nan, np.nan), (0, 0), (1, 0), (2.5, -3), (-1, 0)])
def test_slope_and_intercept_are_obeyed(tmp_path, dtype, slope, intercept):
    path = edited(
        saved(tmp_path / "a.nii", voxels=VOXELS.astype(dtype)), scl_slope=slope, scl_inter=intercept
    )
    scaled = VOXELS * slope + intercept if slope in (1, 2.5, -1) else VOXELS
    np.testing.assert_array_equal(read_image(path)[0], scaled.T.astype(np.float32))
    itk = sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkFloat64))
    np.testing.assert_array_equal(itk, scaled.T)


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nii.GZ", "NII", "Nii.Gz", "hdr", "img", "IMG"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_file_in_either_order_of_bytes_is_read(tmp_path, ending, version, order):
    pair = ending.lower() in ("hdr", "img")
    cls = getattr(nib, f"Nifti{version}{'Pair' if pair else 'Image'}")
    header = cls.header_class(endianness=order)
    header.set_data_dtype(np.dtype(np.int16).newbyteorder(order))
    affine = grid("oblique", VOXELS.shape[::-1]).nifti_affine
    image = cls(VOXELS, affine, header)
    image.set_qform(affine, code=1)
    image.to_filename(tmp_path / ("a.img" if pair else "a.nii.gz" if "g" in ending.lower() else "a.nii"))
    path = tmp_path / f"a.{ending}"
    written = tmp_path / ("a.img" if pair else path.name.lower())
    if ending != "hdr":
        written.rename(path)
    voxels, geometry = read_image(path)
    np.testing.assert_array_equal(voxels, VOXELS.T)
    assert geometry.difference(grid("oblique", VOXELS.shape[::-1]), tolerance_mm=1e-3) is None


def test_dimensions_of_one_beyond_the_third_are_none(tmp_path):
    for shape, expected in (((3, 4, 5, 1), 3), ((3, 4, 5, 1, 1), 3), ((3, 4, 5, 2, 1), 4)):
        write_labels(tmp_path / "a.nii", np.ones(shape, np.uint8))
        assert read_image(tmp_path / "a.nii")[0].ndim == expected
    write_labels(tmp_path / "a.nii", np.ones((3, 4, 5, 1), np.uint8))
    assert read_mask(tmp_path / "a.nii").data.shape == (5, 4, 3)


REFUSED = {
    "datatype = 128": {"datatype": 128},  # RGB
    "datatype = 32": {"datatype": 32},  # complex
    "datatype = 7": {"datatype": 7},
    "intent_code = 1007": {"intent_code": 1007},  # vectors
    "intent_code = 2003": {"intent_code": 2003},  # RGB
    "intent_code = 9999": {"intent_code": 9999},
    "xyzt_units = 5": {"xyzt_units": 5},
    "sform_code = 77": {"sform_code": 77},
    "qform_code = -1": {"qform_code": -1},
    "scl_slope = inf": {"scl_slope": np.inf},
    "scl_slope = 0, scl_inter = 7": {"scl_slope": 0, "scl_inter": 7},
    "scl_slope = nan, scl_inter = 7": {"scl_slope": np.nan, "scl_inter": 7},
    "Valid slope but invalid intercept": {"scl_slope": 2, "scl_inter": np.nan},
    "vox_offset = 0": {"vox_offset": 0},
    "vox_offset = 352.5": {"vox_offset": 352.5},
    "vox_offset = -8": {"vox_offset": -8},
    "its voxels end early, 118 of 120": {"vox_offset": 354},
    "it holds more than the 96 bytes": {"dim": [3, 3, 4, 4, 1, 1, 1, 1]},
    "dim = .*a count": {"dim": [3, 3, 4, 0, 1, 1, 1, 1]},
    "dim = .*a count and": {"dim": [9, 3, 4, 5, 1, 1, 1, 1]},
    "its qform is no place": {"quatern_b": 2},
    "its qform is no place: it is singular": {"pixdim": [1, 1, 0, 1, 1, 1, 1, 1]},
    "its qform is no place: pixdims": {"pixdim": [1, 1, -1, 1, 1, 1, 1, 1]},
    "its qform is no place: qfac": {"pixdim": [3, 1, 1, 1, 1, 1, 1, 1]},
    "its sform is no place": {"srow_x": [0, 0, 0, 4]},
    "an affine is a finite|no place": {"srow_x": [np.nan, 0, 0, 4]},
    "it is in Analyze format": {"magic": b""},
    "it does not begin as": {"sizeof_hdr": 349},
}


@pytest.mark.parametrize("message", REFUSED)
def test_fields_that_are_not_read_right_are_refused_by_name(tmp_path, message):
    path = edited(saved(tmp_path / "a.nii"), **REFUSED[message])
    with pytest.raises(UserError, match=r"a\.nii cannot be read \(.*(" + message + ")"):
        read_image(path)


def test_analyze_says_nothing_of_the_place(tmp_path):
    nib.save(nib.AnalyzeImage(VOXELS, np.diag([-1, 1, 1, 1])), tmp_path / "a.img")
    for name in ("a.img", "a.hdr"):
        with pytest.raises(UserError, match="Analyze format"):
            read_image(tmp_path / name)


def test_half_a_pair_is_refused(tmp_path):
    saved(tmp_path / "a.img", cls=nib.Nifti1Pair)
    (tmp_path / "a.img").unlink()
    with pytest.raises(UserError, match=r"a\.hdr cannot be read \(it needs one file a\.img beside it"):
        read_image(tmp_path / "a.hdr")


def test_a_checksum_that_is_wrong_and_bytes_behind_the_voxels_are_noticed(tmp_path):
    whole = saved(tmp_path / "a.nii.gz").read_bytes()
    for content, message in (
        (whole[:-8] + bytes(4) + whole[-4:], "CRC check failed"),
        (whole + b"more", "Not a gzipped file"),
        (gzip.compress(gzip.decompress(whole) + b"more"), "it holds more than the 120 bytes"),
        (whole[:-3], "Compressed file ended"),
    ):
        (tmp_path / "b.nii.gz").write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_image(tmp_path / "b.nii.gz")
    (tmp_path / "b.nii.gz").write_bytes(whole + bytes(512))  # as tapes pad
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii.gz")[0], VOXELS.T)


def test_labels_that_float32_cannot_tell_apart_are_no_mask(tmp_path):
    write_labels(tmp_path / "m.nii", np.resize(np.array([2**24, 2**24 + 1], np.int32), (3, 4, 5)))
    with pytest.raises(UserError, match="is not a mask"):
        read_mask(tmp_path / "m.nii", 2**24)


@pytest.mark.parametrize("pattern", ["isles22_case/*", "prostate_13b/*/*", "prostatex/masks/*"])
def test_real_files_are_read_as_nibabel_reads_them(real_data, pattern):
    paths = sorted(real_data.glob(f"{pattern}.nii.gz"))
    assert paths
    for path in paths:
        image, geometry = read_image(path)
        theirs = nib.load(path)
        np.testing.assert_array_equal(image, np.asarray(theirs.dataobj, np.float32).T)
        np.testing.assert_array_equal(geometry.nifti_affine, theirs.affine)
        assert forms_apart(path)[1] < 0.01
