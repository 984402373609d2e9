"""The table that says which mask belongs to which study: ``study,mask,label``, and what else is known."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from uteroseg.annotations.clinical import columns_to_keep
from uteroseg.annotations.file import AnnotationFile, open_annotation
from uteroseg.annotations.regions import Choice
from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError
from uteroseg.imaging.formats import METAIMAGE, NIFTI
from uteroseg.imaging.nifti import Form

_NONE = "none"
_OWN = ("study", "mask", "label", "reader")
_OF_A_DATASET = ("participant_id", "cohort", "split", "source", "source_key")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What is drawn, or said, of a study's tumour.

    Parameters
    ----------
    mask : Path or None
        None where it is said that there is no tumour.
    choice : Choice
        Which region of the file is the tumour.
    reader : str
    clinical : mapping of str to str
        What else the table says of the disease, by the names of its columns in small letters.
    named : bool
        Somebody named the file, in a table or alone; it did not just lie in a folder.
    opened : AnnotationFile, optional
    """

    mask: Path | None
    choice: Choice
    reader: str = ""
    clinical: Mapping[str, str] = field(default_factory=dict, hash=False)
    named: bool = True
    opened: AnnotationFile | None = None

    def open(self, nifti_form: Form | None = None) -> AnnotationFile | None:
        """The file; None where there is no tumour; raises UserError where it cannot be read."""
        return self.opened or (open_annotation(self.mask, nifti_form=nifti_form) if self.mask else None)


@dataclass(frozen=True, kw_only=True)
class TableRow(Annotation):
    """One row of the table.

    Parameters
    ----------
    study : str
        StudyInstanceUID, or a file or folder below the source that is or holds the study.
    line : int
        Where it ends in the table.
    encoding : str
        Of the table.
    """

    study: str
    line: int
    encoding: str = "utf-8"

    def belongs_to(self, found: FoundStudy, source: Path) -> bool:
        """Whether this row names a study that was found below ``source``."""
        if self.study == found.study_uid:
            return True
        folder = first_that_exists(source, self.study, self.encoding).resolve()
        if folder == source.resolve():
            return False
        files = {file.parent for series in found.used for file in series.files}
        return any(one.resolve().is_relative_to(folder) for one in (found.folder, *files))


@dataclass(frozen=True)
class Table:
    """An annotation table.

    Parameters
    ----------
    rows : list of TableRow
    notes : tuple of str
        What is to be said of it.
    """

    rows: list[TableRow]
    notes: tuple[str, ...] = ()


def read_table(path: Path, choice: Choice | None = None) -> Table:
    """Read the table, as any office program writes it: its separator and encoding are found out.

    Parameters
    ----------
    path : Path
        Masks are relative to it.
    choice : Choice, optional
        Which region is the tumour in rows without a label. A label is a number (value, segment or ROI
        number), a name in files that name their regions, or ``none`` where every voxel is 0. A mask that is
        ``none`` needs no file.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, has one that a dataset keeps itself, has no rows, names a mask
        that does not exist, or a study twice.
    """
    if path.is_dir():
        raise _defect(path, "is a folder, and files of this kind do not say which study they belong to")
    try:
        text, encoding = _decoded(path.read_bytes())
        lines = _lines(text)
    except (OSError, ValueError, csv.Error) as error:
        raise _defect(path, f"cannot be read as text ({error})") from error
    written = [name.strip() for name in (lines[0][1] if lines else [])]
    header = [re.sub(r"\s+", "_", name.casefold()) for name in written]
    names = [name for name in header if name]
    if len(set(names)) < len(names) or not {"study", "mask"} <= set(names):
        raise _defect(path, f"has the columns {'; '.join(filter(None, written)) or 'of no table'}")
    if ours := [name for name in names if name in _OF_A_DATASET]:
        raise _defect(path, f"has the columns {'; '.join(ours)}, which a dataset keeps itself")
    if not lines[1:]:
        raise _defect(path, "names no study: it has no rows")
    cells_of: dict[int, dict[str, str]] = {}  # by line
    for number, cells in lines[1:]:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise _defect(path, f"has more cells than columns in line {number}")
        pairs = zip(header, cells, strict=False)
        cells_of[number] = {name: cell.strip() for name, cell in pairs if name and cell.strip()}
    clinical = {name: title for name, title in zip(header, written, strict=True) if name and name not in _OWN}
    kept, left_out = columns_to_keep(list(cells_of.values()), clinical, ("study", "mask"))
    rows: dict[str, TableRow] = {}
    for number, row in cells_of.items():
        one = _row(row, kept, path, number, encoding, choice or Choice())
        if one.study in rows:
            raise _defect(path, f"names {one.study} twice, in lines {rows[one.study].line} and {number}")
        rows[one.study] = one
    said = [*kept, *(["reader"] if any(row.reader for row in rows.values()) else [])]
    notes = [f"Of the table, {', '.join(said)} is kept: see that it tells nobody."] if said else []
    notes += [f"The table's column {clinical[name]!r} is not kept: {why}." for name, why in left_out.items()]
    if any(
        cell.strip() for _, cells in lines[1:] for name, cell in zip(header, cells, strict=False) if not name
    ):
        notes.append("The table's columns without a title are not kept.")
    return Table(list(rows.values()), tuple(notes))


