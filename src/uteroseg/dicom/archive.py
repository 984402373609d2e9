"""Zip archives of scanner files: unpacked beside nothing of the user's, and only if they are harmless."""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from uteroseg.errors import UserError, printable
from uteroseg.files import is_clutter

MAX_BYTES = 20 * 2**30
MAX_FILES = 200_000
"""What an archive may unpack to: far more than an examination, far less than a disk."""

_CHUNK = 2**20
_NO_NAME = re.compile(r'[<>:"|?*\x00-\x1f\x7f]|[ .]+$')  # characters that some system's names cannot have
_DEVICE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
_LONGEST = 200  # bytes; systems end at 255


@dataclass(frozen=True)
class Unpacked:
    """A source as a folder.

    Parameters
    ----------
    folder : Path
        The source itself, or where the archive's files are for now.
    source : Path
        What the user named.
    renamed : mapping of str to str
        Path below the folder → the member's name in the archive, where that could not be kept.
    """

    folder: Path
    source: Path
    renamed: Mapping[str, str] = field(default_factory=dict)

    def told(self, text: str) -> str:
        """A text that names files in the folder, with their names in the archive: ``scan.zip/a/IM001``."""
        if self.folder == self.source or str(self.folder) not in text:
            return text
        for path in sorted(self.renamed, key=len, reverse=True):
            text = text.replace(str(self.folder / path), f"{self.source}/{self.renamed[path]}")
        return text.replace(str(self.folder), str(self.source))

    def error_told(self, error: UserError) -> UserError:
        """An error with its texts told."""
        return UserError(self.told(error.found), expected=self.told(error.expected), fix=self.told(error.fix))


@contextmanager
def unpacked(source: Path) -> Iterator[Unpacked]:
    """Give a folder to scan: the source itself, or what a zip archive holds, for as long as it is needed.

    A UserError that leaves the context names the archive and its members.

    Raises
    ------
    UserError
        If the archive is broken, names a path outside itself, or unpacks to more than `MAX_BYTES` or
        `MAX_FILES`.
    """
    if source.is_file() and source.suffix.lower() == ".zip" and not is_zip(source):
        raise _broken(source, "it does not begin and end as a zip archive does")
    if not is_zip(source):
        yield Unpacked(source, source)
        return
    with tempfile.TemporaryDirectory(prefix="uteroseg-") as folder:
        below = Unpacked(Path(folder), source, _unpack(source, Path(folder)))
        try:
            yield below
        except UserError as error:
            raise below.error_told(error) from error


def is_zip(source: Path) -> bool:
    """Whether a file is a zip archive: it begins as one, too, since a DICOM file can end with one."""
    if not source.is_file():
        return False
    with source.open("rb") as file:
        return file.read(2) == b"PK" and zipfile.is_zipfile(source)


def _unpack(source: Path, folder: Path) -> dict[str, str]:
    """Write every member below a folder, and give the names that could not be kept.

    Sizes are counted: what the archive says of them is not believed.
    """
    name, renamed, total = "", {}, 0
    taken: dict[str, bool] = {}  # paths, whether they are files
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if _is_wanted(member)]
            if len(members) > MAX_FILES:
                raise _refused(source, f"holds {len(members)} files")
            paths = [_inside(member.filename, source) for member in members]
            for member, path in zip(members, paths, strict=True):
                name = f"/{member.filename}"
                place = _free_place(path, taken)
                if place != str(path):
                    renamed[place] = printable(str(path))
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("xb") as file:
                    while chunk := packed.read(_CHUNK):
                        total += len(chunk)
                        if total > MAX_BYTES:
                            raise _refused(source, f"unpacks to more than {MAX_BYTES / 2**30:.3g} GB")
                        file.write(chunk)
    except UserError:
        raise
    except Exception as error:  # damaged archives raise what they like
        raise _broken(f"{source}{name}", str(error)) from error
    return renamed


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a file; links are not followed: what they lead to is a member itself."""
    link = stat.S_ISLNK(member.external_attr >> 16)
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    return not (link or member.is_dir() or any(map(is_clutter, parts)))


def _inside(name: str, source: Path) -> PurePosixPath:
    """A member's path, which may lead nowhere but below the archive."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or re.match(r"[A-Za-z]:/", str(path)):
        raise _refused(source, f"names {printable(name)!r}, a path outside itself")
    return path


def _free_place(path: PurePosixPath, taken: dict[str, bool]) -> str:
    """Where a member goes: names that every system can have, and no two members at one place."""
    place = ""
    for number, part in enumerate(path.parts, start=1):
        name = _DEVICE.sub(r"\1_", _NO_NAME.sub("_", part))
        name = name.encode("utf-8")[-_LONGEST:].decode("utf-8", "ignore")
        is_file = number == len(path.parts)
        while (found := taken.get((place + name).casefold())) is not None and (found or is_file):
            name = f"_{name}"
        place += name
        taken[place.casefold()] = is_file
        place += "" if is_file else "/"
    return place


def _broken(what: object, reason: str) -> UserError:
    return UserError(
        f"{what} cannot be unpacked ({' '.join(reason.split())}).",
        expected="a whole zip archive without a password, and room to unpack it.",
        fix="copy or export it again, or unpack it yourself and name the folder.",
    )


def _refused(source: Path, problem: str) -> UserError:
    return UserError(
        f"{source} {problem}.",
        expected=f"an archive of scanner files: at most {MAX_FILES} files and {MAX_BYTES / 2**30:.3g} GB.",
        fix="unpack it yourself where there is room, look at it, and name the folder.",
    )
