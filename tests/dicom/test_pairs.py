"""Studies of which an archive kept the scanner's ADC and one image of high b."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import scan_files, scan_folder
from uteroseg.dicom.studies import FoundStudy, find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.quality import body_in
from uteroseg.imaging.study import DERIVED, DwiStudy

from .build import COLUMNS, ROWS, Recipe, truncate, voxels, write_series

ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
TRUTH = np.linspace(0.4, 2.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS)  # 10⁻³ mm²/s
HIGH = Recipe(b_values=(1400,), number=5)


def in_millionths(ds: FileDataset) -> None:
    """An ADC map as most scanners store it."""
    ds.PixelData = np.round(TRUTH * 1000).astype(np.uint16).tobytes()
    ds.RescaleType = "10^-6 mm2/s"


def map_of(recipe: Recipe, **changes: Any) -> Recipe:
    about = {"b_values": (0,), "number": 6, "image_type": ADC, "description": "ADC", "adjust": in_millionths}
    return replace(recipe, **{**about, **changes})


def in_no_unit(ds: FileDataset) -> None:
    in_millionths(ds)
    ds.RescaleType, ds.RescaleSlope, ds.RescaleIntercept = "1", "0.1", "0"


def silent(ds: FileDataset, b: float) -> None:
    """No b-value anywhere."""


def calculated(number: int, b: float) -> Recipe:
    return replace(HIGH, number=number, b_values=(b,), image_type=("DERIVED", "SECONDARY", "CALC_BVALUE"))


def write(folder: Path, *recipes: Recipe) -> list[list[Path]]:
    return [write_series(folder / f"{i}", recipe) for i, recipe in enumerate(recipes)]


def found(folder: Path, *recipes: Recipe) -> Sequence[FoundStudy]:
    write(folder, *recipes)
    return find_studies(scan_folder(folder))


def refusal(study: FoundStudy, options: ReadOptions | None = None) -> str:
    with pytest.raises(UserError) as caught:
        load_study(study.used, options)
    return str(caught.value)


def require_derived(study: DwiStudy, b: float = 1400) -> None:
    assert study.b_values == (0, b)
    assert set(study.acquisition[DERIVED]) == {"0"}
    assert study.scanner_adc is not None
    for s, (low, high, adc, fitted) in enumerate(
        zip(*study.signal, study.scanner_adc, study.fit().adc, strict=True)
    ):
        np.testing.assert_array_equal(high, voxels(b, s))
        np.testing.assert_allclose(adc, TRUTH, atol=5e-4)
        np.testing.assert_allclose(fitted, TRUTH, atol=6e-4)
        np.testing.assert_allclose(low, high * np.exp(b / 1000 * adc.astype(float)), rtol=1e-5)


def test_a_map_and_one_measured_high_b_are_a_study(tmp_path: Path) -> None:
    (study,) = found(tmp_path, HIGH, map_of(HIGH))
    assert study.is_pair
    assert [series.number for series in study.used] == [5, 6]
    loaded = load_study(study.used)
    require_derived(loaded)
    assert loaded.acquisition["b_value_source"] == "standard (0018,9087)"


def test_its_key_is_that_of_both_series(tmp_path: Path) -> None:
    (study,) = found(tmp_path, HIGH, map_of(HIGH))
    uids = [series.series_uid for series in scan_folder(tmp_path).series]
    assert study.series_uids == " ".join(sorted(uids))


def test_a_calculated_image_counts_here_and_is_called_that(tmp_path: Path) -> None:
    (study,) = found(tmp_path, calculated(5, 1500), map_of(HIGH))
    loaded = load_study(study.used)
    require_derived(loaded, 1500)
    assert loaded.acquisition["b_value_source"] == "standard (0018,9087); the image was calculated"


@pytest.mark.parametrize("kind", ["measured", "calculated"])
@pytest.mark.parametrize("description", ["ep2d_b1400_tra", "DWI b=1400", "dwi B 1400"])
def test_the_b_value_can_stand_in_the_description(kind: str, description: str, tmp_path: Path) -> None:
    recipe = HIGH if kind == "measured" else calculated(5, 1400)
    (study,) = found(tmp_path, replace(recipe, description=description, dialect=silent), map_of(HIGH))
    require_derived(load_study(study.used))


@pytest.mark.parametrize("kind", ["measured", "calculated"])
def test_the_b_value_can_be_the_users_and_is_never_guessed(kind: str, tmp_path: Path) -> None:
    recipe = HIGH if kind == "measured" else calculated(5, 1400)
    (study,) = found(tmp_path, replace(recipe, dialect=silent), map_of(HIGH))
    assert "(`b_values`)" in refusal(study)
    loaded = load_study(study.used, ReadOptions(b_values=(1400,)))
    require_derived(loaded)
    assert str(loaded.acquisition["b_value_source"]).startswith("user")
    assert "1 images" in refusal(study, ReadOptions(b_values=(0, 1400)))


@pytest.mark.parametrize("b_values", [(0, 1400), (50, 400, 800)])
def test_where_several_were_measured_nothing_changes(b_values: Sequence[float], tmp_path: Path) -> None:
    (study,) = found(tmp_path, replace(HIGH, b_values=b_values), map_of(HIGH), calculated(7, 2000))
    assert not study.is_pair
    loaded = load_study(study.used)
    assert loaded.b_values == tuple(b_values)
    assert not loaded.derived
    assert study.series_uids == study.dwi[0].series_uid


def test_where_a_series_lost_its_b_values_nothing_changes(tmp_path: Path) -> None:
    (study,) = found(tmp_path, replace(HIGH, b_values=(0, 1400), dialect=silent), map_of(HIGH))
    assert not study.is_pair
    assert load_study(study.used, ReadOptions(b_values=(0, 1400))).b_values == (0, 1400)


def test_of_several_images_the_measured_one_then_the_one_near_b_1000_is_taken(tmp_path: Path) -> None:
    low = replace(HIGH, number=2, b_values=(0,), adjust=lambda ds: setattr(ds, "EchoTime", 50))
    (study,) = found(tmp_path / "a", low, HIGH, calculated(7, 1000), map_of(HIGH))
    assert [series.number for series in study.used] == [5, 6]
    other = replace(calculated(5, 2000), description="b2000")
    (study,) = found(tmp_path / "b", low, other, calculated(7, 1200), map_of(HIGH))
    assert [series.number for series in study.used] == [7, 6]
    assert [use.series.number for use in study.uses if not use.used] == [2, 5]


@pytest.mark.parametrize("one_series", [True, False])
def test_of_several_calculated_b_values_the_one_near_b_1000_is_taken(
    one_series: bool, tmp_path: Path
) -> None:
    several = replace(calculated(5, 0), b_values=(0, 500, 1200, 2000))
    parts = (
        [several] if one_series else [calculated(number, b) for number, b in ((5, 2000), (7, 1200), (8, 500))]
    )
    (study,) = found(tmp_path, *parts, map_of(HIGH))
    require_derived(load_study(study.used), 1200)


def test_stacks_whose_images_have_a_series_each_are_a_pair(tmp_path: Path) -> None:
    """As some archives export: a Series Instance UID for each image."""

    def alone(ds: FileDataset) -> None:
        ds.SeriesInstanceUID = generate_uid()

    def map_alone(ds: FileDataset) -> None:
        in_millionths(ds)
        alone(ds)

    (study,) = found(tmp_path, replace(HIGH, adjust=alone), map_of(HIGH, adjust=map_alone))
    assert len(study.series_uids.split()) == 10
    require_derived(load_study(study.used))


def test_two_acquisitions_have_a_map_each(tmp_path: Path) -> None:
    studies = found(tmp_path, HIGH, map_of(HIGH), replace(HIGH, number=8), map_of(HIGH, number=9))
    assert [[series.number for series in one.used] for one in studies] == [[5, 6], [8, 9]]
    assert len({one.series_uids for one in studies}) == 2


@pytest.mark.parametrize("b", [50, 500])
def test_an_image_that_is_not_of_high_b_makes_no_pair(b: float, tmp_path: Path) -> None:
    (study,) = found(tmp_path, replace(HIGH, b_values=(b,)), map_of(HIGH))
    assert not study.is_pair
    assert f"one image with a b-value, {b} s/mm²" in refusal(study)


def test_directions_of_the_high_b_are_combined(tmp_path: Path) -> None:
    directions = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    (study,) = found(tmp_path, replace(HIGH, directions=directions), map_of(HIGH))
    np.testing.assert_allclose(load_study(study.used).signal[1, 2], voxels(1400, 2), rtol=1e-6)


@pytest.mark.parametrize("damage", ["truncated", "gap", "twice", "grid", "frame", "unit", "empty"])
def test_a_map_that_cannot_stand_for_the_other_images_is_an_error(damage: str, tmp_path: Path) -> None:
    recipe = map_of(HIGH)
    changes: dict[str, Recipe] = {
        "grid": replace(recipe, slices=4),
        "twice": replace(recipe, b_values=(0, 1)),
        "frame": replace(recipe, frame_of_reference_uid=generate_uid()),
        "unit": replace(recipe, adjust=in_no_unit),
        "empty": replace(recipe, adjust=lambda ds: setattr(ds, "PixelData", bytes(2 * ROWS * COLUMNS))),
    }
    _, files = write(tmp_path, HIGH, changes.get(damage, recipe))
    if damage == "gap":
        files[2].unlink()
    if damage == "truncated":
        truncate(files[2], -10)
    (study,) = find_studies(scan_folder(tmp_path))
    assert study.is_pair
    told = {
        "truncated": str(files[2]),
        "gap": "gap",
        "twice": "twice",
        "grid": "grids differ",
        "frame": "two frames of reference",
        "unit": "unit of the ADC map",
        "empty": "no ADC above 0",
    }
    assert told[damage] in refusal(study)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    files, _ = write(tmp_path, HIGH, map_of(HIGH))
    truncate(files[3], -10)
    (study,) = find_studies(scan_folder(tmp_path))
    assert str(files[3]) in refusal(study)


def test_alignment_leaves_a_pair_as_it_is(tmp_path: Path) -> None:
    (study,) = found(tmp_path, HIGH, map_of(HIGH))
    loaded = load_study(study.used, ReadOptions(align=True, adc_b_min=200))
    require_derived(loaded)
    assert "alignment" not in loaded.acquisition


@pytest.mark.parametrize(("series", "at_least"), [("calculated_b", 0.97), ("dwi", 0.99)])
def test_a_real_derived_image_is_like_the_measured_one(series: str, at_least: float, real_data: Path) -> None:
    """PROSTATEx measured b 50, 400 and 800; of them the map and a high b are left."""
    case = real_data / "prostatex" / "0000"
    whole = load_study(find_studies(scan_folder(case))[0].used)
    adc = scan_folder(case / "adc").series
    if series == "dwi":
        (dwi,) = scan_folder(case / "dwi").series
        frames = [i for i, header in enumerate(dwi.headers) if b"800" in bytes(header[0x0019100C].value)]
        image = replace(
            dwi, files=tuple(dwi.files[i] for i in frames), headers=tuple(dwi.headers[i] for i in frames)
        )
    else:
        (image,) = scan_folder(case / series).series
    study = load_study((image, *adc))
    assert study.geometry.difference(whole.geometry, tolerance_mm=1e-3) is None
    assert study.b_values == (0, 800 if series == "dwi" else 1000)
    body = body_in(whole.signal[0])
    assert np.corrcoef(study.signal[0][body], whole.signal[0][body])[0, 1] > at_least
    assert np.median(study.signal[0][body] / whole.signal[0][body]) == pytest.approx(1, abs=0.05)
    assert whole.scanner_adc is not None
    positive = (whole.scanner_adc > 0) & (study.signal[1] > 0)
    np.testing.assert_allclose(study.fit().adc[positive], whole.scanner_adc[positive], atol=1e-4)


def test_a_real_examination_without_its_dwi_is_found(real_data: Path) -> None:
    folders = [real_data / "prostatex" / "0000" / name for name in ("adc", "calculated_b", "t2")]
    files = [path for folder in folders for path in folder.iterdir()]
    (study,) = find_studies(scan_files(sorted(files)))
    assert study.is_pair
    assert [series.number for series in study.used] == [8, 7]
