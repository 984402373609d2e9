import os
import zipfile

import pytest

from tests.dicom import build
from uteroseg.dicom import archive
from uteroseg.dicom.archive import unpacked
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError


def test_a_zip_of_scanner_files_is_read_like_the_folder_and_leaves_nothing(tmp_path):
    paths = build.write_series(tmp_path / "scan", build.Recipe())
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in paths:
            packed.write(path, f"patient 7/dwi/{path.name}")
    with unpacked(tmp_path / "scan.zip") as folder:
        (found,) = find_studies(scan_folder(folder))
        study = load_study(found.used)
        assert found.folder == folder / "patient 7" / "dwi"
    assert not folder.exists()
    (direct,) = find_studies(scan_folder(tmp_path / "scan"))
    assert (load_study(direct.used).signal == study.signal).all()


def test_a_folder_is_given_as_it_is(tmp_path):
    with unpacked(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "/etc/outside", "..\\outside", "C:\\outside"]
)
def test_a_path_outside_the_archive_is_refused_and_not_written(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archive.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr("good", "x")
        packed.writestr(name, "x")
    with pytest.raises(UserError, match="a path outside itself"), unpacked(tmp_path / "evil.zip"):
        pytest.fail("it was given out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.zip", "temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_link_in_an_archive_becomes_a_plain_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as packed:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    with unpacked(tmp_path / "link.zip") as folder:
        assert not (folder / "link").is_symlink()
        assert (folder / "link").read_text() == "/etc/passwd"


def test_an_archive_that_unpacks_past_the_limit_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(4):
            packed.writestr(f"{number}", bytes(3_000_000))
    assert (tmp_path / "bomb.zip").stat().st_size < 20_000
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000_000)
    with pytest.raises(UserError, match="unpacks to more than"), unpacked(tmp_path / "bomb.zip"):
        pytest.fail("it was given out")
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with pytest.raises(UserError, match="holds 4 files"), unpacked(tmp_path / "bomb.zip"):
        pytest.fail("it was given out")


def test_a_cut_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("file", os.urandom(50_000))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[1000:1200] = bytes(200)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UserError, match="cannot be unpacked"), unpacked(tmp_path / "a.zip"):
        pytest.fail("it was given out")
