from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    MediaStorageDirectoryStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies, require_studies
from uteroseg.errors import UserError

from .build import Recipe, truncate, voxels, write_series

ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
DIRECTIONS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
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
    assert "b-values are there already" in study.uses[1].reason


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ({"adjust": lambda ds: setattr(ds, "EchoTime", 80)}, "another grid: echo time 80 ms, not "),
        ({"frame_of_reference_uid": "1.2.3"}, "another grid: another frame of reference"),
        ({"orientation": "oblique"}, "another grid: another orientation"),
    ],
)
def test_the_reason_why_a_b_value_is_left_out_names_what_differs(
    difference: dict[str, object], reason: str, tmp_path: Path
) -> None:
    first = Recipe(b_values=(0, 800), number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, b_values=(400,), number=4, **difference))  # type: ignore[arg-type]
    (study,) = find_studies(scan_folder(tmp_path))
    (spare,) = [use.reason for use in study.uses if not use.used]
    assert reason in spare


def isotropic(ds: Dataset) -> None:
    """A trace image as Siemens writes it: b 0 has no direction at all."""
    if ds.DiffusionBValue > 0:
        ds.DiffusionDirectionality = "ISOTROPIC"


@pytest.mark.parametrize("trace_first", [True, False])
def test_directions_beside_their_trace_images_are_one_study(tmp_path: Path, trace_first: bool) -> None:
    numbers = (3, 4) if trace_first else (4, 3)
    trace = Recipe(b_values=(0, 500, 1000), number=numbers[0], adjust=isotropic)
    write_series(tmp_path / "trace", trace)
    directions = replace(trace, directions=DIRECTIONS, number=numbers[1], adjust=lambda ds: None)
    write_series(tmp_path / "directions", directions)
    (study,) = find_studies(scan_folder(tmp_path))
    assert [s.number for s in study.dwi] == [numbers[0]]
    (spare,) = [use for use in study.uses if not use.used]
    assert "b-values are there already" in spare.reason
    assert load_study(study.used).b_values == (0, 500, 1000)