def first_that_exists(folder: Path, name: str, encoding: str = "utf-8") -> Path:
    """A path as a table writes it: with separators of Windows, or in the bytes of another encoding, too."""
    spelt = [name, name.replace("\\", "/")]
    spelt += [os.fsdecode(one.encode(encoding, "ignore")) for one in spelt]
    paths = [folder / one for one in spelt]
    return next((path for path in paths if os.path.exists(path)), paths[0])  # noqa: PTH110 (never raises)


def _row(
    row: Mapping[str, str], kept: Sequence[str], path: Path, line: int, encoding: str, choice: Choice
) -> TableRow:
    label, named = row.get("label", ""), row.get("mask", "")
    mask = None if named.casefold() == _NONE else first_that_exists(path.parent, named, encoding)
    if not row.get("study") or not named or (mask and not os.path.isfile(mask)):  # noqa: PTH113
        raise _defect(path, f"names no study or a mask that does not exist in line {line} ({named})")
    if label.casefold() == _NONE:
        choice = Choice(no_tumour=True)
    elif _NUMBER.fullmatch(label):
        choice = Choice(number=float(label.replace(",", ".")))
    elif label and mask and mask.name.lower().endswith((*NIFTI, *METAIMAGE)):
        raise _defect(path, f"has the label {label!r} in line {line}, no number, and {mask.name} names none")
    elif label:
        choice = Choice(name=label)
    clinical = {name: row[name] for name in kept if name in row}
    study, reader = row["study"].rstrip("/\\"), row.get("reader", "")
    if re.search(r"\d{3}", reader):
        raise _defect(path, f"has the reader {reader!r} in line {line}, with a number that may tell somebody")
    return TableRow(
        mask=mask, choice=choice, reader=reader, clinical=clinical, study=study, line=line, encoding=encoding
    )


def _decoded(raw: bytes) -> tuple[str, str]:
    """Text, and the encoding that it is in."""
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:4]
    text, encoding = "\0", ""
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "latin-1"):
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding)
            break
    if "\0" in text:
        raise ValueError("it may be a spreadsheet or an archive: save it as CSV, or unpack it")
    return text, encoding


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """The rows that hold something, each with the number of its line."""
    hint = re.match("sep=(.)", text, re.IGNORECASE)  # Excel's
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = hint[1] if hint else max(",;\t|", key=first.count)
    text = re.sub(f'" +(?=[{separator}\r\n]|$)', '"', text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    return lines[1:] if hint else lines


def _defect(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} {problem}.",
        expected="a table (CSV) with the columns study (its folder or StudyInstanceUID, each once), mask (a "
        "file, relative to the table, or 'none') and, if needed, label (the tumour's value or name in the "
        "file, or 'none'), reader, and clinical columns.",
        fix="correct the table.",
    )
