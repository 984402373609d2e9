"""A study in files of another program, not read yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uteroseg.dataset.participants import MISSING
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy, Mask

LoadMask = Callable[[DwiStudy], tuple[Mask, Mapping[str, Any]]]


@dataclass(frozen=True)
class FileStudy:
    """A study to take into a dataset.

    Parameters
    ----------
    name : str
        What its files are called, for messages.
    patient : str
        Tells the patient among those of the same source.
    load : callable
    load_mask : callable, optional
        Gives the tumour on the study's grid and the fields of the mask's sidecar.
    split : {"train", "test", "n/a"}
    session : str
        Tells the date among the patient's, where the files say that there are several.
    left_out : tuple of str
        Images beside it that are not taken.
    """

    name: str
    patient: str
    load: Callable[[], DwiStudy]
    load_mask: LoadMask | None = None
    split: str = MISSING
    session: str = ""
    left_out: tuple[str, ...] = ()


def require_usable(b_values: Sequence[float], *, where: str, fix: str) -> None:
    """Raise a UserError unless there are two b-values or more, each once."""
    listed = ", ".join(f"{b:g}" for b in b_values) or "none"
    if len(set(b_values)) < len(b_values) or len(b_values) < 2:
        raise UserError(
            f"The b-values of {where} are: {listed}.",
            expected="at least two, each once (s/mm²): ADC is computed from them.",
            fix=fix,
        )
