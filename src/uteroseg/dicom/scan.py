"""Walk a folder and group its DICOM files into classified series, reading headers only."""

from __future__ import annotations

import gc
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pydicom.dataset import Dataset

from uteroseg.dicom.classify import SILENT, Classification, SeriesKind
from uteroseg.dicom.header import Unreadable
from uteroseg.dicom.reading import Found, read_all
from uteroseg.errors import UserError
from uteroseg.files import files_below

_StudyKey: TypeAlias = tuple[str, str, str]
_EXAMINATION = ("PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID")
_NAMED = 3  # series of several that are joined


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
    joined : tuple of Series
        Where its images came under several Series Instance UIDs: the series with these, by number, without
        their headers.
    notes : tuple of str
        What was decided about its files, for people.
    refused : UserError, optional
        Why its images cannot be used, where that was found when series were grouped.
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
    joined: tuple[Series, ...] = ()
    notes: tuple[str, ...] = ()
    refused: UserError | None = None

    @property
    def name(self) -> str:
        """Number and description, to name the series to a person."""
        if names := list(dict.fromkeys(part.name for part in self.joined)):
            count = len(self.joined)
            if len(names) > _NAMED:
                return f"{count} series from {names[0]} to {names[-1]}"
            return " and ".join(names) + (f" of {count} Series Instance UIDs" if count > len(names) else "")
        number = "without number" if self.number is None else str(self.number)
        return f"series {number} ({self.description or 'no description'})"

    @property
    def uids(self) -> tuple[str, ...]:
        """The Series Instance UID of its images, or of each part, in the order of their text."""
        return tuple(sorted(part.series_uid for part in self.joined or (self,)))

    @property
    def study_uids(self) -> tuple[str, ...]:
        """Every Study Instance UID that its images bear, the one of most of them first."""
        files = Counter({self.study_uid: 0})
        for part in self.joined or (self,):
            files[part.study_uid] += len(part.files)
        return tuple(uid for uid, _ in files.most_common())

    @property
    def date(self) -> str:
        """Study Date as written, empty where there is none."""
        return str(self.headers[0].get("StudyDate") or "")


def join(parts: Sequence[Series]) -> Series:
    """The images of several series as one, which has the Series Instance UID that comes first as text.

    Its kind is diffusion-weighted where that of a part is.
    """
    parts = sorted(parts, key=series_order)
    first = next((part for part in parts if part.kind is SeriesKind.DWI), parts[0])
    pairs = sorted(
        ((path, header) for part in parts for path, header in zip(part.files, part.headers, strict=True)),
        key=lambda pair: pair[0],
    )
    whole = replace(
        min(parts, key=lambda part: part.series_uid),
        description=first.description,
        number=first.number,
        files=tuple(path for path, _ in pairs),
        headers=tuple(header for _, header in pairs),
        kind=first.kind,
        reason=first.reason,
        unreadable=tuple(dict.fromkeys(file for part in parts for file in part.unreadable)),
        joined=tuple(replace(one, headers=()) for part in parts for one in part.joined or (part,)),
        notes=tuple(note for part in parts for note in part.notes),
        refused=next((part.refused for part in parts if part.refused), None),
    )
    return replace(whole, study_uid=whole.study_uids[0])


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
    return tuple(files_below(root))


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
    groups: dict[_StudyKey, list[Path]] = defaultdict(list)
    lies_in: dict[_StudyKey, set[str]] = defaultdict(set)
    damaged: dict[Path, list[Path]] = defaultdict(list)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        for path, one in zip(paths, read_all(paths), strict=True):
            if isinstance(one, Found):
                patient, study, date, frame = (_text(one.header, keyword) for keyword in _EXAMINATION)
                groups[patient, study, date].append(path)
                lies_in[patient, study, date].add(frame)
            elif one is not None:
                damaged[path.parent].append(path)
    for (study, date), patient in _sole_patients(groups).items():
        groups[patient, study, date] += groups.pop(("", study, date))
        lies_in[patient, study, date] |= lies_in.pop(("", study, date))
    together = [[path for key in keys for path in groups[key]] for keys in examinations(lies_in)]
    for files in together:
        for folder in {path.parent for path in files} & damaged.keys():
            files.extend(damaged[folder])
    return together


