from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from uteroseg.errors import UserError
from uteroseg.files import files_below, read_json, staged_folder, write_json, write_text


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "first\r\n")
    write_text(path, "Größe\n")
    assert path.read_bytes() == "Größe\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_where_writing_fails_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "old")
    with pytest.raises(TypeError):
        write_text(path, b"bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_are_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_keeps_names_that_are_not_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", {"input": name})
    assert (tmp_path / "a.json").read_bytes().isascii()
    assert read_json(tmp_path / "a.json") == {"input": name}


def below(root):
    return [str(path.relative_to(root)) for path in files_below(root)]


def test_files_below_a_folder_come_by_name_without_what_systems_leave_about(tmp_path):
    clutter = ("._b", "a/._b", ".DS_Store", "a/Thumbs.db", "Desktop.ini", "__MACOSX/b", ".git/objects/b")
    for name in ("b", "a/d", "a/c", "a/e/f", ".hidden", *clutter):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert below(tmp_path) == [".hidden", "b", "a/c", "a/d", "a/e/f"]
    assert below(tmp_path / "b") == ["."]
    assert below(tmp_path / "nowhere") == []


def test_links_are_followed_each_once_and_loops_end(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for path in (root / "a" / "1", root / "z", outside / "2", outside / "deep" / "3"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    links = {
        "b": root / "a" / "1",  # to a file that is below the root anyway
        "c": outside / "2",  # to one that a folder link below reaches too
        "d": outside,
        "e": outside / "deep",  # reached already
        "a/loop": root,
        "up": tmp_path,  # holds the root
        "nowhere": root / "no such file",
        "self": root / "self",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (outside / "back").symlink_to(root / "a")
    assert below(root) == ["z", "a/1", "d/2", "d/deep/3"]
    (root / "d").unlink()
    (root / "again").symlink_to(outside / "2")
    assert below(root) == ["z", "a/1", "e/3", "again"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert below(tmp_path) == []


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
