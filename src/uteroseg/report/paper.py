"""What the paper reports, to stand beside an experiment: other data, never the same patients.

References
----------
Lin et al., Insights into Imaging 2023;14:14, doi 10.1186/s13244-022-01356-8.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SOURCE = "Lin et al., Insights into Imaging 2023;14:14"
DOI = "10.1186/s13244-022-01356-8"
SOURCE_COHORT, TARGET_COHORT = "cervical", "uterine"
TRAINING = {SOURCE_COHORT: 144, TARGET_COHORT: 256}
TEST = {SOURCE_COHORT: 25, TARGET_COHORT: 64}
EARLY_BEST = "fine-tuning the early encoder layers was better than fine-tuning others"
CROSSOVER = (
    "with half of the cases transfer learning was still ahead, with all of them training together was best"
)


@dataclass(frozen=True)
class Reported:
    """One model of the paper.

    Parameters
    ----------
    cases : int
        Annotated uterine cases that it was trained with.
    share : float
        Of the 256 that there were.
    pooled : float
        Mean DSC over the test patients of both cohorts.
    source : float, optional
        Mean DSC over the cervical ones; None where the paper gives none.
    joint : bool
        Trained on both cohorts together, not adapted.
    note : str
    """

    cases: int
    share: float
    pooled: float
    source: float | None = None
    joint: bool = False
    note: str = ""


REPORTED = (
    Reported(0, 0.0, 0.43),
    Reported(5, 0.02, 0.57, note="p < 0.001 against none"),
    Reported(13, 0.05, 0.62, note="p < 0.001 against none"),
    Reported(26, 0.10, 0.68, note="p < 0.001 against none"),
    Reported(51, 0.20, 0.70, note="p < 0.001 against none"),
    Reported(128, 0.50, 0.71, note="the crossover"),
    Reported(256, 1.00, 0.81, source=0.91, joint=True, note="training together"),
)


def matching(cases: int, available: int | None) -> Reported | None:
    """The paper's model with the same share of the target cases, or where that is not known the same number.

    Parameters
    ----------
    cases : int
        Target cases of a model.
    available : int, optional
        Target patients that there are to train on.
    """
    for reported in REPORTED:
        if cases == 0 or reported.cases == 0:
            if cases == reported.cases:
                return reported
        elif available is not None:
            if cases == max(round(reported.share * available), 1):
                return reported
        elif cases == reported.cases:
            return reported
    return None


def same_cohorts(cohorts: Collection[str]) -> bool:
    """Whether an experiment's cohorts are of the paper's kind."""
    return set(cohorts) == {SOURCE_COHORT, TARGET_COHORT}
