"""Write files and folders so that they appear whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uteroseg.errors import UserError

_CLUTTER = {
    *(".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", ".git", ".trashes"),
    *("$recycle.bin", "system volume information", ".spotlight-v100", ".fseventsd", ".trash-1000"),
}


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is what systems leave about, and never what a person has made.

    ``._scan.dcm`` is what macOS writes beside ``scan.dcm`` on foreign disks and into archives.
    """
    return name.startswith("._") or name.lower() in _CLUTTER


def files_below(root: Path) -> Iterator[Path]:
    """Every regular file below a folder, or the file itself, by name, each folder's own files first.

    Links are followed, each file and folder is given once, and under a name that is no link where it has one
    below the root. What `is_clutter`, links to nowhere, and pipes are passed over.
    """
    if root.is_file():
        yield root
    visited: set[Path] = set()
    links: list[Path] = []
    yield from _walk(root, visited, links)
    for link in links:  # grows: a folder that is linked to can hold more links
        if link.is_dir() and not _real(root).is_relative_to(_real(link)):
            yield from _walk(link, visited, links)
    for target, link in {_real(link): link for link in reversed(links)}.items():
        if target.is_file() and target.parent not in visited:
            yield link


def _walk(folder: Path, visited: set[Path], links: list[Path]) -> Iterator[Path]:
    if _real(folder) in visited:
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted((e for e in found if not is_clutter(e.name)), key=lambda entry: entry.name)
    except OSError:  # may not be read
        return
    visited.add(_real(folder))
    links += (Path(entry) for entry in entries if entry.is_symlink())
    yield from (Path(entry) for entry in entries if entry.is_file(follow_symlinks=False))
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry), visited, links)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on a loop of links


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    r"""Replace a file's text; a private file can be read by its owner alone.

    What is no text, of a path's name, becomes ``\udc…``: as in JSON, so that it is read back as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.touch(mode=0o600 if private else 0o666)
        # names of paths that are not UTF-8; JSON reads what stands for them back as it was
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file with what ``write`` puts under the path it is given, which ends as the file does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        write(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a file with JSON, keys in the given order."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    UserError
        If the file is not one, or cannot be read.
    """
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _no_object(path, str(error)) from error
    if not isinstance(values, dict):
        raise _no_object(path, f"it holds a {type(values).__name__}")
    return values


def _no_object(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} cannot be read ({problem}).",
        expected="a JSON object.",
        fix="correct the file, restore it from a copy, or make it again.",
    )


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; on leaving without an error it becomes the target.

    Raises
    ------
    UserError
        If the target exists and is not an empty folder, before anything is written.
    """
    require_new(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = _beside(target)
    try:
        stage.mkdir()
        yield stage
        if target.exists():
            target.rmdir()
        stage.replace(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; on leaving without an error it takes the place of what the target held.

    An error, or a kill at any point, leaves the old folder or the new one, whole; a kill between the two
    moves of folders leaves the old one hidden beside the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    stage, old = _beside(target), _beside(target)
    try:
        stage.mkdir()
        yield stage
        if target.exists():
            target.replace(old)
        stage.replace(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        if old.exists() and not target.exists():
            old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def require_new(target: Path) -> None:
    """Raise a UserError where a path holds something already."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(
            f"{target} holds something already.",
            expected="a folder that is new or empty.",
            fix="choose another folder, or move this one away.",
        )


def _beside(path: Path) -> Path:
    """A new hidden name in the same folder, so that moving from it to the path is one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")
