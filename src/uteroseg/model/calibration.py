"""How good a mask probably is, told from the probabilities that it was made of.

References
----------
Borges BLC, Pacheco BM, Silva D, Soft Dice Confidence: a near-optimal confidence estimator for selective
prediction in semantic segmentation, arXiv:2402.10665 (2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from uteroseg.imaging.geometry import Array

MIN_CASES = 5
"""A line through fewer validation cases says nothing about others."""


def soft_dice(probability: Array, mask: Array) -> float:
    """DSC that a mask would reach if the probabilities were right: 2 Σ p·m / (Σ p + Σ m).

    Parameters
    ----------
    probability : ndarray of float, shape (slices, rows, columns)
        Of tumour, 0 to 1.
    mask : ndarray of bool, same shape

    Returns
    -------
    float
        0 to 1. An empty mask is expected to be right (1) only where no voxel has any probability.
    """
    total = float(probability.sum(dtype=np.float64)) + float(np.count_nonzero(mask))
    return 2 * float(probability[mask].sum(dtype=np.float64)) / total if total > 0 else 1.0


class Calibration(BaseModel):
    """A line from `soft_dice` to the DSC that validation cases reached.

    Parameters
    ----------
    intercept, slope : float
        Expected DSC = intercept + slope · soft Dice, kept between 0 and 1.
    cases : int
        Validation cases that the line was fitted to.
    mean_absolute_error : float
        Of each of these cases, predicted by the line through the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    slope: float = Field(ge=0)
    cases: int = Field(ge=MIN_CASES)
    mean_absolute_error: float = Field(ge=0)

    def expected_dsc(self, soft: float) -> float:
        """Expected DSC of a case from its soft Dice, 0 to 1."""
        return float(np.clip(self.intercept + self.slope * soft, 0, 1))


def fit_calibration(soft: Sequence[float], reached: Sequence[float]) -> Calibration | None:
    """Fit the line by least squares; it never falls.

    Parameters
    ----------
    soft : sequence of float
        `soft_dice` of each validation case.
    reached : sequence of float
        Its DSC.

    Returns
    -------
    Calibration or None
        None with fewer than `MIN_CASES` cases.
    """
    x, y = np.asarray(soft, float), np.asarray(reached, float)
    if len(x) < MIN_CASES:
        return None
    intercept, slope = _line(x, y)
    others = [_line(np.delete(x, i), np.delete(y, i)) for i in range(len(x))]
    predicted = np.clip([a + b * value for (a, b), value in zip(others, x, strict=True)], 0, 1)
    error = float(np.abs(predicted - y).mean())
    return Calibration(intercept=intercept, slope=slope, cases=len(x), mean_absolute_error=error)


def _line(x: Array, y: Array) -> tuple[float, float]:
    spread = float(((x - x.mean()) ** 2).sum())
    slope = max(0.0, float(((x - x.mean()) * (y - y.mean())).sum()) / spread) if spread > 0 else 0.0
    return float(y.mean() - slope * x.mean()), slope
