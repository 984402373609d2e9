"""Stored, displayed and comparable values: per file, per frame, and Philips' three scalings."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import Recipe, voxels, write_series
from .build_frames import write_enhanced

PHILIPS = "Philips Medical Systems"


def load(folder: Path) -> DwiStudy:
    return load_study(scan_folder(folder).series)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    return str(caught.value)


def gain(b: float) -> float:
    return 1 + b / 500


def display(ds: Dataset) -> None:
    """What Philips shows, with another slope for every b-value."""
    ds.RescaleSlope, ds.RescaleIntercept = f"{2 * gain(ds.DiffusionBValue):g}", 0


def scale_slope(ds: Dataset) -> None:
    """The factor from what was measured to what is stored: the same signal, stored with another gain."""
    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", 0.25 * gain(ds.DiffusionBValue))


def scale_slope_bytes(ds: Dataset) -> None:
    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "UN", struct.pack("<f", 0.25 * gain(ds.DiffusionBValue)))


def assert_comparable(study: DwiStudy) -> None:
    for index, b in enumerate((0, 500, 1000)):
        for s in range(5):
            np.testing.assert_allclose(study.signal[index, s], voxels(b, s) / (0.25 * gain(b)), rtol=1e-6)


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit VR", "implicit VR"])
@pytest.mark.parametrize("scale", [scale_slope, scale_slope_bytes])
def test_philips_signal_compares_between_images_of_different_slopes(
    scale: Callable[[Dataset], None], implicit: bool, tmp_path: Path
) -> None:
    def adjust(ds: Dataset) -> None:
        display(ds)
        scale(ds)

    write_series(tmp_path, Recipe(adjust=adjust, manufacturer=PHILIPS, implicit=implicit))
    assert_comparable(load(tmp_path))


def enhanced_rescale(slope: Callable[[float], float]) -> Callable[[Dataset, float, int], None]:
    def frame(group: Dataset, b: float, s: int) -> None:
        item = Dataset()
        item.RescaleSlope, item.RescaleIntercept, item.RescaleType = f"{slope(b):g}", 0, "normalized"
        group.PixelValueTransformationSequence = [item]

    return frame


def enhanced_philips(group: Dataset, b: float, s: int) -> None:
    """As in real Philips files: the private attributes of a frame in an item of (2005,140F)."""
    enhanced_rescale(lambda b: 2 * gain(b))(group, b, s)
    item = Dataset()
    item.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.25 * gain(b))
    block = group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    block.add_new(0x0F, "SQ", [item])


def test_enhanced_rescale_is_that_of_each_frame(tmp_path: Path) -> None:
    def frame(group: Dataset, b: float, s: int) -> None:
        enhanced_rescale(gain)(group, b, s)
        group.PixelValueTransformationSequence[0].RescaleIntercept = s

    write_enhanced(tmp_path / "enhanced.dcm", Recipe(), frame)
    study = load(tmp_path)
    for index, b in enumerate((0, 500, 1000)):
        for s in range(5):
            np.testing.assert_allclose(study.signal[index, s], voxels(b, s) * gain(b) + s)


def test_a_top_level_slope_of_an_enhanced_file_is_not_that_of_its_frames(tmp_path: Path) -> None:
    recipe = Recipe(adjust=lambda ds: setattr(ds, "RescaleSlope", 7))
    write_enhanced(tmp_path / "enhanced.dcm", recipe)
    np.testing.assert_array_equal(load(tmp_path).signal[1, 2], voxels(500, 2))


def test_philips_enhanced_signal_compares_between_frames_of_different_slopes(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "enhanced.dcm", Recipe(manufacturer=PHILIPS), enhanced_philips)
    assert_comparable(load(tmp_path))


def test_the_scale_slope_of_a_real_philips_file_is_found_in_every_frame(real_data: Path) -> None:
    (series,) = scan_folder(real_data / "philips_enhanced_header_only").series
    frames = frames_of(series)
    ds = pydicom.dcmread(series.files[0], stop_before_pixels=True)
    for frame in frames:
        (item,) = ds.PerFrameFunctionalGroupsSequence[frame.index][0x2005, 0x140F].value
        assert frame.scaling.scale_slope == pytest.approx(item[0x2005, 0x100E].value)
        assert frame.scaling.slope == pytest.approx(2.38510378510378)
    assert len(frames) == 32


def test_philips_images_of_different_slopes_without_scale_slope_are_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(adjust=display, manufacturer=PHILIPS))
    message = refusal(tmp_path)
    assert "signal cannot be compared between b-values" in message
    assert "slopes 4 and 2" in message
    assert str(files[0]) in message
    assert "export the series again with its private attributes" in message


def test_philips_enhanced_frames_of_different_slopes_without_scale_slope_are_refused_by_name(
    tmp_path: Path,
) -> None:
    path = write_enhanced(
        tmp_path / "enhanced.dcm",
        Recipe(manufacturer=PHILIPS),
        enhanced_rescale(lambda b: 2 * gain(b)),
    )
    message = refusal(tmp_path)
    assert "signal cannot be compared between b-values" in message
    assert str(path) in message


def test_a_scale_slope_in_some_of_the_images_only_is_refused_by_name(tmp_path: Path) -> None:
    def adjust(ds: Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 2, 0
        if ds.DiffusionBValue:
            scale_slope(ds)

    write_series(tmp_path, Recipe(adjust=adjust, manufacturer=PHILIPS))
    assert "signal cannot be compared" in refusal(tmp_path)


def test_philips_images_of_one_slope_need_no_scale_slope(tmp_path: Path) -> None:
    def adjust(ds: Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 2, 0

    write_series(tmp_path, Recipe(adjust=adjust, manufacturer=PHILIPS))
    np.testing.assert_array_equal(load(tmp_path).signal[2, 3], 2.0 * voxels(1000, 3))


def real_world(ds: Dataset) -> None:
    item = Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 2 * gain(ds.DiffusionBValue), 0.0
    ds.RealWorldValueMappingSequence = [item]


@pytest.mark.parametrize("rescale", [True, False], ids=["beside a rescale slope", "alone"])
def test_a_real_world_mapping_of_different_slopes_does_not_replace_the_scale_slope(
    rescale: bool, tmp_path: Path
) -> None:
    def adjust(ds: Dataset) -> None:
        real_world(ds)
        if rescale:
            display(ds)

    write_series(tmp_path, Recipe(adjust=adjust, manufacturer=PHILIPS))
    assert "signal cannot be compared between b-values" in refusal(tmp_path)


def test_a_real_world_mapping_beside_the_scale_slope_changes_nothing(tmp_path: Path) -> None:
    def adjust(ds: Dataset) -> None:
        display(ds)
        scale_slope(ds)
        real_world(ds)

    write_series(tmp_path, Recipe(adjust=adjust, manufacturer=PHILIPS))
    assert_comparable(load(tmp_path))


@pytest.mark.parametrize("manufacturer", ["SIEMENS", "GE MEDICAL SYSTEMS", "UIH", "CANON_MEC"])
def test_rescaled_values_of_other_vendors_compare_as_they_are(manufacturer: str, tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(adjust=display, manufacturer=manufacturer))
    study = load(tmp_path)
    for index, b in enumerate((0, 500, 1000)):
        np.testing.assert_allclose(study.signal[index, 2], 2 * gain(b) * voxels(b, 2), rtol=1e-6)
