"""Which of the regions in an annotation file is the tumour: labels, segments, regions of interest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from uteroseg.errors import UserError

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Region:
    """What a file says of one region.

    Parameters
    ----------
    number : int
        Label value, segment number or ROI number.
    name : str
        Segment label or ROI name; empty in label maps without names.
    colour : tuple of 3 ints, optional
        ROI Display Color.
    """

    number: int
    name: str = ""
    colour: Colour | None = None

    def __str__(self) -> str:
        colour = f" ({','.join(map(str, self.colour))})" if self.colour else ""
        return f"{self.number} {self.name}".strip() + colour


@dataclass(frozen=True)
class Choice:
    """What tells the tumour among the regions of a file; without any, a file must hold one region.

    Parameters
    ----------
    number : int, optional
    name : str
        Upper and lower case are the same; ``*`` stands for anything.
    colour : tuple of 3 ints, optional
    """

    number: int | None = None
    name: str = ""
    colour: Colour | None = None

    def fits(self, region: Region) -> bool:
        """Whether a region is what was asked for."""
        name = re.escape(self.name.strip()).replace(r"\*", ".*")
        return (
            self.number in (None, region.number)
            and (not self.name or re.fullmatch(name, region.name.strip(), re.IGNORECASE) is not None)
            and self.colour in (None, region.colour)
        )

    def __str__(self) -> str:
        parts = [f"number {self.number}"] if self.number is not None else []
        parts += [f"name {self.name!r}"] if self.name else []
        parts += [f"colour {','.join(map(str, self.colour))}"] if self.colour else []
        return " and ".join(parts) or "any region"


def segments_of(dataset: Dataset) -> list[Region]:
    """The segments of a DICOM Segmentation; the background of a label map is none."""
    found = [
        Region(int(segment.SegmentNumber), str(segment.get("SegmentLabel") or "").strip())
        for segment in dataset.get("SegmentSequence") or ()
    ]
    return [region for region in found if region.number]


def choose(regions: Sequence[Region], choice: Choice, path: Path) -> Region:
    """The one region that fits.

    Raises
    ------
    UserError
        If none or several do, with a list of what the file holds.
    """
    fitting = [region for region in regions if choice.fits(region)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(map(str, regions)) or "nothing"
    if not fitting:
        found = f"{path} holds no region of {choice}, it holds: {listed}."
    elif len(fitting) < len(regions):
        found = f"{path} holds {len(fitting)} regions of {choice}: {'; '.join(map(str, fitting))}."
    else:
        found = f"{path} holds {len(regions)} regions: {listed}."
    raise UserError(
        found,
        expected="one region that is the tumour.",
        fix="say which: 'ingest' has --roi, --roi-colour and the table's column 'label', 'evaluate' --label.",
    )