def examinations(lies_in: Mapping[_StudyKey, Collection[str]]) -> list[list[_StudyKey]]:
    """Which studies are one examination, though their Study Instance UIDs differ.

    Those of one patient and date whose images share a frame of reference: the patient lay there once.

    Parameters
    ----------
    lies_in : mapping of (patient ID, Study Instance UID, Study Date) to Frame of Reference UIDs
    """
    groups: list[list[_StudyKey]] = []
    place: dict[tuple[str, ...], list[_StudyKey]] = {}
    for key, frames in lies_in.items():
        patient, study, date = key
        marks = [(patient, study), *((patient, date, frame) for frame in frames if patient and frame)]
        touched = {id(place[mark]) for mark in marks if mark in place}
        known = [group for group in groups if id(group) in touched] if touched else []
        group = known[0] if known else []
        group.append(key)
        for other in known[1:]:
            group += other
            groups = [one for one in groups if one is not other]
            place.update({mark: group for mark, found in place.items() if found is other})
        if not known:
            groups.append(group)
        place.update(dict.fromkeys(marks, group))
    return groups


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


def _group(found: Sequence[tuple[Path, Found]], skipped: Sequence[SkippedFile]) -> tuple[Series, ...]:
    by_uid: dict[tuple[str, ...], list[tuple[Path, Found]]] = defaultdict(list)
    nameless = _complete_patients([one.header for _, one in found])
    for path, one in found:
        # the patient too: a file of another one that took over a series' UIDs does not belong to it
        keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
        by_uid[tuple(_text(one.header, keyword) for keyword in keywords)].append((path, one))
    series = [one for files in by_uid.values() for one in _split(files, skipped)]
    refused = _of_several_patients(by_uid)
    return tuple(
        sorted(
            (replace(_noted(one, nameless), refused=refused.get(one.series_uid)) for one in series),
            key=series_order,
        )
    )


def _of_several_patients(
    by_uid: Mapping[tuple[str, ...], Sequence[tuple[Path, Found]]],
) -> dict[str, UserError]:
    """Why series are refused whose images came under several Patient IDs: nobody knows whose they are."""
    places: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for (_, study, series), files in by_uid.items():
        places[study, series].append(files[0][0])
    return {
        series: UserError(
            f"One series has images of {len(paths)} Patient IDs, such as {paths[0]} and {paths[1]}.",
            expected="one Patient ID in all images of a series.",
            fix="correct the Patient IDs, or export the series again.",
        )
        for (_, series), paths in places.items()
        if series and len(paths) > 1
    }


def _complete_patients(headers: Sequence[Dataset]) -> set[int]:
    """Give images without a Patient ID the one that the others of their study and date have.

    Returns
    -------
    set of int
        Identities of the headers that were completed.
    """
    if all(_text(header, "PatientID") for header in headers):
        return set()
    of_study: dict[_StudyKey, list[Dataset]] = defaultdict(list)
    for header in headers:
        patient, study, date = (_text(header, keyword) for keyword in _EXAMINATION[:3])
        of_study[patient, study, date].append(header)
    completed: set[int] = set()
    for (study, date), patient in _sole_patients(of_study).items():
        for header in of_study["", study, date]:
            header.PatientID = patient
            completed.add(id(header))
    return completed


def _sole_patients(keys: Iterable[_StudyKey]) -> dict[tuple[str, str], str]:
    """The one Patient ID of each study and date of which other images have none."""
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    for patient, study, date in keys:
        patients[study, date].add(patient)
    return {
        key: next(iter(known - {""}))
        for key, known in patients.items()
        if key[0] and "" in known and len(known) == 2
    }


def _noted(series: Series, nameless: Collection[int]) -> Series:
    count = sum(id(header) in nameless for header in series.headers)
    note = f"{count} images of {series.name} have no Patient ID; they count to the patient of their study."
    return replace(series, notes=(*series.notes, note)) if count else series


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
    return [dwi if dwi and c in SILENT else c for c in kinds]


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


def series_order(series: Series) -> tuple[str, str, int, str]:
    """Sorts series by patient, study, number and UID."""
    number = series.number if series.number is not None else 1 << 31
    return series.patient_id, series.study_uid, number, series.series_uid
