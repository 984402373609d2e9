import os
import warnings
import zipfile

import pytest

from tests.dicom import build
from uteroseg.dicom import archive
from uteroseg.dicom.archive import unpacked
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies, require_studies
from uteroseg.errors import UserError, printable


def test_a_zip_of_scanner_files_is_read_like_the_folder_and_leaves_nothing(tmp_path):
    paths = build.write_series(tmp_path / "scan", build.Recipe())
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in paths:
            packed.write(path, f"patient 7/dwi/{path.name}")
    with unpacked(tmp_path / "scan.zip") as archive:
        (found,) = find_studies(scan_folder(archive.folder))
        study = load_study(found.used)
        assert found.folder == archive.folder / "patient 7" / "dwi"
    assert not archive.folder.exists()
    (direct,) = find_studies(scan_folder(tmp_path / "scan"))
    assert (load_study(direct.used).signal == study.signal).all()


def test_a_folder_is_given_as_it_is(tmp_path):
    with unpacked(tmp_path) as source:
        assert source.folder == tmp_path
        assert source.told(f"{tmp_path}/a") == f"{tmp_path}/a"


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


def unpacked_files(path, members):
    """What a zip of these members (name and content) unpacks to, and the names that were changed."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as packed:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            packed.writestr(name, content)
    with unpacked(path) as archive:
        below = archive.folder
        files = {str(p.relative_to(below)): p.read_text() for p in below.rglob("*") if not p.is_dir()}
        return files, {place: archive.told(f"see {below / place}.") for place in files}


def test_links_and_what_systems_leave_in_archives_are_passed_over(tmp_path):
    link = zipfile.ZipInfo("IM0002.dcm")
    link.external_attr = 0o120777 << 16
    clutter = ("__MACOSX/a/._IM1", "a/._IM1", "a/.DS_Store", "Thumbs.db", "a/DESKTOP.INI")
    members = [("a/IM1", "1"), (link, "/etc/passwd"), *((name, "x") for name in clutter)]
    assert unpacked_files(tmp_path / "a.zip", members)[0] == {"a/IM1": "1"}


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["scan 10:32/IM1"], ["scan 10_32/IM1"]),
        (["a/IM?*<>|.dcm"], ["a/IM_____.dcm"]),
        (["con/nul.dcm/LPT1", "console"], ["con_/nul_.dcm/LPT1_", "console"]),
        (["series. /IM1."], ["series_/IM1_"]),
        (["a\\b\\IM1"], ["a/b/IM1"]),
        (["a", "A", "a"], ["a", "_A", "__a"]),
        (["a", "a/b", "a/c"], ["a", "_a/b", "_a/c"]),
        (["a:b", "a_b"], ["a_b", "_a_b"]),
        (["a/./b//c"], ["a/b/c"]),
        (["a/tab\there\x1b"], ["a/tab_here_"]),
        (["ß" * 300], ["ß" * 100]),
    ],
)
def test_members_get_names_that_every_system_can_have(tmp_path, names, places):
    members = [(name, str(number)) for number, name in enumerate(names)]
    files, told = unpacked_files(tmp_path / "a.zip", members)
    assert files == {place: str(number) for number, place in enumerate(places)}
    shown = [printable(name.replace("\\", "/").replace("//", "/").replace("/./", "/")) for name in names]
    assert [told[place] for place in places] == [f"see {tmp_path / 'a.zip'}/{name}." for name in shown]


def test_a_refusal_names_the_archive_and_its_member(tmp_path):
    files = build.write_series(tmp_path / "scan", build.Recipe())
    build.truncate(files[3], -100)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as packed:
        for path in files:
            packed.write(path, f"10:32/{path.name}")
    with pytest.raises(UserError) as caught, unpacked(tmp_path / "scan.zip") as archive:
        load_study(scan_folder(archive.folder).series)
    assert f"{tmp_path / 'scan.zip'}/10:32/0003 cannot be read" in caught.value.found
    assert str(archive.folder) not in str(caught.value)


def test_a_file_that_only_ends_as_a_zip_is_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a", "x")
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(bytes(200) + (tmp_path / "a.zip").read_bytes())
    assert zipfile.is_zipfile(scan)
    with unpacked(scan) as source:
        assert source.folder == scan


def damaged(data, name):
    """A zip archive with a member that cannot be read."""
    if name == "password":
        for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            place = data.index(mark) + at
            data[place] |= 1
    elif name == "unknown compression":
        data[data.index(b"PK\3\4") + 8] = data[data.index(b"PK\1\2") + 10] = 77
    elif name == "name not in UTF-8":
        for mark, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
            data[data.index(mark) + at] |= 8
        data = data.replace(b"member", b"memb\xe9r")
    return bytes(data)


@pytest.mark.parametrize("what", ["password", "unknown compression", "name not in UTF-8"])
def test_an_archive_that_cannot_be_read_is_refused_by_name(tmp_path, what):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("member", "x" * 100)
    (tmp_path / "a.zip").write_bytes(damaged(bytearray((tmp_path / "a.zip").read_bytes()), what))
    named = r"a\.zip cannot" if "UTF-8" in what else r"a\.zip/member cannot"
    with pytest.raises(UserError, match=f"{named} be unpacked"), unpacked(tmp_path / "a.zip"):
        pytest.fail("it was given out")


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


def test_what_is_named_as_an_archive_and_is_none_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and no end")
    with pytest.raises(UserError, match=r"a\.zip cannot be unpacked"), unpacked(tmp_path / "a.zip"):
        pytest.fail("it was given out")


def test_a_folder_of_archives_alone_is_told_of(tmp_path):
    (tmp_path / "scan.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"archives, which are not looked into: scan\.zip"):
        require_studies(scan_folder(tmp_path), tmp_path)
