"""Overlap of a predicted mask with the truth, per case.

References
----------
Taha AA, Hanbury A, BMC Medical Imaging 2015;15:29, equations 6 (DSC), 8 (sensitivity) and 11 (PPV).
Maier-Hein L et al., Metrics Reloaded, Nature Methods 2024;21:195–212, on empty references.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.study import Mask

EMPTY_RULE = (
    "Where truth and prediction are both empty, DSC, sensitivity and positive predictive value are 1; "
    "where only one of them is empty, they are 0. "
    "A missed tumour therefore counts as 0 in every mean and is never left out."
)
"""The rule for empty masks in words, for every report; `Overlap.score` is the same rule in code."""


@dataclass(frozen=True)
class Overlap:
    """Voxel counts from which every overlap measure follows.

    Parameters
    ----------
    both : int
        Voxels in the prediction and in the truth.
    prediction : int
        Voxels in the prediction.
    truth : int
        Voxels in the truth.
    """

    both: int
    prediction: int
    truth: int

    @classmethod
    def of(cls, prediction: Array, truth: Array) -> Overlap:
        """Count two boolean arrays of one shape.

        Raises
        ------
        ValueError
            If an array is not boolean or the shapes differ.
        """
        if prediction.dtype != np.bool_ or truth.dtype != np.bool_ or prediction.shape != truth.shape:
            raise ValueError(
                f"overlap needs two boolean arrays of one shape, got {prediction.dtype} {prediction.shape} "
                f"and {truth.dtype} {truth.shape}"
            )
        return cls(
            both=int(np.count_nonzero(prediction & truth)),
            prediction=int(np.count_nonzero(prediction)),
            truth=int(np.count_nonzero(truth)),
        )

    @property
    def dice(self) -> float:
        """Dice similarity coefficient (DSC): 2 · both / (prediction + truth)."""
        return self.score(2 * self.both, self.prediction + self.truth)

    @property
    def sensitivity(self) -> float:
        """Share of the truth that was found: both / truth."""
        return self.score(self.both, self.truth)

    @property
    def positive_predictive_value(self) -> float:
        """Share of the prediction that is right: both / prediction."""
        return self.score(self.both, self.prediction)

    def score(self, numerator: int, denominator: int) -> float:
        """Divide, after the rule for empty masks (`EMPTY_RULE`)."""
        if self.prediction == 0 and self.truth == 0:
            return 1.0
        if self.prediction == 0 or self.truth == 0:
            return 0.0
        return numerator / denominator


def dice(prediction: Array, truth: Array) -> float:
    """Dice similarity coefficient (DSC) of two boolean arrays of one shape, 0 to 1.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    return Overlap.of(prediction, truth).dice


def sensitivity(prediction: Array, truth: Array) -> float:
    """Share of the truth that the prediction found, 0 to 1; boolean arrays of one shape."""
    return Overlap.of(prediction, truth).sensitivity


def positive_predictive_value(prediction: Array, truth: Array) -> float:
    """Share of the prediction that is truth (PPV), 0 to 1; boolean arrays of one shape."""
    return Overlap.of(prediction, truth).positive_predictive_value


def measure_case(prediction: Mask, truth: Mask) -> dict[str, float]:
    """Measure one predicted mask.

    Parameters
    ----------
    prediction, truth : Mask
        On one grid.

    Returns
    -------
    dict
        ``volume_ml`` (of the truth), ``predicted_volume_ml``, ``dsc``, ``sensitivity``, ``ppv`` and
        ``volume_error_ml`` (predicted − true).

    Raises
    ------
    UserError
        If the grids differ.
    """
    truth.geometry.require_same(
        prediction.geometry,
        what="Truth and prediction",
        fix="predict again on the study that the truth was drawn on, or resample to its grid.",
    )
    overlap = Overlap.of(prediction.data, truth.data)
    true_ml, predicted_ml = volume_ml(truth), volume_ml(prediction)
    return {
        "volume_ml": true_ml,
        "predicted_volume_ml": predicted_ml,
        "dsc": overlap.dice,
        "sensitivity": overlap.sensitivity,
        "ppv": overlap.positive_predictive_value,
        "volume_error_ml": predicted_ml - true_ml,
    }
