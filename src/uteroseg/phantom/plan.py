"""What a patient's tumour will be: histology, site, volume and spread, drawn before the anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PATTERNS: Mapping[str, float] = {
    "stromal": 0.30,
    "exophytic": 0.18,
    "parametrial": 0.27,
    "vaginal": 0.13,
    "corporal": 0.12,
}
"""Where a cervical carcinoma grows besides the cervix, and how often (an assumption)."""


@dataclass(frozen=True)
class TumourPlan:
    """What a patient's tumour will be.

    Parameters
    ----------
    histology : str
        A tissue of ``TISSUES``.
    site : {"cervix", "corpus"}
    volume_ml : float
        Of the whole tumour, necrosis included.
    invasion : float
        Corpus: 0 stays in the cavity, 1 reaches through the wall. Cervix: how far its lobes lie from it.
    pattern : str
        Cervix: one of ``PATTERNS``; empty in the corpus.
    """

    histology: str
    site: str
    volume_ml: float
    invasion: float
    pattern: str = ""


@dataclass(frozen=True)
class Volumes:
    """A log-normal distribution cut off at both ends (drawn again beyond them).

    Parameters
    ----------
    median_ml, spread : float
        Median, and standard deviation of the logarithm, before the cut.
    lowest_ml, highest_ml : float
    """

    median_ml: float
    spread: float
    lowest_ml: float
    highest_ml: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a volume, mL."""
        while True:
            volume = float(rng.lognormal(np.log(self.median_ml), self.spread))
            if self.lowest_ml <= volume <= self.highest_ml:
                return volume


VOLUMES: Mapping[str, Volumes] = {
    "cervical carcinoma": Volumes(25, 0.75, 3, 180),
    "endometrial carcinoma": Volumes(9.5, 0.75, 2, 94),
    "carcinosarcoma": Volumes(25, 0.6, 4, 250),
    "sarcoma": Volumes(55, 0.6, 8, 250),
}
"""Cervix: stage IIB has a median of 33 mL (4–393). Endometrial carcinoma: published median 7.2, IQR 3.8–11.9,
range 0.7–94; calibrated to be larger (docs/virtual-cohorts.md). Carcinosarcoma and sarcoma: larger (general)."""

_CORPUS = {"endometrial carcinoma": 0.82, "carcinosarcoma": 0.10, "sarcoma": 0.08}


def plan_tumour(rng: np.random.Generator, cohort: str) -> TumourPlan:
    """Draw histology, site, volume and spread."""
    if cohort == "cervical":
        volume = VOLUMES["cervical carcinoma"].draw(rng)
        pattern = str(rng.choice(list(PATTERNS), p=list(PATTERNS.values())))
        return TumourPlan("cervical carcinoma", "cervix", volume, float(rng.uniform(0, 1)), pattern)
    histology = str(rng.choice(list(_CORPUS), p=list(_CORPUS.values())))
    invasion = rng.beta(1.0, 2.0) if histology == "endometrial carcinoma" else rng.uniform(0.3, 1)
    return TumourPlan(histology, "corpus", VOLUMES[histology].draw(rng), float(invasion))
