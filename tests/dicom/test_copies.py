import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless, generate_uid

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import FoundStudy, find_studies
from uteroseg.errors import UserError

from .build import Recipe, edit, voxels, write_series


def only(folder: Path) -> FoundStudy:
    (study,) = find_studies(scan_folder(folder))
    return study


def assert_whole(study: FoundStudy) -> None:
    expected = [[voxels(b, s) for s in range(5)] for b in (0, 500, 1000)]
    np.testing.assert_array_equal(load_study(study.used).signal, expected)


def implicit(path: Path) -> None:
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.save_as(path, implicit_vr=True, little_endian=True)


def compressed(path: Path) -> None:
    ds = pydicom.dcmread(path)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(path)


AGAIN = {
    "the same file": lambda path: None,
    "another program's file meta": lambda path: edit(
        path, lambda ds: setattr(ds.file_meta, "ImplementationVersionName", "PACS")
    ),
    "another text": lambda path: edit(path, lambda ds: setattr(ds, "PatientName", "Other^Name")),
    "implicit VR": implicit,
    "compressed": compressed,
    "under another series": lambda path: edit(path, lambda ds: setattr(ds, "SeriesInstanceUID", "1.2.3")),
}


@pytest.mark.parametrize("how", AGAIN)
def test_of_an_image_in_two_files_one_is_used_and_said(how: str, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    copy = tmp_path / "copy"
    shutil.copy(files[8], copy)
    AGAIN[how](copy)
    study = only(tmp_path)
    assert_whole(study)
    assert study.notes == (f"{copy} is a copy of {files[8]}: each image is used once.",)
    assert study.series_uids == only(files[0]).series_uids


def test_the_same_study_in_two_folders_is_one(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a", Recipe())
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "again")
    study = only(tmp_path)
    assert_whole(study)
    first = tmp_path / "b" / "again" / files[0].name
    assert study.notes == (
        f"{first} is a copy of {files[0]}, and so are 14 more files: each image is used once.",
    )
    assert study.folder == tmp_path / "a"


def darker(ds: pydicom.Dataset) -> None:
    ds.PixelData = (ds.pixel_array // 2).astype(np.uint16).tobytes()
    ds.AcquisitionTime = "101112"


def test_one_uid_for_two_different_images_is_refused_with_both_named(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    copy = tmp_path / "copy"
    shutil.copy(files[8], copy)
    edit(copy, darker)
    with pytest.raises(UserError) as caught:
        load_study(only(tmp_path).used)
    assert caught.value.found == (
        f"{files[8]} and {copy} have one SOP Instance UID, but not the same content."
    )


def test_uids_that_are_all_the_same_do_not_matter_where_the_places_differ(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(adjust=lambda ds: setattr(ds, "SOPInstanceUID", "1.2.3")))
    study = only(tmp_path)
    assert_whole(study)
    assert study.notes == ()


def test_images_without_a_uid_are_no_copies(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(adjust=lambda ds: setattr(ds, "SOPInstanceUID", "")))
    assert_whole(only(tmp_path))


def test_a_file_and_links_to_it_are_one_file(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a", Recipe())
    for path in files:
        (tmp_path / f"link-{path.name}").symlink_to(path)
    study = only(tmp_path)
    assert_whole(study)
    assert (study.notes, study.folder) == ((), tmp_path / "a")


def test_a_second_name_of_a_file_is_a_copy(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    os.link(files[0], tmp_path / "again")
    assert_whole(only(tmp_path))


def test_a_copied_map_is_one_map(tmp_path: Path) -> None:
    dwi = Recipe()
    write_series(tmp_path / "dwi", dwi)
    adc = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
    recipe = Recipe(
        b_values=(0,),
        image_type=adc,
        number=4,
        study_uid=dwi.study_uid,
        frame_of_reference_uid=dwi.frame_of_reference_uid,
    )
    write_series(tmp_path / "adc", recipe)
    shutil.copytree(tmp_path / "adc", tmp_path / "again")
    study = only(tmp_path)
    assert load_study(study.used).scanner_adc is not None
    assert "is a copy of" in study.notes[0]


def test_a_copy_with_a_uid_of_its_own_is_refused_as_before(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    shutil.copy(files[8], tmp_path / "copy")
    edit(tmp_path / "copy", lambda ds: setattr(ds, "SOPInstanceUID", generate_uid()))
    with pytest.raises(UserError, match="twice"):
        load_study(only(tmp_path).used)
