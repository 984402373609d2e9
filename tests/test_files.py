from __future__ import annotations

import stat
from pathlib import Path

import pytest

from uteroseg.errors import UserError
from uteroseg.files import read_json, staged_folder, write_text


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "first\r\n")
    write_text(path, "Größe\n")
    assert path.read_bytes() == "Größe\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_where_writing_fails_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_are_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_staged_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "folder"

    def fill_and_die():
        with staged_folder(target) as stage:
            (stage / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_and_die()
    assert list((tmp_path / "new").iterdir()) == []
    with staged_folder(target) as stage:
        (stage / "a").write_text("whole")
    assert (target / "a").read_text() == "whole"


def test_a_folder_that_holds_something_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="holds something already"), staged_folder(tmp_path):
        pytest.fail("the folder was given out")
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(("text", "problem"), [("{broken", "cannot be read"), ("[1]", "holds a list")])
def test_json_that_is_no_object_is_refused_by_name(tmp_path, text, problem):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=problem):
        read_json(tmp_path / "a.json")


def test_private_text_is_its_owners_alone(tmp_path):
    write_text(tmp_path / "a", "secret", private=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
