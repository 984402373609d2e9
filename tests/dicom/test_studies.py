from dataclasses import replace
from pathlib import Path

import pytest

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies, require_studies
from uteroseg.errors import UserError

from .build import Recipe, truncate, write_series

ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
T2 = ("ORIGINAL", "PRIMARY", "M", "NORM")


def test_series_with_different_b_values_on_one_grid_are_one_study(tmp_path: Path) -> None:
    low = Recipe(b_values=(0, 100), number=3)
    write_series(tmp_path / "low", low)
    write_series(tmp_path / "high", replace(low, b_values=(500, 1000), number=4))
    write_series(tmp_path / "adc", replace(low, b_values=(0,), number=5, image_type=ADC))
    write_series(
        tmp_path / "t2",
        replace(low, b_values=(0,), number=1, image_type=T2, description="t2", dialect=lambda ds, b: None),
    )
    (study,) = find_studies(scan_folder(tmp_path))
    assert [s.number for s in study.dwi] == [3, 4]
    assert study.adc is not None
    assert study.adc.number == 5
    assert [s.number for s in study.others] == [1]
    assert (study.study_uid, study.patient_id, study.folder) == (low.study_uid, "SECRET-ID", tmp_path)
    assert [(u.series.number, u.used) for u in study.uses] == [(1, False), (3, True), (4, True), (5, True)]
    assert load_study(study.used[:2]).b_values == (0, 100, 500, 1000)


def test_repeated_b_values_are_another_acquisition_with_its_own_map(tmp_path: Path) -> None:
    first = Recipe(number=3)
    for number, image_type in ((3, first.image_type), (4, ADC), (8, first.image_type), (9, ADC)):
        b_values = (0,) if image_type == ADC else (0, 800)
        write_series(
            tmp_path / str(number), replace(first, number=number, image_type=image_type, b_values=b_values)
        )
    studies = find_studies(scan_folder(tmp_path))
    assert [([s.number for s in f.dwi], f.adc and f.adc.number) for f in studies] == [([3], 4), ([8], 9)]


@pytest.mark.parametrize("difference", ["echo time", "frame of reference", "orientation", "slices"])
def test_series_that_differ_otherwise_do_not_combine(difference: str, tmp_path: Path) -> None:
    first = Recipe(b_values=(0, 100), number=3)
    second = replace(first, b_values=(500, 1000), number=4)
    second = {
        "echo time": replace(second, adjust=lambda ds: setattr(ds, "EchoTime", 80)),
        "frame of reference": replace(second, frame_of_reference_uid="1.2.3"),
        "orientation": replace(second, orientation="oblique"),
        "slices": replace(second, slices=4),
    }[difference]
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", second)
    assert [[s.number for s in f.dwi] for f in find_studies(scan_folder(tmp_path))] == [[3], [4]]


def test_a_single_b_value_beside_a_whole_study_is_left_out_with_the_reason(tmp_path: Path) -> None:
    first = Recipe(b_values=(0, 800), number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, b_values=(0,), number=4))
    (study,) = find_studies(scan_folder(tmp_path))
    assert [s.number for s in study.dwi] == [3]
    assert [(u.series.number, u.used) for u in study.uses] == [(3, True), (4, False)]
    assert "b-values are already there" in study.uses[1].reason


def test_a_damaged_series_is_a_study_whose_loading_names_the_file(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    truncate(files[2], -10)
    (study,) = find_studies(scan_folder(tmp_path))
    with pytest.raises(UserError) as caught:
        load_study(study.used)
    assert str(files[2]) in caught.value.found


def test_a_damaged_map_is_left_out_with_its_file_named(tmp_path: Path) -> None:
    first = Recipe(number=3)
    write_series(tmp_path / "dwi", first)
    files = write_series(tmp_path / "adc", replace(first, b_values=(0,), number=4, image_type=ADC))
    truncate(files[1], -10)
    (study,) = find_studies(scan_folder(tmp_path))
    assert study.adc is None
    assert str(files[1]) in study.uses[1].reason


def test_patients_are_kept_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "a", Recipe(b_values=(0, 100)))
    write_series(tmp_path / "b", Recipe(b_values=(500, 1000)))
    assert len(find_studies(scan_folder(tmp_path))) == 2


def test_no_diffusion_is_an_empty_result_and_an_error_that_lists_what_was_found(tmp_path: Path) -> None:
    recipe = Recipe(b_values=(0,), image_type=T2, description="t2_tse", dialect=lambda ds, b: None, number=2)
    write_series(tmp_path, recipe)
    scan = scan_folder(tmp_path)
    assert find_studies(scan) == ()
    with pytest.raises(UserError, match=r"series 2 \(t2_tse\): t2, description names T2"):
        require_studies(scan, tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no DICOM files"):
        require_studies(scan_folder(tmp_path), tmp_path)
