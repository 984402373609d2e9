"""Walk a folder and group its DICOM files into classified series, reading headers only."""

from __future__ import annotations

import gc
import os
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from uteroseg.dicom.classify import Classification, SeriesKind
from uteroseg.dicom.header import Unreadable
from uteroseg.dicom.reading import Found, read_all
from uteroseg.errors import UserError


@dataclass(frozen=True)
class SkippedFile:
    """A file that is DICOM, or is named like it, and cannot be read.

    Parameters
    ----------
    path : Path
    reason : str
        For people.
    series_uid : str or None
        Its series, where the readable part of its header says so.
    """

    path: Path
    reason: str
    series_uid: str | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one series that are of one kind (some scanners mix b images and maps in one series).

    Parameters
    ----------
    series_uid, study_uid, patient_id, frame_of_reference_uid : str
        Empty where the header lacks them.
    description : str
    number : int or None
        Series Number.
    modality, manufacturer : str
    files : tuple of Path
        Sorted by path.
    headers : tuple of Dataset
        One per file, without pixels and only with the elements that uteroseg uses.
    kind : SeriesKind
    reason : str
        Why it is of this kind.
    unreadable : tuple of SkippedFile
        Files that belong, or could belong, to this series and cannot be read.
    """

    series_uid: str
    study_uid: str
    patient_id: str
    frame_of_reference_uid: str
    description: str
    number: int | None
    modality: str
    manufacturer: str
    files: tuple[Path, ...]
    headers: tuple[Dataset, ...]
    kind: SeriesKind
    reason: str
    unreadable: tuple[SkippedFile, ...] = ()

    @property
    def name(self) -> str:
        """Number and description, to name the series to a person."""
        number = "without number" if self.number is None else str(self.number)
        return f"series {number} ({self.description or 'no description'})"


@dataclass(frozen=True, eq=False)
class Scan:
    """What a folder holds.

    Parameters
    ----------
    series : tuple of Series
        Ordered by study, series number and series UID.
    skipped : tuple of SkippedFile
    """

    series: tuple[Series, ...]
    skipped: tuple[SkippedFile, ...]


def scan_folder(root: Path) -> Scan:
    """Find the DICOM series under a folder.

    DICOM files are known by their content, whatever their names; other files and DICOMDIRs are passed over.
    Pixels are not read.

    Parameters
    ----------
    root : Path
        A folder, or one DICOM file.

    Returns
    -------
    Scan

    Raises
    ------
    UserError
        If the folder does not exist.
    """
    if not root.exists():
        raise UserError(
            f"{root} does not exist.",
            expected="a folder of DICOM files.",
            fix="check the path for a typing error.",
        )
    return scan_files(list_files(root))


def list_files(root: Path) -> tuple[Path, ...]:
    """Every file under a folder, or the file itself, in the order of their names."""
    return tuple(_walk(root))


def scan_files(paths: Sequence[Path]) -> Scan:
    """Group files into series as `scan_folder` does."""
    with warnings.catch_warnings(), _no_garbage_collection():
        warnings.filterwarnings("ignore", module="pydicom")  # values that break a rule and do no harm
        read = tuple(zip(paths, read_all(paths), strict=True))
        found = [(path, one) for path, one in read if isinstance(one, Found)]
        skipped = tuple(
            SkippedFile(path, one.reason, one.series_uid) for path, one in read if isinstance(one, Unreadable)
        )
        return Scan(_group(found, skipped), skipped)


def files_by_study(paths: Sequence[Path]) -> list[list[Path]]:
    """Group DICOM files by patient and study, without holding their headers: for very many of them.

    A file that cannot be read goes to every study that has files in its folder.
    """
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    damaged: dict[Path, list[Path]] = defaultdict(list)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        for path, one in zip(paths, read_all(paths), strict=True):
            if isinstance(one, Found):
                groups[_text(one.header, "PatientID"), _text(one.header, "StudyInstanceUID")].append(path)
            elif one is not None:
                damaged[path.parent].append(path)
    for files in groups.values():
        for folder in {path.parent for path in files} & damaged.keys():
            files.extend(damaged[folder])
    return list(groups.values())


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from going through all headers again and again while they come in."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _walk(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _group(found: Sequence[tuple[Path, Found]], skipped: Sequence[SkippedFile]) -> tuple[Series, ...]:
    by_uid: dict[tuple[str, ...], list[tuple[Path, Found]]] = defaultdict(list)
    for path, one in found:
        # the patient too: a file of another one that took over a series' UIDs does not belong to it
        keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
        by_uid[tuple(_text(one.header, keyword) for keyword in keywords)].append((path, one))
    series = [one for files in by_uid.values() for one in _split(files, skipped)]
    return tuple(sorted(series, key=_order))


def _split(files: Sequence[tuple[Path, Found]], skipped: Sequence[SkippedFile]) -> Iterator[Series]:
    """Split the files of one Series Instance UID by kind."""
    kinds = _join_b0([found.what for _, found in files])
    for kind in dict.fromkeys(c.kind for c in kinds):
        chosen = [
            (path, found.header) for (path, found), c in zip(files, kinds, strict=True) if c.kind is kind
        ]
        reason = next(c.reason for c in kinds if c.kind is kind)
        yield _series(chosen, Classification(kind, reason), skipped)


def _join_b0(kinds: list[Classification]) -> list[Classification]:
    """Count images that show no sign of diffusion as b 0 where the rest of their series is DWI."""
    dwi = next((c for c in kinds if c.kind is SeriesKind.DWI), None)
    silent = (SeriesKind.T2, SeriesKind.OTHER)
    return [dwi if dwi and c.kind in silent and not c.reason.startswith("ImageType") else c for c in kinds]


def _series(
    files: Sequence[tuple[Path, Dataset]], what: Classification, skipped: Sequence[SkippedFile]
) -> Series:
    first = files[0][1]
    uid = _text(first, "SeriesInstanceUID")
    folders = {path.parent for path, _ in files}
    number = _text(first, "SeriesNumber")
    return Series(
        series_uid=uid,
        study_uid=_text(first, "StudyInstanceUID"),
        patient_id=_text(first, "PatientID"),
        frame_of_reference_uid=_text(first, "FrameOfReferenceUID"),
        description=_text(first, "SeriesDescription"),
        number=int(number) if number.lstrip("-").isdecimal() else None,
        modality=_text(first, "Modality"),
        manufacturer=_text(first, "Manufacturer"),
        files=tuple(path for path, _ in files),
        headers=tuple(header for _, header in files),
        kind=what.kind,
        reason=what.reason,
        unreadable=tuple(
            s for s in skipped if s.series_uid == uid or (s.series_uid is None and s.path.parent in folders)
        ),
    )


def _text(header: Dataset, keyword: str) -> str:
    return str(header.get(keyword) or "").strip() if keyword in header else ""


def _order(series: Series) -> tuple[str, str, int, str]:
    number = series.number if series.number is not None else 1 << 31
    return series.patient_id, series.study_uid, number, series.series_uid
