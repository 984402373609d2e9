"""What comes in: a study of whatever files, read when its turn comes."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uteroseg.dataset.participants import MISSING
from uteroseg.errors import UserError
from uteroseg.imaging.study import DERIVED, DwiStudy, Volume

if TYPE_CHECKING:
    from uteroseg.annotations.placement import PlacedAnnotation
    from uteroseg.annotations.table import Annotation
    from uteroseg.imaging.nifti import Form


@dataclass(frozen=True, eq=False, kw_only=True)
class Incoming(ABC):
    """A study that comes in.

    What tells patient, visit and study apart is hashed with the dataset's key before it is written.

    Parameters
    ----------
    name : str
        What its files are called, for messages.
    kind : str
        Of its source, as in participants.tsv.
    patient : str
        Tells the patient.
    day : str
        Tells the date among the patient's; empty where the files know of none.
    one_of_several_days : bool
        Whether the patient is known to have come on other dates too.
    date : str
        As DICOM writes it; empty where it is unknown.
    identifier : str
        Tells the study; empty where its voxels do.
    examination : str
        Tells the examination that it belongs to.
    parts : tuple of str
        Identifiers under which earlier versions took pieces of it for studies.
    split : {"train", "test", "n/a"}
    left_out : tuple of str
        Images beside it that are not taken.
    notes : tuple of str
        What else is to be said of it.
    form : {"qform", "sform"}, optional
        Which of the two places in a NIfTI header counts, where they differ.
    """

    name: str
    kind: str
    patient: str
    day: str = ""
    one_of_several_days: bool = False
    date: str = ""
    identifier: str = ""
    examination: str = ""
    parts: tuple[str, ...] = ()
    split: str = MISSING
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    form: Form | None = None

    @abstractmethod
    def load(self) -> DwiStudy:
        """Read its images; raises UserError where that is not possible."""

    @property
    def annotation(self) -> Annotation | None:
        """The file with its mask, if there is one; raises UserError where it cannot be told which."""
        return None

    def placed(self, study: DwiStudy) -> PlacedAnnotation | None:
        """Its mask on its images' grid, where it has an annotation; raises as `place_annotation` does."""
        if (annotation := self.annotation) is None:
            return None
        from uteroseg.annotations.placement import (
            place_annotation,  # scipy, which it needs, takes a tenth of a second
        )

        return place_annotation(annotation, study, nifti_form=self.form)

    def t2(self, study: DwiStudy, placed: PlacedAnnotation | None) -> tuple[Volume | None, tuple[str, ...]]:
        """The T2 of its examination, if it has one, and what was passed over on the way to it."""
        return None, ()


def content_of(study: DwiStudy) -> str:
    """Tells a study by its voxels, however its files are called or packed; by what was measured of them."""
    derived = study.acquisition.get(DERIVED, {})
    measured = [i for i, b in enumerate(study.b_values) if f"{b:g}" not in derived]
    digest = hashlib.sha256(np.ascontiguousarray(study.signal[measured], np.float32).tobytes())
    if derived and study.scanner_adc is not None:
        digest.update(np.ascontiguousarray(study.scanner_adc, np.float32).tobytes())
    digest.update(np.asarray(study.b_values, np.float64).tobytes())
    return digest.hexdigest()


def require_usable(b_values: Sequence[float], *, where: str, fix: str) -> None:
    """Raise a UserError unless there are two b-values or more, each once."""
    listed = ", ".join(f"{b:g}" for b in b_values) or "none"
    if len(set(b_values)) < len(b_values) or len(b_values) < 2:
        raise UserError(
            f"The b-values of {where} are: {listed}.",
            expected="at least two, each once (s/mm²): ADC is computed from them.",
            fix=fix,
        )
