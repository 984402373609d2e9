"""Who is who, outside the dataset: a table that leads from cases back to patients, where asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.files import write_text
from uteroseg.intake.study import Incoming

COLUMNS = ("case", "patient_id", "study_date", "study_uid", "series_uids")


def require_outside(table: Path, root: Path) -> None:
    """Refuse a table inside the dataset, or a file that is none; before anything is written.

    Raises
    ------
    UserError
        If the table would lie in the dataset, or the path holds something else.
    """
    if table.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{table} lies inside the dataset.",
            expected="a file elsewhere: it tells who the patients are, and the dataset must not.",
            fix="name a file outside the dataset as `link`.",
        )
    _read(table)


def write_linkage(table: Path, linked: Iterable[tuple[CaseId, Incoming]]) -> None:
    """Add cases to the table, unless they are in it; readable by the owner alone."""
    rows = _read(table)
    for case, found in linked:
        told = (found.patient, found.date, found.examination, found.identifier or found.name)
        rows[str(case)] = [str(case), *told]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *(rows[case] for case in sorted(rows))])
    write_text(table, text.getvalue(), private=True)


def _read(table: Path) -> dict[str, list[str]]:
    """Rows by case; none where there is no table yet."""
    if not table.exists():
        return {}
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise _no_table(table, str(error)) from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise _no_table(table, f"it begins with {','.join(rows[0])[:80]!r}" if rows else "it is empty")
    return {row[0]: row for row in rows[1:]}


def _no_table(table: Path, found: str) -> UserError:
    return UserError(
        f"{table} is no linking table ({found}).",
        expected=f"a new file, or one with the columns {','.join(COLUMNS)}.",
        fix="name another file as `link`.",
    )
