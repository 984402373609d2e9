import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import ORIENTATIONS, PIXEL_SPACING, Recipe, edit, position, truncate, voxels, write_series


def load(folder: Path) -> DwiStudy:
    return load_study(scan_folder(folder).series)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    return str(caught.value)


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_image_lands_at_its_b_value_and_position(
    orientation: str, descending: bool, tmp_path: Path
) -> None:
    write_series(tmp_path, Recipe(orientation=orientation, descending=descending))
    study = load(tmp_path)
    expected = [[voxels(b, s) for s in range(5)] for b in (0, 500, 1000)]
    np.testing.assert_array_equal(study.signal, expected)
    for s in range(5):
        np.testing.assert_allclose(study.geometry.to_patient((s, 0, 0)), position(orientation, s), atol=1e-6)
    cosines = np.array(ORIENTATIONS[orientation])
    corner = (
        position(orientation, 2) + 9 * PIXEL_SPACING[1] * cosines[:3] + 11 * PIXEL_SPACING[0] * cosines[3:]
    )
    np.testing.assert_allclose(study.geometry.to_patient((2, 11, 9)), corner, atol=1e-6)
    assert study.geometry.normal @ study.geometry.affine[:3, 0] > 0


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_geometry_is_that_of_simpleitk(orientation: str, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(orientation=orientation, b_values=(500,)))
    image = sitk.ReadImage([str(path) for path in files])
    study = load(tmp_path)
    for index in [(0, 0, 0), (4, 11, 9), (2, 3, 7)]:
        point = image.TransformIndexToPhysicalPoint(index[::-1])
        np.testing.assert_allclose(study.geometry.to_patient(index), point, atol=1e-3)
    np.testing.assert_array_equal(study.signal[0], sitk.GetArrayFromImage(image))


def test_file_names_and_instance_numbers_do_not_matter(tmp_path: Path) -> None:
    recipe = Recipe(orientation="oblique")
    write_series(tmp_path / "a", recipe)
    files = write_series(tmp_path / "b", recipe)
    order = np.random.default_rng(1).permutation(len(files))
    for path, new in zip(files, order, strict=True):
        edit(path, lambda ds, number=int(new): setattr(ds, "InstanceNumber", number // 2))
        path.rename(path.with_name(f"{new:03d}.ima"))
    a, b = load(tmp_path / "a"), load(tmp_path / "b")
    np.testing.assert_array_equal(a.signal, b.signal)
    np.testing.assert_array_equal(a.geometry.affine, b.geometry.affine)
    assert a.b_values == b.b_values


def test_rescale_is_applied_per_file(tmp_path: Path) -> None:
    def rescale(ds: pydicom.Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 0.5 + ds.DiffusionBValue / 1000, 10

    write_series(tmp_path, Recipe(adjust=rescale))
    study = load(tmp_path)
    np.testing.assert_allclose(study.signal[0, 1], 0.5 * voxels(0, 1) + 10)
    np.testing.assert_allclose(study.signal[2, 1], 1.5 * voxels(1000, 1) + 10)


def test_philips_signal_is_comparable_between_images_of_different_slopes(tmp_path: Path) -> None:
    def scale(ds: pydicom.Dataset) -> None:
        # The same physical signal (stored ÷ scale slope), stored with another gain at each b-value.
        gain = 1 + ds.DiffusionBValue / 500
        ds.RescaleSlope, ds.RescaleIntercept = 2 * gain, 0
        block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.25 * gain)

    write_series(tmp_path, Recipe(adjust=scale, manufacturer="Philips Medical Systems"))
    study = load(tmp_path)
    np.testing.assert_allclose(study.signal[0, 1], voxels(0, 1) / 0.25, rtol=1e-6)
    np.testing.assert_allclose(study.signal[2, 1], voxels(1000, 1) / 0.75, rtol=1e-6)


DIRECTIONS = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def _directional(ds: pydicom.Dataset) -> None:
    if "DiffusionGradientOrientation" in ds:
        factor = 1 + 1 * int(np.argmax(ds.DiffusionGradientOrientation))
        ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) * factor).tobytes()


def test_directions_combine_to_their_geometric_mean(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(b_values=(0, 800), directions=DIRECTIONS, adjust=_directional))
    study = load(tmp_path)
    np.testing.assert_array_equal(study.signal[0, 2], voxels(0, 2))
    np.testing.assert_allclose(study.signal[1, 2], voxels(800, 2) * 6 ** (1 / 3), rtol=1e-5)


def test_no_signal_in_one_direction_is_no_signal_in_the_trace(tmp_path: Path) -> None:
    def blank(ds: pydicom.Dataset) -> None:
        if list(ds.get("DiffusionGradientOrientation", ())) == [0, 1, 0]:
            ds.PixelData = bytes(len(ds.PixelData))

    write_series(tmp_path, Recipe(b_values=(0, 800), directions=DIRECTIONS, adjust=blank))
    assert (load(tmp_path).signal[1] == 0).all()


def test_the_scanners_trace_is_used_rather_than_the_directions_beside_it(tmp_path: Path) -> None:
    def trace(ds: pydicom.Dataset) -> None:
        _directional(ds)
        if list(ds.get("DiffusionGradientOrientation", ())) == [0, 0, 1]:
            del ds.DiffusionGradientOrientation
            ds.DiffusionDirectionality = "ISOTROPIC"

    write_series(tmp_path, Recipe(b_values=(0, 800), directions=DIRECTIONS, adjust=trace))
    np.testing.assert_array_equal(load(tmp_path).signal[1, 2], voxels(800, 2) * 3)


