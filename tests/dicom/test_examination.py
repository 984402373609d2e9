"""Patient and study in values that DICOM allows."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from uteroseg.dicom.examination import examination
from uteroseg.dicom.header import read_header

from .build import Recipe, edit, write_series
from .build_damage import DAMAGES, MUELLER, WANG, YAMADA, raw, write_damaged


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("scan"), Recipe(b_values=(0,), slices=1))[0]


def of(image: Path, folder: Path, **values: bytes) -> Dataset:
    """What is made of an image that holds these bytes."""
    path = folder / "image"
    path.write_bytes(image.read_bytes())
    edit(path, lambda dataset: raw(**values)(dataset, 0))
    return read(path)


def read(path: Path) -> Dataset:
    header = read_header(path)
    assert header is not None
    return examination(path, header)


def test_what_dicom_allows_stays(image: Path, tmp_path: Path) -> None:
    values = {
        "PatientName": b"Secret^Name^M^Dr^Jr",
        "PatientBirthDate": b"19500228",
        "PatientSex": b"O",
        "PatientAge": b"070Y",
        "PatientSize": b"1.65",
        "PatientWeight": b"62.5",
        "StudyDate": b"20200229",
        "StudyTime": b"235959.99",
        "StudyID": b"S 1",
        "StudyDescription": b"Pelvis",
        "AccessionNumber": b"A-1",
        "ReferringPhysicianName": b"Doctor",
        "PatientIdentityRemoved": b"YES",
        "DeidentificationMethod": b"by hand",
    }
    found = of(image, tmp_path, **values)
    assert {keyword: str(found[keyword].value) for keyword in values} == {
        keyword: value.decode() for keyword, value in values.items()
    }
    source = pydicom.dcmread(image)
    assert (found.PatientID, found.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)


@pytest.mark.parametrize(
    ("keyword", "written", "mended"),
    [
        *(("PatientBirthDate", text, "19500131") for text in (b"1950.01.31", b"1950-01-31", b"1950/01/31")),
        *(
            ("PatientBirthDate", text, "")
            for text in (b"***", b"00/00/0000", b"19500231", b"1950", b"0", b"-")
        ),
        *(("PatientBirthDate", text, "") for text in (b"31.01.1950", b"01/02/1950", b"1950-01.31", b"ANON")),
        ("StudyTime", b"10:11:12", "101112"),
        ("StudyTime", b"10:11:12.123456789", "101112.123456"),
        ("StudyTime", b"10:11", "1011"),
        *(("StudyTime", text, "") for text in (b"24", b"1060", b"101112.", b"AM", b"00/00", b"1")),
        *(("PatientSex", text, "F") for text in (b"f", b"Female", b"F\\M")),
        *(("PatientSex", text, "") for text in (b"Anonymized", b"W", b"unknown", b"*", b"")),
        ("PatientAge", b"7y", "007Y"),
        *(("PatientAge", text, None) for text in (b"45", b"***", b"", b"1000Y")),
        *(("PatientWeight", text, None) for text in (b"70 kg", b"-1", b"0", b"nan", b"inf", b"1,5", b"")),
        ("StudyID", b"1234567890123456", "1234567890123456"),
        *(("StudyID", text, "") for text in (b"12345678901234567", b"1\\2", b"1\x072")),
        ("AccessionNumber", b"A" * 17, ""),
        ("StudyDescription", b"d" * 70, "d" * 64),
        ("StudyDescription", b"a\r\nb", "a  b"),
        ("PatientID", b"P" * 65, ""),
        ("PatientID", b"A\\B", ""),
        ("PatientName", b"A^B^C^D^E^F=G=H=I", "A^B^C^D^E F=G=H"),
        ("PatientName", b"Doe^John\\Roe^Jane", "Doe^John"),
        ("PatientName", b"N" * 70 + b"=" + b"I" * 70, "N" * 64 + "=" + "I" * 64),
        ("PatientName", b"Doe^John^^^", "Doe^John^^^"),
        ("PatientName", b"\x00", ""),
    ],
)
def test_what_it_does_not_is_mended_or_left_out(
    keyword: str, written: bytes, mended: str | None, image: Path, tmp_path: Path
) -> None:
    found = of(image, tmp_path, **{keyword: written})
    assert (str(found[keyword].value or "") if keyword in found else None) == mended


@pytest.mark.parametrize("name", DAMAGES["name"])
def test_names_keep_their_characters(name: str, tmp_path: Path) -> None:
    write_damaged(tmp_path / "scan", "siemens classic", "axial", DAMAGES["name"][name])
    found = read(tmp_path / "scan" / "0000.dcm")
    expected = {"ISO 2022 IR 87": YAMADA, "escapes that are not announced": YAMADA, "GB18030": WANG}
    if name in expected or "UTF" in name or "atin" in name or "ISO" in name:
        assert str(found.PatientName) == expected.get(name, MUELLER)
    path = tmp_path / "written.dcm"
    dataset = pydicom.dcmread(tmp_path / "scan" / "0000.dcm")
    dataset.update(found)
    dataset.save_as(path)
    assert str(pydicom.dcmread(path).PatientName) == str(found.PatientName)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_a_study_without_uid_gets_the_same_one_again_and_another_one_another(
    keyword: str, tmp_path: Path
) -> None:
    def uid(name: str) -> str:
        path = write_series(tmp_path / name, Recipe(b_values=(0,), slices=1))[0]
        edit(path, lambda dataset: dataset.pop("StudyInstanceUID"))
        first, second = read(path).StudyInstanceUID, read(path).StudyInstanceUID
        assert first == second
        return str(first)

    assert uid("one") != uid("two")
