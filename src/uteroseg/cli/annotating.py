"""Options that say which annotations a dataset takes in, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.annotations.regions import Choice
    from uteroseg.intake.ingest import Outcome

Annotations = Annotated[
    Path | None,
    typer.Option(
        help="Masks, drawn on any image of the examination: a folder of DICOM SEG and RTSTRUCT, or a table "
        "(CSV) 'study,mask,label' of files of any kind."
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


def mask_text(outcome: Outcome) -> str:
    """A new mask: its volume, what it was drawn on, and what that meant for it."""
    if outcome.mask_ml is None:
        return "no mask"
    text = f"mask {outcome.mask_ml:.2f} mL (drawn on {outcome.annotation_source}"
    if outcome.outside_ml:
        text += f", {outcome.outside_ml:.2f} mL outside the study"
    if outcome.registration:
        moved, applied = outcome.registration["displacement_mm"], outcome.registration["applied"]
        text += f", registered by {moved:.1f} mm" if applied else f", not registered ({moved:.1f} mm found)"
    return f"{text})"
