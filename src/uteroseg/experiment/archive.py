"""An experiment's results as one file: every finished run's record and table, and the settings, no models."""

from __future__ import annotations

import zipfile
from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.experiment.config import FILE_NAME
from uteroseg.experiment.plan import finished_folders
from uteroseg.files import write_file
from uteroseg.results import cases, runs

_DATE = (1980, 1, 1, 0, 0, 0)
"""The same results make the same file."""


def require_name(path: Path) -> None:
    """Raise a UserError where a file's name does not end in ``.zip``."""
    if path.suffix.lower() != ".zip":
        raise UserError(
            f"The archive is to be {path}.", expected="a name that ends in .zip.", fix="correct `archive`."
        )


def write_archive(directory: Path, path: Path) -> int:
    """Write the results as a zip archive; unpacked into a folder, the experiment goes on from them there.

    Parameters
    ----------
    directory : Path
        The experiment's folder.
    path : Path
        File to write.

    Returns
    -------
    int
        The number of runs in it.

    Raises
    ------
    UserError
        If the file's name does not end in ``.zip``.
    """
    require_name(path)
    folders = finished_folders(directory)
    files = [directory / FILE_NAME]
    files += [folder / name for folder in folders for name in (runs.FILE_NAME, cases.FILE_NAME)]

    def write(stage: Path) -> None:
        with zipfile.ZipFile(stage, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(directory).as_posix(), _DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())

    write_file(path, write)
    return len(folders)
