"""Virtual patients are told from real ones by what their files say."""

import sys

import pydicom
import pytest

from tests.dicom.build import Recipe, write_series
from tests.phantom.dicom_build import ENCODINGS, VENDORS, small_mask, small_study
from tests.phantom.test_dicom_t2 import t2_of
from uteroseg.dicom import reading
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import require_studies
from uteroseg.dicom.virtual import GROUP, is_virtual
from uteroseg.phantom.dicom_files import write_dicom


def write(folder, **options):
    study = small_study()
    write_dicom(
        study, folder, **{"patient_id": "p", "seed": 1, "mask": small_mask(study.geometry), **options}
    )
    return folder


def found(folder):
    (study,) = require_studies(scan_folder(folder), folder)
    return study


def change(folder, edit):
    for path in folder.rglob("*.dcm"):
        file = pydicom.dcmread(path)
        edit(file)
        file.save_as(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_file_of_a_virtual_patient_says_so(vendor, encoding, tmp_path):
    folder = write(tmp_path / "out", vendor=vendor, encoding=encoding)
    t2 = write(tmp_path / "t2", vendor=vendor, encoding=encoding, t2=t2_of(small_study()))
    files = [*folder.rglob("*.dcm"), *t2.rglob("*.dcm")]
    assert {path.name for path in files} >= {"MR0001.dcm", "seg.dcm", "rtstruct.dcm"}
    for path in files:
        file = pydicom.dcmread(path, stop_before_pixels=True)
        assert is_virtual(file), path
        assert file.PatientIdentityRemoved == "YES"
        assert "virtual patient" in file.DeidentificationMethod
        assert "virtual patient" in file.Manufacturer
        assert file[GROUP, 0x0010].value == "UTEROSEG VIRTUAL"
    assert found(folder).virtual


def only_private(file):
    file.Manufacturer, file.ManufacturerModelName = "SIEMENS", "Skyra"
    del file.DeidentificationMethod


def only_method(file):
    file.remove_private_tags()
    file.Manufacturer, file.ManufacturerModelName = "SIEMENS", "Skyra"
    file.DeidentificationMethod = ["CTP Default", file.DeidentificationMethod]


def only_manufacturer(file):
    file.remove_private_tags()
    file.DeidentificationMethod, file.ManufacturerModelName = "CTP Default", "Skyra"


def only_manufacturer_in_capitals(file):
    only_manufacturer(file)
    file.Manufacturer = file.Manufacturer.upper()


def as_c24f040_wrote(file):
    only_private(file)
    file.remove_private_tags()
    file.ManufacturerModelName = "Virtual Skyra"


MARKS = [only_private, only_method, only_manufacturer, only_manufacturer_in_capitals, as_c24f040_wrote]


@pytest.mark.parametrize("edit", MARKS)
def test_one_mark_that_is_left_is_enough(edit, tmp_path):
    folder = write(tmp_path / "out")
    change(folder, edit)
    assert found(folder).virtual


def test_a_private_mark_of_another_creator_and_a_real_file_are_none(tmp_path, real_data):
    def other(file):
        only_private(file)
        file[GROUP, 0x0010].value = "ANOTHER VENDOR"

    folder = write(tmp_path / "out")
    change(folder, other)
    assert not found(folder).virtual
    write_series(tmp_path / "built", Recipe())
    assert not found(tmp_path / "built").virtual
    studies = require_studies(scan_folder(real_data / "prostatex"), real_data)
    assert not any(study.virtual for study in studies)


@pytest.mark.skipif(not sys.executable, reason="no interpreter to start")
@pytest.mark.parametrize("edit", MARKS)
def test_the_marks_cross_between_processes(edit, tmp_path, monkeypatch):
    folder = write(tmp_path / "out")
    change(folder, edit)
    monkeypatch.setattr(reading, "MANY", 2)
    monkeypatch.setattr(reading, "cores", lambda: 2)
    assert found(folder).virtual


def test_one_virtual_file_of_many_makes_a_study_virtual(tmp_path):
    folder = write(tmp_path / "out")
    files = sorted(folder.rglob("MR*.dcm"))
    for path in files[:-1]:
        header = pydicom.dcmread(path)
        as_c24f040_wrote(header)
        header.ManufacturerModelName = "Skyra"
        header.save_as(path)
    assert found(folder).virtual
