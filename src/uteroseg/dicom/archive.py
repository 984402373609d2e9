"""Zip archives of scanner files: unpacked beside nothing of the user's, and only if they are harmless."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from uteroseg.errors import UserError

MAX_BYTES = 20 * 2**30
MAX_FILES = 200_000
"""What an archive may unpack to: far more than an examination, far less than a disk."""

_CHUNK = 2**20


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """Give a folder to scan: the source itself, or what a zip archive holds, for as long as it is needed.

    Raises
    ------
    UserError
        If the archive is broken, names a path outside itself, or unpacks to more than `MAX_BYTES` or
        `MAX_FILES`.
    """
    if not (source.is_file() and zipfile.is_zipfile(source)):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="uteroseg-") as folder:
        try:
            with zipfile.ZipFile(source) as archive:
                _unpack(archive, Path(folder), source)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise UserError(
                f"{source} cannot be unpacked ({error}).",
                expected="a whole zip archive without a password.",
                fix="copy or export it again, or unpack it yourself and name the folder.",
            ) from error
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, folder: Path, source: Path) -> None:
    """Write every member below a folder; sizes are counted, what the archive says of them is not believed."""
    members = {
        _inside(member.filename, source): member for member in archive.infolist() if not member.is_dir()
    }
    if len(members) > MAX_FILES:
        raise _refused(source, f"holds {len(members)} files")
    total = 0
    for path, member in members.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as file:
            while chunk := packed.read(_CHUNK):
                total += len(chunk)
                if total > MAX_BYTES:
                    raise _refused(source, f"unpacks to more than {MAX_BYTES / 2**30:.3g} GB")
                file.write(chunk)


def _inside(name: str, source: Path) -> PurePosixPath:
    """A member's path, which may lead nowhere but below the archive (links are unpacked as plain files)."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise _refused(source, f"names {name!r}, a path outside itself")
    return path


def _refused(source: Path, problem: str) -> UserError:
    return UserError(
        f"{source} {problem}.",
        expected=f"an archive of scanner files: at most {MAX_FILES} files and {MAX_BYTES / 2**30:.3g} GB.",
        fix="unpack it yourself where there is room, look at it, and name the folder.",
    )
