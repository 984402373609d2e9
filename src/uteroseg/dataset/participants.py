"""``participants.tsv``: who is in a dataset, in which cohort and which split."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.files import write_text

MISSING = "n/a"
"""BIDS's word for a value that is not known."""

SPLITS = ("train", "test", MISSING)

REAL = ("dicom", "nifti", "nnunet", "decathlon")
"""Sources of patients who are recognised by the key beside the dataset."""

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


_COLUMNS = tuple(f.name for f in fields(Participant) if f.name != "others")
_ID = re.compile(r"sub-[0-9A-Za-z]+")


def read_participants(path: Path) -> dict[str, Participant]:
    """Read the table, by participant id.

    Raises
    ------
    UserError
        If a column is missing, an id is none or stands twice, or a split has an unknown name.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        header = reader.fieldnames or []
        rows = list(reader)
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
        own = [getattr(row, name) for name in _COLUMNS]
        lines.append("\t".join(own + [row.others.get(name, MISSING) for name in others]))
    write_text(path, "\n".join(lines) + "\n")


def require_cohort_name(cohort: str) -> None:
    """Raise a UserError where a text cannot name a cohort."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", cohort) or cohort == "pooled":
        raise UserError(
            f"{cohort!r} cannot name a cohort.",
            expected="letters a to z, digits, - and _, such as 'uterine'; 'pooled' means all cohorts.",
            fix="correct --cohort.",
        )
