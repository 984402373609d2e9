"""What decides every patient of a virtual cohort."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import get_args

from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.person import Cohort, tumour_free
from uteroseg.phantom.presets import Encoding, T2Annotation
from uteroseg.phantom.reader import require_dsc

COHORTS: tuple[Cohort, ...] = get_args(Cohort)


@dataclass(frozen=True)
class Settings:
    """What decides every patient of a cohort.

    Parameters
    ----------
    cohort : {"cervical", "uterine"}
    seed : int
    acquisition : Acquisition
    tumour_free : float
        Share of the patients, 0 to below 1, who have no tumour.
    reader_dsc : float, optional
        Mean DSC between the truth and a second reader; None for no second reader.
    randomise : bool
        Contrasts beyond what is realistic.
    encoding : {"classic", "enhanced"}
        Of DICOM files.
    t2_annotation : {"rtstruct", "seg"}, optional
        How the tumour is drawn on a T2 series that is written with the DICOM files; None for no T2 series.

    Raises
    ------
    UserError
        If a value lies outside its range.
    """

    cohort: Cohort
    seed: int
    acquisition: Acquisition = DEFAULT
    tumour_free: float = 0.0
    reader_dsc: float | None = None
    randomise: bool = False
    encoding: Encoding = "classic"
    t2_annotation: T2Annotation | None = None

    def __post_init__(self) -> None:
        _require_one_of(self.cohort, COHORTS, "cohort of virtual patients", "cohort")
        _require_one_of(self.encoding, get_args(Encoding), "DICOM encoding", "encoding")
        if self.t2_annotation is not None:
            kinds = get_args(T2Annotation)
            _require_one_of(self.t2_annotation, kinds, "annotation on a T2 series", "annotate_t2")
        if self.seed < 0:
            raise UserError(f"The seed is {self.seed}.", expected="0 or more.", fix="correct `seed`.")
        if not (math.isfinite(self.tumour_free) and 0 <= self.tumour_free < 1):
            raise UserError(
                f"The share of patients without a tumour is {self.tumour_free:g}.",
                expected="0 to below 1, or 0% to below 100%.",
                fix="correct `tumour_free`.",
            )
        if self.reader_dsc is not None:
            require_dsc(self.reader_dsc)

    def without_tumour(self, index: int) -> bool:
        """Whether the patient of this number has no tumour."""
        return tumour_free(index, seed=self.seed, share=self.tumour_free)

    def person_key(self, index: int) -> str:
        """Tells a patient: the same one on another scanner has the same key."""
        kind = "-tumourfree" if self.without_tumour(index) else ""
        return f"virtual-{self.cohort}-seed{self.seed}-{index:04d}{kind}"

    def study_key(self, index: int) -> str:
        """Tells a patient's study: every setting of the scan counts."""
        scan = json.dumps([asdict(self.acquisition), self.randomise], sort_keys=True)
        digest = hashlib.sha256(scan.encode()).hexdigest()[:8]
        return f"{self.person_key(index)}-{self.acquisition.name}-{digest}"


def _require_one_of(value: str, allowed: tuple[str, ...], what: str, parameter: str) -> None:
    if value not in allowed:
        raise UserError(
            f"There is no {what} {value!r}.",
            expected=f"{' or '.join(allowed)}.",
            fix=f"correct `{parameter}`.",
        )
