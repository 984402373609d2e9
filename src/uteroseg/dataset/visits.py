"""Dates of one patient as BIDS sessions, without telling the dates.

References
----------
Brain Imaging Data Structure, sessions file: shifted dates lie before 1925.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uteroseg.dataset.participants import MISSING
from uteroseg.files import write_text


@dataclass(frozen=True)
class Visit:
    """One date on which a patient was examined, without telling which.

    Parameters
    ----------
    key : str
        Tells whether a further study is of the same date.
    date : str
        ISO date, shifted; ``n/a`` where it is unknown.
    one_of_several : bool
        Whether the patient is known to have come on other dates too.
    """

    key: str
    date: str
    one_of_several: bool


def session_of(visit: Visit, known: Mapping[str, str | None]) -> str | None:
    """The session of a visit: none for the only one of a patient.

    Parameters
    ----------
    visit : Visit
    known : mapping
        Keys of the patient's visits in the dataset → their sessions; they stay as they are.
    """
    if visit.key in known:
        return known[visit.key]
    return f"ses-{len(known) + 1:02d}" if known or visit.one_of_several else None


def enter_session(table: Path, session: str, visit: Visit) -> None:
    """Add a row to the table of a participant's sessions, unless it is there."""
    text = table.read_text("utf-8") if table.is_file() else "session_id\tacq_time\n"
    if f"\n{session}\t" not in text:
        time = visit.date if visit.date == MISSING else f"{visit.date}T00:00:00"
        write_text(table, f"{text}{session}\t{time}\n")