def test_b_0_comes_from_the_directions_where_the_trace_series_has_none(tmp_path: Path) -> None:
    directions = Recipe(b_values=(0, 1000), directions=DIRECTIONS, number=3)
    write_series(tmp_path / "directions", replace(directions, adjust=darker))
    write_series(tmp_path / "trace", replace(directions, b_values=(1000,), directions=(), adjust=isotropic))
    (study,) = find_studies(scan_folder(tmp_path))
    assert len(study.dwi) == 2
    loaded = load_study(study.used)
    assert loaded.b_values == (0, 1000)
    np.testing.assert_array_equal(loaded.signal[0], [voxels(0, s) // 2 for s in range(5)])
    np.testing.assert_array_equal(loaded.signal[1], [voxels(1000, s) for s in range(5)])


def darker(ds: Dataset) -> None:
    """Pixels that tell the series of directions from the trace series."""
    ds.PixelData = (ds.pixel_array // 2).astype(np.uint16).tobytes()


def test_studies_come_by_date(tmp_path: Path) -> None:
    for folder, date in (("a", "20210305"), ("b", "20200101"), ("c", "20220607")):
        recipe = Recipe(adjust=lambda ds, date=date: setattr(ds, "StudyDate", date))
        write_series(tmp_path / folder, recipe)
    assert [f.date for f in find_studies(scan_folder(tmp_path))] == ["20200101", "20210305", "20220607"]


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
    assert f"{files[1]} cannot be read" in study.notes[0]
    assert str(files[1]) in study.uses[1].reason


@pytest.mark.parametrize("difference", ["grid", "end"])
def test_a_map_on_another_grid_is_left_out_and_it_is_said(difference: str, tmp_path: Path) -> None:
    first = Recipe(number=3)
    write_series(tmp_path / "dwi", first)
    pixels = [3, 3] if difference == "grid" else [2.0, 1.5]
    adc = replace(
        first, b_values=(0,), number=4, image_type=ADC, adjust=lambda ds: setattr(ds, "PixelSpacing", pixels)
    )
    files = write_series(tmp_path / "adc", adc)
    if difference == "end":
        files[-1].unlink()
    (study,) = find_studies(scan_folder(tmp_path))
    assert study.adc is None
    assert study.notes[0].startswith("series 4 (DWI) is left out: ADC map of another grid: ")


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


def foreign(path: Path, sop_class: str, modality: str, recipe: Recipe) -> None:
    """An object of the same examination that is no image of a slice: a report, a structure set …"""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "SECRET-ID", recipe.study_uid, generate_uid()
    ds.Modality, ds.SeriesDescription, ds.SeriesNumber = modality, modality, 99
    ds.save_as(path, enforce_file_format=True)


def test_a_whole_examination_as_a_hospital_exports_it(tmp_path: Path) -> None:
    """DICOMDIR, localizer, T2, reports and other objects, two patients, names without extension."""
    dwi = Recipe(b_values=(0, 800), number=5)
    silent = replace(dwi, b_values=(0,), dialect=lambda ds, b: None)
    write_series(tmp_path / "IMG" / "A" / "1", dwi)
    localizer = ("ORIGINAL", "PRIMARY", "M", "LOCALIZER")
    write_series(
        tmp_path / "IMG" / "A" / "2", replace(silent, image_type=localizer, description="loc", number=1)
    )
    write_series(tmp_path / "IMG" / "A" / "3", replace(silent, image_type=T2, description="t2_sag", number=2))
    for sop_class, modality in (
        (EnhancedSRStorage, "SR"),
        (EncapsulatedPDFStorage, "DOC"),
        (SecondaryCaptureImageStorage, "OT"),
        (RTStructureSetStorage, "RTSTRUCT"),
        (GrayscaleSoftcopyPresentationStateStorage, "PR"),
    ):
        foreign(tmp_path / "IMG" / "A" / modality, sop_class, modality, dwi)
    other = Recipe(b_values=(50, 600), adjust=lambda ds: setattr(ds, "PatientID", "SECOND"))
    write_series(tmp_path / "IMG" / "B", other)
    foreign(tmp_path / "DICOMDIR", MediaStorageDirectoryStorage, "", dwi)
    (tmp_path / "README.TXT").write_text("viewer on this disc")
    (tmp_path / "AUTORUN.INF").write_bytes(b"[autorun]")
    scan = scan_folder(tmp_path)
    assert [file.path.name for file in scan.skipped] == ["OT"]  # a screen capture that was cut off
    second, first = find_studies(scan)
    assert (first.patient_id, second.patient_id) == ("SECRET-ID", "SECOND")
    assert [load_study(found.used).b_values for found in (first, second)] == [(0, 800), (50, 600)]
    kinds = {use.series.description: (use.series.kind.value, use.used) for use in first.uses}
    assert kinds["DWI"] == ("dwi", True)
    assert kinds["loc"] == ("other", False)
    assert kinds["t2_sag"] == ("t2", False)
    assert kinds["RTSTRUCT"] == ("rtstruct", False)
    assert kinds["SR"] == kinds["DOC"] == kinds["PR"] == ("other", False)


@pytest.mark.parametrize("of", ["b-value", "repeat"])
def test_a_series_of_several_echo_times_is_refused_with_two_files_named(of: str, tmp_path: Path) -> None:
    def longer(ds: pydicom.Dataset) -> None:
        ds.EchoTime = 63 + 30 * (ds.DiffusionBValue > 0 if of == "b-value" else ds.InstanceNumber > 10)

    write_series(
        tmp_path, Recipe(b_values=(0, 0, 1000, 1000) if of == "repeat" else (0, 1000), adjust=longer)
    )
    (study,) = find_studies(scan_folder(tmp_path))
    with pytest.raises(UserError, match=r"mixes echo times: \S+ has 63 ms, \S+ has 93 ms"):
        load_study(study.used)


def test_echo_times_that_are_rounded_or_unknown_are_one(tmp_path: Path) -> None:
    def rounded(ds: pydicom.Dataset) -> None:
        ds.EchoTime = (63, 63.1, None, 0)[ds.InstanceNumber % 4]

    write_series(tmp_path, Recipe(adjust=rounded))
    (study,) = find_studies(scan_folder(tmp_path))
    assert load_study(study.used).b_values == (0, 500, 1000)


def test_a_map_of_the_other_acquisition_is_not_said_to_be_left_out(tmp_path: Path) -> None:
    first = Recipe(number=3)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "adc", replace(first, b_values=(0,), number=4, image_type=ADC))
    write_series(tmp_path / "b", replace(first, number=8))
    assert [study.notes for study in find_studies(scan_folder(tmp_path))] == [(), ()]
