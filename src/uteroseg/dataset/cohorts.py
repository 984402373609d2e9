"""Put cohorts right: rename one, move patients to another, take patients out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from uteroseg.dataset.participants import note_removed, require_cohort_name
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError

_PATIENT = re.compile(r"(sub-[0-9A-Za-z]+)(?:[_.].*)?")
_TRASH = ".incoming-removed"
"""What readers and validators pass over, as they do new cases that are not whole."""


def patients_of(dataset: Dataset, cohort: str) -> list[str]:
    """The patients of a cohort; raises UserError where there is no such cohort."""
    dataset.cases(cohort)
    return [person.participant_id for person in dataset.participants.values() if person.cohort == cohort]


def rename_cohort(dataset: Dataset, old: str, new: str) -> int:
    """Give a cohort another name; the number of its patients.

    Raises
    ------
    UserError
        If there is no such cohort, or one of the new name already.
    """
    patients = patients_of(dataset, old)
    if new == old:
        raise UserError(
            f"The cohort {old!r} has this name already.",
            expected="another name.",
            fix="name the new one after the old one.",
        )
    if new in dataset.cohorts():
        raise UserError(
            f"{dataset.root} has a cohort {new!r} already.",
            expected="a name that no cohort has.",
            fix=f"choose another name, or move the patients of {old!r} to {new!r}.",
        )
    return move_patients(dataset, patients, new)


def move_patients(dataset: Dataset, patients: Iterable[str], cohort: str) -> int:
    """Put patients into another cohort, which may be new; they keep their split. The number that was moved.

    Raises
    ------
    UserError
        If a patient is not in the dataset, or the name cannot be a cohort's; nothing is changed then.
    """
    require_cohort_name(cohort)
    moved = 0
    for name in _known(dataset, patients):
        person = dataset.participants[name]
        moved += person.cohort != cohort
        dataset.participants[name] = replace(person, cohort=cohort)
    dataset.save_participants()
    return moved


def files_of(dataset: Dataset, patients: Iterable[str]) -> list[Path]:
    """Everything in a dataset that bears the name of one of these patients, files and whole folders.

    Raises
    ------
    UserError
        If a patient is not in the dataset.
    """
    return list(_named(dataset.root, _known(dataset, patients)))


def remove_patients(dataset: Dataset, patients: Iterable[str]) -> None:
    """Take patients out of a dataset: images, masks, everything derived, earlier versions, rows.

    Their ids are not given to others. What cannot be moved away leaves all as it was; a run that was killed
    leaves at most patients without images, which the same command takes out.

    Raises
    ------
    UserError
        If a patient is not in the dataset.
    """
    names = _known(dataset, patients)
    trash = dataset.root / _TRASH
    if trash.exists():  # of a run that was killed
        shutil.rmtree(trash)
    trash.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for path in list(_named(dataset.root, names)):
            target = trash / path.relative_to(dataset.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            moved.append((path, target))
    except OSError:
        for path, target in reversed(moved):
            target.replace(path)
        raise
    note_removed(dataset.root, names)
    for name in names:
        del dataset.participants[name]
    dataset.save_participants()
    shutil.rmtree(trash)


def _known(dataset: Dataset, patients: Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(patients))
    if unknown := [name for name in names if name not in dataset.participants]:
        raise UserError(
            f"{dataset.root} has no patient {', '.join(unknown)}.",
            expected="ids as participants.tsv has them, such as sub-0001.",
            fix="correct the ids.",
        )
    if not names:
        raise UserError("No patient was named.", expected="one or more.", fix="name patients, or a cohort.")
    return names


def _named(folder: Path, patients: Collection[str]) -> Iterator[Path]:
    """Paths that bear a patient's name, images before what is derived from them."""
    for path in sorted(folder.iterdir(), key=lambda path: (path.name in ("derivatives", "sourcedata"), path)):
        match = _PATIENT.fullmatch(path.name)
        if match and match[1] in patients:
            yield path
        elif path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _named(path, patients)