def test_a_slice_missing_at_one_b_value_is_named(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe())[7].unlink()
    message = refusal(tmp_path)
    assert "no image for b 500 at (-30.0, 20.0, -47.0) mm" in message


def test_an_end_slice_missing_at_one_b_value_is_named(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe())[14].unlink()
    assert "no image for b 1000 at (-30.0, 20.0, -39.0) mm" in refusal(tmp_path)


def test_a_slice_missing_everywhere_is_a_named_gap(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    for path in files[2::5]:
        path.unlink()
    message = refusal(tmp_path)
    assert "8.00 mm between the slices at (-30.0, 20.0, -51.0) mm and (-30.0, 20.0, -43.0) mm" in message
    assert "elsewhere 4.00 mm" in message


def test_a_missing_direction_is_named(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(b_values=(0, 800), directions=DIRECTIONS))
    files[12].unlink()
    message = refusal(tmp_path)
    assert "2 images for b 800 at (-30.0, 20.0, -47.0) mm" in message
    assert "elsewhere 3" in message


@pytest.mark.parametrize("new_uid", [False, True], ids=["copied file", "copy with its own UID"])
def test_a_slice_that_is_there_twice_is_named(new_uid: bool, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    copy = tmp_path / "copy"
    shutil.copy(files[8], copy)
    if new_uid:
        edit(copy, lambda ds: setattr(ds, "SOPInstanceUID", generate_uid()))
    message = refusal(tmp_path)
    assert "b 500 at (-30.0, 20.0, -43.0) mm twice" in message
    assert str(copy) in message
    assert str(files[8]) in message


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds, "PixelSpacing", [2.1, 1.5]),
        lambda ds: setattr(ds, "ImageOrientationPatient", [1, 0, 0, 0, 0.9998, 0.02]),
        lambda ds: (setattr(ds, "Rows", 10), setattr(ds, "Columns", 12)),
    ],
    ids=["spacing", "orientation", "size"],
)
def test_an_image_on_another_grid_is_named(change: object, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[6], change)  # type: ignore[arg-type]
    message = refusal(tmp_path)
    assert "mixes grids" in message
    assert str(files[6]) in message


def leave_out(folder: Path) -> DwiStudy:
    return load_study(scan_folder(folder).series, ReadOptions(drop_incomplete=True))


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (lambda files: files[7].unlink(), "no image at (-30.0, 20.0, -47.0) mm"),
        (lambda files: shutil.copy(files[8], files[8].with_name("copy")), "twice at (-30.0, 20.0, -43.0) mm"),
        (lambda files: truncate(files[9], -100), "no image at (-30.0, 20.0, -39.0) mm"),
    ],
    ids=["missing", "double", "truncated"],
)
def test_an_incomplete_b_value_is_left_out_on_request_and_named(
    defect: object, reason: str, tmp_path: Path
) -> None:
    files = write_series(tmp_path, Recipe())
    defect(files)  # type: ignore[operator]
    with pytest.raises(UserError):
        load(tmp_path)
    study = leave_out(tmp_path)
    assert study.b_values == (0, 1000)
    np.testing.assert_array_equal(study.signal, [[voxels(b, s) for s in range(5)] for b in (0, 1000)])
    assert study.acquisition["b_values_left_out"] == {"500": reason}


def test_a_b_value_with_a_missing_direction_is_left_out_on_request(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(b_values=(0, 400, 800), directions=DIRECTIONS))
    files[12].unlink()
    study = leave_out(tmp_path)
    assert study.b_values == (0, 800)
    reason = "2 images at (-30.0, 20.0, -47.0) mm, elsewhere 3"
    assert study.acquisition["b_values_left_out"] == {"400": reason}


def test_whole_studies_lose_nothing_where_incomplete_ones_may(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe())
    study = leave_out(tmp_path)
    assert study.b_values == (0, 500, 1000)
    assert "b_values_left_out" not in study.acquisition


def test_a_study_of_which_one_b_value_would_be_left_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(b_values=(0, 800)))[7].unlink()
    with pytest.raises(UserError, match="no image for b 800"):
        leave_out(tmp_path)


def test_an_image_shifted_in_its_plane_is_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(b_values=(500, 1000)))
    for path in files[5:]:
        edit(path, lambda ds: setattr(ds, "ImagePositionPatient", [-20, *ds.ImagePositionPatient[1:]]))
    message = refusal(tmp_path)
    assert "(-20.0, 20.0, -55.0) mm" in message
    assert str(files[5]) in message


@pytest.mark.parametrize("keep", [400, -100], ids=["in the header", "in the pixels"])
def test_a_truncated_file_is_refused_by_name(keep: int, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    truncate(files[3], keep)
    assert str(files[3]) in refusal(tmp_path)


def test_a_file_truncated_after_the_scan_is_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    series = scan_folder(tmp_path).series
    truncate(files[3], -100)
    with pytest.raises(UserError, match="pixels cannot be read") as caught:
        load_study(series)
    assert str(files[3]) in caught.value.found


def test_an_unknown_b_value_is_refused_with_its_file(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[5], lambda ds: ds.__delitem__("DiffusionBValue"))
    message = refusal(tmp_path)
    assert "b-value of 1 of 15 images" in message
    assert str(files[5]) in message


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_file_without_geometry_is_refused_by_name(keyword: str, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[5], lambda ds: ds.__delitem__(keyword))
    assert str(files[5]) in refusal(tmp_path)


def test_a_mosaic_is_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(image_type=("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC")))
    assert f"{files[0]} holds all slices" in refusal(tmp_path)


def test_no_diffusion_series_is_refused(tmp_path: Path) -> None:
    assert "There is no diffusion series" in refusal(tmp_path)
