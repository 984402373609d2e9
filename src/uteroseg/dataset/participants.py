"""``participants.tsv``: who is in a dataset, in which cohort and which split."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.files import write_text

MISSING = "n/a"
"""BIDS's word for a value that is not known."""

SPLITS = ("train", "test", MISSING)

REAL = ("dicom", "nifti", "nnunet", "decathlon")
"""Sources of patients who are recognised by the key beside the dataset."""

_ABOUT_A_TUMOUR = ("site", "histology")
"""Our own columns that others' tables may fill."""

DESCRIPTIONS = {
    "cohort": "Named set of patients",
    "split": "train or test, assigned by patient",
    "site": "Organ of the tumour",
    "histology": "Histological type; none in a patient without a tumour",
    "source": "virtual (simulated), dicom (scanner files), nifti, nnunet or decathlon",
    "source_key": "Keyed hash of the patient's identifier, so that more of the same patient is recognised",
}


VIRTUAL_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "age": {"Description": "Age", "Units": "year"},
    "volume_ml": {
        "Description": "True volume of the tumour, necrosis included, also of what lies outside the scan",
        "Units": "mL",
    },
    "invasion": {
        "Description": "How far the tumour has grown. Cervix: stromal, exophytic, parametrial, vaginal or "
        "corporal. Corpus: cavity, inner half or outer half of the wall, serosa"
    },
    "scanner": {"Description": "Virtual scanner of the patient's first study"},
}
"""Columns of virtual patients beyond those of every dataset, as in ``participants.json``."""

FROM_A_TABLE: Mapping[str, str] = {"Description": "From a table of those who collected the patients"}
"""What ``participants.json`` says of a column that uteroseg does not know."""


@dataclass(frozen=True)
class Participant:
    """One row of ``participants.tsv``: unknown values are ``n/a``, the user's own columns are ``others``."""

    participant_id: str
    cohort: str
    split: str = MISSING
    site: str = MISSING
    histology: str = MISSING
    source: str = MISSING
    source_key: str = MISSING
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_keyed_source(self) -> bool:
        """Whether its ``source_key`` was made with the key beside the dataset."""
        return bool(re.fullmatch(r"[0-9a-f]{32}", self.source_key))


_COLUMNS = tuple(f.name for f in fields(Participant) if f.name != "others")
_ID = re.compile(r"sub-[0-9A-Za-z]+")


def read_participants(path: Path) -> dict[str, Participant]:
    """Read the table, by participant id.

    Raises
    ------
    UserError
        If a column is missing, an id is none or stands twice, or a split has an unknown name.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            header = reader.fieldnames or []
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} cannot be read ({error}).",
            expected="a table in UTF-8, its columns separated by tabs.",
            fix="save it in UTF-8, or restore it from a copy.",
        ) from error
    if missing := {"participant_id", "cohort"} - set(header):
        raise UserError(
            f"{path} has no column {', '.join(sorted(missing))}.",
            expected="the columns participant_id and cohort, separated by tabs.",
            fix="add the column; each participant needs the name of its cohort.",
        )
    participants: dict[str, Participant] = {}
    for row in rows:
        others = {name: row[name] or MISSING for name in header if name not in _COLUMNS}
        participant = Participant(**{name: row.get(name) or MISSING for name in _COLUMNS}, others=others)
        if not _ID.fullmatch(participant.participant_id):
            raise UserError(
                f"{path} names a participant {participant.participant_id!r}.",
                expected="sub- followed by letters and digits.",
                fix="correct the id.",
            )
        if participant.participant_id in participants or participant.split not in SPLITS:
            raise UserError(
                f"{path}: {participant.participant_id} stands twice or has the split {participant.split!r}.",
                expected=f"one row for each participant, with a split of {', '.join(SPLITS)}.",
                fix="correct the row.",
            )
        participants[participant.participant_id] = participant
    return participants


def write_participants(path: Path, participants: Iterable[Participant]) -> None:
    """Replace the table, whole or not at all."""
    rows = list(participants)
    others = list(dict.fromkeys(name for row in rows for name in row.others))
    lines = ["\t".join([*_COLUMNS, *others])]
    for row in rows:
        cells = [getattr(row, name) for name in _COLUMNS] + [row.others.get(name, "") for name in others]
        lines.append("\t".join(_cell(cell) or MISSING for cell in cells))
    write_text(path, "\n".join(lines) + "\n")


def _cell(text: str) -> str:
    """A text as a cell of a table that knows neither line breaks nor quotes."""
    return " ".join(text.split()).replace('"', "'")


def require_clinical(columns: Iterable[str]) -> None:
    """Raise a UserError where a column of another table may not enter ``participants.tsv``.

    That is one that tells who or when, or one of our own other than site and histology.
    """
    for column in columns:
        if column in _COLUMNS and column not in _ABOUT_A_TUMOUR:
            raise UserError(
                f"The column {column!r} is to enter participants.tsv, where uteroseg keeps it itself.",
                expected=f"columns of the clinic, or {' and '.join(_ABOUT_A_TUMOUR)}.",
                fix="leave the column out, or give it another name.",
            )
        from uteroseg.annotations.clinical import may_identify  # its patterns take 20 ms to compile

        if not column or may_identify(column):
            raise UserError(
                f"The column {column!r} may tell who a patient is, or when they came.",
                expected="columns without names, identifiers and dates: a dataset says who nobody is.",
                fix="leave the column out, or turn it into one that may be shared, such as an age.",
            )


def updated(known: Participant, found: Mapping[str, str]) -> Participant:
    """A participant with what another table tells of them.

    Parameters
    ----------
    known : Participant
    found : mapping
        Column → value; titles are the same in whatever capitals, an empty value or ``n/a`` says nothing.

    Raises
    ------
    UserError
        If a value differs from the known one, or a column may not enter.
    """
    own: dict[str, str] = {}
    others = dict(known.others)
    titles = {title.casefold(): title for title in (*_COLUMNS, *others)}
    for column, value in found.items():
        title, text = titles.get(_cell(column).casefold(), _cell(column)), _cell(value)
        if text in ("", MISSING):
            continue
        require_clinical([title])
        before = getattr(known, title) if title in _COLUMNS else others.get(title, MISSING)
        if before not in (MISSING, text):
            raise UserError(
                f"The {title} of {known.participant_id} is {before!r} in the dataset, and now {text!r}.",
                expected="one value for each patient.",
                fix="correct the table, or participants.tsv.",
            )
        (own if title in _COLUMNS else others)[title] = text
    return replace(known, **own, others=others)


def removed_participants(root: Path) -> list[str]:
    """Ids of patients who were removed from a dataset; they are not given to others."""
    table = root / _REMOVED
    return table.read_text("utf-8").split()[1:] if table.is_file() else []


def note_removed(root: Path, participants: Iterable[str]) -> None:
    """Add to the ids of patients who were removed."""
    names = sorted({*removed_participants(root), *participants})
    write_text(root / _REMOVED, "\n".join(["participant_id", *names]) + "\n")


_REMOVED = Path("sourcedata", "removed_participants.tsv")


def require_cohort_name(cohort: str) -> None:
    """Raise a UserError where a text cannot name a cohort."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", cohort) or cohort == "pooled":
        raise UserError(
            f"{cohort!r} cannot name a cohort.",
            expected="letters a to z, digits, - and _, such as 'uterine'; 'pooled' means all cohorts.",
            fix="give the cohort another name.",
        )
