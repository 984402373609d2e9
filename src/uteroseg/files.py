"""Write files and folders so that they appear whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uteroseg.errors import UserError


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Replace a file's text; a private file can be read by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.touch(mode=0o600 if private else 0o666)
        temporary.write_text(text, encoding="utf-8", newline="\n")
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
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _no_object(path, str(error)) from error
    if not isinstance(values, dict):
        raise _no_object(path, f"it holds a {type(values).__name__}")
    return values


def _no_object(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} cannot be read ({problem}).",
        expected="a JSON object, as uteroseg wrote it.",
        fix="restore the file from a copy, or make it again.",
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
