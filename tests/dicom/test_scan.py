import os
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import (
    EncapsulatedPDFStorage,
    EnhancedMRImageStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MRSpectroscopyStorage,
    RawDataStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from uteroseg.dicom import reading
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import examinations, files_by_study, list_files, scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError

from .build import Recipe, edit, truncate, write_series


def test_dicom_is_known_by_content_and_other_files_are_passed_over(tmp_path: Path) -> None:
    files = write_series(tmp_path / "deep" / "er", Recipe())
    files[0].rename(files[0].with_suffix(".txt"))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").touch()
    (tmp_path / "image.png").write_bytes(b"\x89PNG" + bytes(500))
    scan = scan_folder(tmp_path)
    assert [len(s.files) for s in scan.series] == [15]
    assert scan.skipped == ()


def test_files_without_preamble_are_read(tmp_path: Path) -> None:
    for path in write_series(tmp_path, Recipe(implicit=True)):
        path.write_bytes(path.read_bytes()[132:])
    assert [len(s.files) for s in scan_folder(tmp_path).series] == [15]


def test_a_directory_file_is_no_series(tmp_path: Path) -> None:
    directory = FileSet()
    for path in write_series(tmp_path / "files", Recipe(slices=1)):
        directory.add(path)
    directory.write(tmp_path / "disc")
    assert (tmp_path / "disc" / "DICOMDIR").exists()
    scan = scan_folder(tmp_path / "disc")
    assert [len(s.files) for s in scan.series] == [3]
    assert scan.skipped == ()


def test_series_carry_what_identifies_them(tmp_path: Path) -> None:
    recipe = Recipe(description="ep2d", number=7)
    write_series(tmp_path, recipe)
    (series,) = scan_folder(tmp_path).series
    assert (series.study_uid, series.frame_of_reference_uid) == (
        recipe.study_uid,
        recipe.frame_of_reference_uid,
    )
    assert (series.number, series.description, series.patient_id) == (7, "ep2d", "SECRET-ID")
    assert (series.modality, series.manufacturer) == ("MR", "SIEMENS")
    assert not any("PixelData" in header for header in series.headers)


def _header_size(path: Path) -> int:
    return len(path.read_bytes()) - len(pydicom.dcmread(path).PixelData)


@pytest.mark.parametrize("keep", ["preamble", "meta", "header", "before pixels", "pixels"])
def test_a_truncated_file_is_reported_by_name_wherever_it_ends(keep: str, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    header = _header_size(files[4])
    at = {"preamble": 140, "meta": 250, "header": 900, "before pixels": header - 12, "pixels": -7}
    truncate(files[4], at[keep])
    scan = scan_folder(tmp_path)
    assert [file.path for file in scan.skipped] == [files[4]]
    assert [file.path for file in scan.series[0].unreadable] == [files[4]]
    assert len(scan.series[0].files) == 14


def test_truncation_at_any_byte_is_seen(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path, Recipe(b_values=(0,), slices=1))
    whole = path.read_bytes()
    for size in range(132, len(whole), 3):
        path.write_bytes(whole[:size])
        scan = scan_folder(path)
        assert [file.path for file in scan.skipped] == [path], f"cut at {size}"
        assert scan.series == ()


def test_a_file_named_like_dicom_that_is_not_is_reported(tmp_path: Path) -> None:
    (tmp_path / "IM0001.dcm").touch()
    assert [file.path.name for file in scan_folder(tmp_path).skipped] == ["IM0001.dcm"]


def test_kinds_that_share_a_series_uid_are_taken_apart(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(b_values=(0, 500, 1000), slices=2))
    for path in files[4:]:
        edit(path, lambda ds: setattr(ds, "ImageType", ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]))
    found = {s.kind.value: len(s.files) for s in scan_folder(tmp_path).series}
    assert found == {"dwi": 4, "adc": 2}


def test_b_0_images_without_any_sign_of_diffusion_stay_with_their_series(tmp_path: Path) -> None:
    recipe = Recipe(
        b_values=(0, 800), description="brain", image_type=("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")
    )
    write_series(tmp_path, recipe)
    assert [(s.kind.value, len(s.files)) for s in scan_folder(tmp_path).series] == [("dwi", 10)]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        scan_folder(tmp_path / "nowhere")


NO_IMAGES = {
    "Philips private": "1.3.46.670589.11.0.0.12.2",
    "raw data": RawDataStorage,
    "presentation state": GrayscaleSoftcopyPresentationStateStorage,
    "Siemens non-image": "1.3.12.2.1107.5.9.1",
    "spectroscopy": MRSpectroscopyStorage,
    "key objects": KeyObjectSelectionDocumentStorage,
    "report": EnhancedSRStorage,
    "PDF": EncapsulatedPDFStorage,
}


@pytest.mark.parametrize("with_meta", [True, False], ids=["", "without file meta"])
@pytest.mark.parametrize("what", NO_IMAGES)
def test_a_file_that_owes_no_pixels_spoils_no_series(what: str, with_meta: bool, tmp_path: Path) -> None:
    """It bears the series' UID, its name, Rows and Columns, and sometimes even its Image Type."""
    files = write_series(tmp_path, Recipe())
    ds = pydicom.dcmread(files[3])
    del ds.PixelData
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = NO_IMAGES[what]
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(tmp_path / "private.dcm", enforce_file_format=True)
    if not with_meta:
        data = (tmp_path / "private.dcm").read_bytes()
        (tmp_path / "private.dcm").write_bytes(data[data.index(b"\x08\0\x08\0CS") :])
    scan = scan_folder(tmp_path)
    assert scan.skipped == ()
    (study,) = find_studies(scan)
    assert load_study(study.used).signal.shape[:2] == (3, 5)
    assert [(use.used, len(use.series.files)) for use in study.uses] == [(True, 15), (False, 1)]


def test_a_cut_capture_beside_a_series_does_not_spoil_it(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[0], lambda ds: None)
    capture = tmp_path / "capture"
    ds = pydicom.dcmread(files[0])
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.save_as(capture, enforce_file_format=True)
    truncate(capture, 600)
    scan = scan_folder(tmp_path)
    assert [file.path for file in scan.skipped] == [capture]
    assert scan.series[0].unreadable == ()


def test_what_systems_leave_about_is_passed_over_without_a_word(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    for name in ("._0003", "._x.dcm", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/0003.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(files[0].read_bytes()[:500])
    scan = scan_folder(tmp_path)
    assert [len(s.files) for s in scan.series] == [15]
    assert (scan.skipped, scan.series[0].unreadable) == ((), ())


def test_names_that_are_not_utf_8_are_read_and_can_be_told(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    files = write_series(folder, Recipe())
    (study,) = find_studies(scan_folder(tmp_path))
    assert load_study(study.used).signal.shape[:2] == (3, 5)
    truncate(files[2], -10)
    (study,) = find_studies(scan_folder(tmp_path))
    with pytest.raises(UserError) as caught:
        load_study(study.used)
    assert "caf\\xe9" in str(caught.value)
    assert str(caught.value).encode()


def test_names_that_are_not_utf_8_reach_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MANY", 1)
    write_series(tmp_path / os.fsdecode(b"caf\xe9"), Recipe(slices=2))
    assert [len(s.files) for s in scan_folder(tmp_path).series] == [6]


def test_files_are_grouped_by_examination_without_headers(tmp_path: Path) -> None:
    """Studies of one patient, date and frame of reference come together: they can be parts of one."""
    first = Recipe(slices=1)
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, study_uid=generate_uid()))
    write_series(tmp_path / "c", replace(first, study_uid=generate_uid(), frame_of_reference_uid="1.2.3"))
    other = replace(first, study_uid=generate_uid())
    write_series(tmp_path / "d", replace(other, adjust=lambda ds: setattr(ds, "PatientID", "SECOND")))
    (tmp_path / "b" / "damaged.dcm").touch()
    groups = files_by_study(list_files(tmp_path))
    assert [[path.relative_to(tmp_path).parts[0] for path in group] for group in groups] == [
        [*"aaabbbb"],
        [*"ccc"],
        [*"ddd"],
    ]


def test_examinations_that_share_any_frame_of_reference_are_one() -> None:
    lies_in = {
        ("p", "1", "d"): {"x"},
        ("p", "2", "d"): {"y"},
        ("q", "3", "d"): {"x"},
        ("p", "4", "d"): {"x", "y"},
        ("p", "5", "other"): {"x"},
        ("", "6", "d"): {"x"},
        ("", "7", "d"): {"x"},
        ("p", "8", "d"): {""},
        ("p", "2", "other"): {"z"},
    }
    studies = [[study for _, study, _ in group] for group in examinations(lies_in)]
    assert studies == [["1", "4", "2", "2"], ["3"], ["5"], ["6"], ["7"], ["8"]]


def test_an_enhanced_file_whose_frames_are_damaged_is_refused(tmp_path: Path) -> None:
    def lose_frames(ds: pydicom.Dataset) -> None:
        ds.SOPClassUID = EnhancedMRImageStorage
        ds.add_new(0x52009230, "LO", "no sequence")

    (path,) = write_series(
        tmp_path, Recipe(b_values=(0,), slices=1, description="DWI B100/600", adjust=lose_frames)
    )
    (study,) = find_studies(scan_folder(path))
    with pytest.raises(UserError, match="has no images"):
        load_study(study.used)
