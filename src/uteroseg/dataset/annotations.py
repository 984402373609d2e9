"""The table that says which mask belongs to which study: ``study,mask,label``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError

_COLUMNS = ("study", "mask", "label")


@dataclass(frozen=True)
class Annotation:
    """One row: a mask file for a study.

    Parameters
    ----------
    study : str
        StudyInstanceUID, or a folder below the source that holds the study.
    mask : Path
        Relative paths are relative to the table.
    label : int, optional
        The value in the file that means tumour.
    """

    study: str
    mask: Path
    label: int | None

    def belongs_to(self, found: FoundStudy, source: Path) -> bool:
        """Whether this row names a study that was found below ``source``."""
        if self.study == found.study_uid:
            return True
        folder = (source / self.study).resolve()
        return folder != source.resolve() and found.folder.resolve().is_relative_to(folder)


def read_annotations(path: Path) -> list[Annotation]:
    """Read the table.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, or names a mask that does not exist.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise _defect(path, f"cannot be read ({error})") from error
    if missing := [name for name in ("study", "mask") if name not in header]:
        raise _defect(path, f"has no column {', '.join(missing)}")
    annotations = []
    for number, row in enumerate(rows, start=2):
        label, mask = (row.get("label") or "").strip(), path.parent / (row["mask"] or "").strip()
        if not (row["study"] or "").strip() or not mask.is_file():
            raise _defect(path, f"names no study or a mask that does not exist in line {number} ({mask})")
        if label and not label.isdecimal():
            raise _defect(path, f"has the label {label!r} in line {number}")
        annotations.append(Annotation(row["study"].strip(), mask, int(label) if label else None))
    return annotations


def annotation_of(found: FoundStudy, annotations: Sequence[Annotation], source: Path) -> Annotation | None:
    """The row of a study, or None.

    Raises
    ------
    UserError
        If several rows name it.
    """
    rows = [annotation for annotation in annotations if annotation.belongs_to(found, source)]
    if len(rows) > 1:
        raise UserError(
            f"{len(rows)} rows of the annotation table name the study in {found.folder}.",
            expected="one mask for each study.",
            fix="keep one of them, or name the studies by their StudyInstanceUID.",
        )
    return rows[0] if rows else None


def _defect(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} {problem}.",
        expected=f"a table (CSV) with the columns {', '.join(_COLUMNS)}: the study's folder or "
        "StudyInstanceUID, the mask's file, and the tumour's value in it (may be left empty).",
        fix="correct the table.",
    )
