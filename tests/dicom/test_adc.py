from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from uteroseg.dicom.adc import load_adc
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError
from uteroseg.imaging.study import ADC_LEFT_OUT

from .build import COLUMNS, ROWS, Recipe, truncate, write_series

ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
TRUTH = np.linspace(0.4, 3.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS)  # 10⁻³ mm²/s


def stored(ds: pydicom.Dataset, *, slope: float | None, per_unit: float, unit: str = "") -> None:
    """Store the truth in a unit of which one 10⁻³ mm²/s holds ``per_unit``, with this rescale slope."""
    ds.PixelData = np.round(TRUTH * per_unit / (slope or 1)).astype(np.uint16).tobytes()
    if slope is not None:
        ds.RescaleSlope, ds.RescaleIntercept = f"{slope:g}", 0
    if unit:
        ds.RescaleType = unit


def in_millionths(ds: pydicom.Dataset) -> None:
    stored(ds, slope=None, per_unit=1000)


@pytest.mark.parametrize(
    ("slope", "per_unit", "unit"),
    [
        (None, 1000, ""),
        (1, 1000, "US"),
        (1, 1000, "10^-6 mm2/s"),
        (0.001, 1, "10^-3 mm^2/s"),
        (0.001, 1, ""),
        (1e-6, 1e-3, "mm2/s"),
        (1e-6, 1e-3, ""),
        (1, 1000, "10^-3 mm2/s"),  # what is stated is wrong
    ],
)
def test_adc_arrives_in_our_unit(slope: float | None, per_unit: float, unit: str, tmp_path: Path) -> None:
    recipe = Recipe(
        b_values=(0,),
        image_type=ADC,
        adjust=lambda ds: stored(ds, slope=slope, per_unit=per_unit, unit=unit),
    )
    write_series(tmp_path, recipe)
    adc, geometry = load_adc(scan_folder(tmp_path).series[0])
    assert adc.shape == geometry.shape
    np.testing.assert_allclose(adc[2], TRUTH, atol=0.001)


def test_a_map_in_no_unit_of_adc_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(b_values=(0,), image_type=ADC, adjust=lambda ds: stored(ds, slope=1e4, per_unit=1e8))
    write_series(tmp_path, recipe)
    with pytest.raises(UserError, match="unit of the ADC map series 3"):
        load_adc(scan_folder(tmp_path).series[0])


def test_an_empty_map_stays_empty(tmp_path: Path) -> None:
    recipe = Recipe(b_values=(0,), image_type=ADC, adjust=lambda ds: setattr(ds, "PixelData", bytes(240)))
    write_series(tmp_path, recipe)
    assert not load_adc(scan_folder(tmp_path).series[0])[0].any()


def test_a_map_with_a_slice_twice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(b_values=(0, 800), image_type=ADC))
    with pytest.raises(UserError, match=r"the map at \(-30.0, 20.0, -55.0\) mm twice"):
        load_adc(scan_folder(tmp_path).series[0])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("gap", "its slices form no whole volume"),
        ("twice", "its slices form no whole volume"),
        ("end", "it lies on another grid than the images"),
        ("grid", "it lies on another grid than the images"),
        ("truncated", "a file of it cannot be read"),
        ("unit", "its unit cannot be told"),
        ("pixels", "its pixels cannot be read"),
    ],
)
def test_a_map_that_cannot_be_used_is_left_out_and_the_study_says_why(
    damage: str, told: str, tmp_path: Path
) -> None:
    def broken(ds: pydicom.Dataset) -> None:
        stored(ds, slope=1e4 if damage == "unit" else None, per_unit=1e8 if damage == "unit" else 1000)

    dwi = Recipe()
    write_series(tmp_path / "dwi", dwi)
    recipe = replace(
        dwi,
        number=4,
        b_values=(0, 1) if damage == "twice" else (0,),
        slices=4 if damage == "grid" else dwi.slices,
        image_type=ADC,
        adjust=broken,
    )
    files = write_series(tmp_path / "adc", recipe)
    if damage in ("gap", "end"):
        files[2 if damage == "gap" else -1].unlink()
    if damage == "truncated":
        truncate(files[2], -10)
    series = scan_folder(tmp_path).series
    if damage == "pixels":  # after its header was read
        truncate(files[2], -10)
    study = load_study(series)
    assert study.b_values == (0, 500, 1000)
    assert study.scanner_adc is None
    assert study.acquisition[ADC_LEFT_OUT] == told


def test_a_map_that_can_be_used_is_not_spoken_of(tmp_path: Path) -> None:
    dwi = Recipe()
    write_series(tmp_path / "dwi", dwi)
    write_series(
        tmp_path / "adc", replace(dwi, number=4, b_values=(0,), image_type=ADC, adjust=in_millionths)
    )
    study = load_study(scan_folder(tmp_path).series)
    assert study.scanner_adc is not None
    np.testing.assert_allclose(study.scanner_adc[1], TRUTH, atol=1e-3)
    assert ADC_LEFT_OUT not in study.acquisition


def test_a_rescale_slope_of_0_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(adjust=lambda ds: setattr(ds, "RescaleSlope", 0)))
    with pytest.raises(UserError, match="its Rescale Slope and Intercept are 0 and 0"):
        load_study(scan_folder(tmp_path).series)
