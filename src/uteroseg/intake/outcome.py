"""What became of a study that came in, for people and for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING

Status = Literal["added", "mask added", "mask replaced", "present", "differs", "failed"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a study; in a dry run, what would.

    Parameters
    ----------
    study : str
        What its files are called.
    status : {"added", "mask added", "mask replaced", "present", "differs", "failed"}
        ``differs``: it is in the dataset with another mask than the one that came.
    case : CaseId, optional
        None where it failed.
    b_values : tuple of float
    b_value_source : str
    scanner_adc : bool
    t2 : str
        What the T2 is called that was kept beside it; empty without one.
    annotation : Path, optional
        The file that its mask comes from.
    mask_ml, outside_ml : float, optional
        Volume of the annotation on the study's grid, and of what was drawn outside it, mL.
    annotation_source : str
        What it was drawn on.
    registration : mapping, optional
        How the patient was found to have moved between that and the study.
    left_out : tuple of str
        Images that were left out, with the reason.
    notes : tuple of str
        What else is to be said.
    split : {"train", "test", "n/a"}
    error : str
        Why it failed, or how it differs.
    """

    study: str
    status: Status
    case: CaseId | None = None
    b_values: tuple[float, ...] = ()
    b_value_source: str = ""
    scanner_adc: bool = False
    t2: str = ""
    annotation: Path | None = None
    mask_ml: float | None = None
    outside_ml: float | None = None
    annotation_source: str = ""
    registration: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    split: str = MISSING
    error: str = ""

    def renamed(self, told: Callable[[str], str]) -> Outcome:
        """The same with files named as they are in an archive."""
        annotation = Path(told(str(self.annotation))) if self.annotation else None
        notes = tuple(map(told, self.notes))
        return replace(
            self, study=told(self.study), error=told(self.error), notes=notes, annotation=annotation
        )

    def describe(self) -> dict[str, Any]:
        """For a machine."""
        paths = {"case": self.case, "annotation": self.annotation}
        texts = {name: str(value) if value else None for name, value in paths.items()}
        return {**vars(self), **texts, "annotation_source": self.annotation_source or None}

    def __str__(self) -> str:
        """For a person."""
        if self.status == "failed":
            return f"FAILED   {self.study}: {self.error}"
        if self.status == "present":
            return f"present  {self.case} is {self.study} already{_sentences(self.notes)}"
        if self.status == "differs":
            return f"DIFFERS  {self.case} is {self.study}: {self.error}"
        b_values = ", ".join(f"{b:g}" for b in self.b_values)
        parts = [
            f"b {b_values} s/mm² (read from {self.b_value_source})",
            f"{'with' if self.scanner_adc else 'without'} scanner ADC",
            *([f"T2 {self.t2}"] if self.t2 else []),
            self._mask(),
            *(f"left out {what}" for what in self.left_out),
        ]
        return f"{self.status:8} {self.case} from {self.study}: {', '.join(parts)}{_sentences(self.notes)}"

    def _mask(self) -> str:
        """Its volume, what it was drawn on, and what that meant for it."""
        if self.mask_ml is None:
            return "no mask"
        if not self.mask_ml:
            return "an empty mask"
        text = f"mask {self.mask_ml:.2f} mL (drawn on {self.annotation_source}"
        if self.outside_ml:
            text += f", {self.outside_ml:.2f} mL outside the images"
        if self.registration:
            moved, applied = self.registration["displacement_mm"], self.registration["applied"]
            text += (
                f", registered by {moved:.1f} mm" if applied else f", not registered ({moved:.1f} mm found)"
            )
        return f"{text})"


def _sentences(notes: tuple[str, ...]) -> str:
    return "".join(f"; {note.rstrip('.')}" for note in notes)
