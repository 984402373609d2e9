"""Options of what comes in, shared by the verbs that take it, and the one printer of what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.annotations.regions import Choice
    from uteroseg.intake.outcome import Outcome

Annotations = Annotated[
    Path | None,
    typer.Option(
        help="Masks, drawn on any image of the examination: a folder of DICOM SEG and RTSTRUCT, or a table "
        "(CSV) 'study,mask,label' of files of any kind, whose paths are relative to the table; 'none' as "
        "mask says that there is no tumour. Columns reader, histology and others of the patient are kept."
    ),
]
Roi = Annotated[str | None, typer.Option(help="The tumour's name in the annotations; * stands for anything.")]
RoiColour = Annotated[
    str | None, typer.Option(help="The tumour's colour in the RTSTRUCT, such as 0,235,235.")
]
Register = Annotated[
    bool,
    typer.Option("--register", help="Undo motion between what was drawn on and the DWI, in plane."),
]
Pictures = Annotated[Path | None, typer.Option(help="A folder for a picture of every new mask on the DWI.")]


def choice_of(roi: str | None, roi_colour: str | None) -> Choice:
    """Which region is the tumour; raises UserError where the colour is none."""
    from uteroseg.annotations.regions import Choice

    if roi_colour is None:
        return Choice(name=roi or "")
    parts = [int(part) for part in roi_colour.split(",") if part.strip().isdecimal()]
    if len(parts) != 3 or max(parts) > 255:
        raise UserError(
            f"--roi-colour is {roi_colour!r}.",
            expected="red, green and blue from 0 to 255, such as 0,235,235.",
            fix="correct --roi-colour.",
        )
    return Choice(name=roi or "", colour=(parts[0], parts[1], parts[2]))


def told(
    outcomes: Sequence[Outcome], unused: Sequence[UserError], dataset: Path, *, dry_run: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """What became of studies and annotations, with a total: lines for a person, values for a machine."""
    counts = Counter(outcome.status for outcome in outcomes)
    patients = len({one.case.participant for one in outcomes if one.case})
    total = ", ".join(f"{number} {status}" for status, number in counts.items()) or "nothing"
    lines = [str(outcome) for outcome in outcomes]
    lines += [f"UNUSED   {error}" for error in unused]
    whole = [_counted(len(outcomes), "study", "studies")]
    if patients:
        whole[0] += f" of {_counted(patients, 'patient', 'patients')}"
    if unused:
        whole.append(f"{_counted(len(unused), 'annotation file', 'annotation files')} unused")
    dry = "; a dry run, nothing was written" if dry_run else ""
    lines.append(f"{dataset}: {total} ({', '.join(whole)}){dry}")
    values = {
        "studies": [outcome.describe() for outcome in outcomes],
        "unused_annotations": [str(error) for error in unused],
        "patients": patients,
        "counts": dict(counts),
        "dry_run": dry_run,
    }
    return lines, values


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def all_well(outcomes: Sequence[Outcome], unused: Sequence[UserError]) -> bool:
    """Whether everything that came is in the dataset as it came."""
    return not unused and not any(outcome.status in ("failed", "differs") for outcome in outcomes)
