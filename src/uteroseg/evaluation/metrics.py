"""Everything that is measured on one case, and the rule for empty masks; docs/measures.md defines it all.

References
----------
Taha AA, Hanbury A, BMC Medical Imaging 2015;15:29, equations 6 (DSC), 8 (sensitivity) and 11 (PPV).
Maier-Hein L et al., Metrics Reloaded, Nature Methods 2024;21:195–212, on empty references.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from uteroseg.evaluation.lesions import detect
from uteroseg.evaluation.surface import SurfaceDistances
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import adc_statistics, bounding_box, maximum_diameter_mm, volume_ml
from uteroseg.imaging.study import Mask

TOLERANCE_MM = 2.0
"""Distance within which NSD counts a surface as right, unless another is asked for."""

EMPTY_RULE = (
    "Where truth and prediction are both empty, DSC, NSD, sensitivity and positive predictive value are 1 "
    "and surface distances are 0 mm; where only one of them is empty, they are 0 and surface distances are "
    "the image's diagonal. A missed tumour therefore counts as 0 in every mean, its distances as the worst "
    "that the image allows, and it is never left out. The volume error in per cent is relative to the true "
    "volume and so is not defined where the truth is empty; its means are over patients with a tumour."
)
"""The rule for empty masks in words, for every report; `Overlap.by_empty_rule` is the same rule in code."""


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
        decided = self.by_empty_rule(perfect=1.0, worst=0.0)
        return numerator / denominator if decided is None else decided

    def by_empty_rule(self, *, perfect: float, worst: float) -> float | None:
        """The value that `EMPTY_RULE` gives a measure; None where neither mask is empty."""
        if self.prediction and self.truth:
            return None
        return worst if self.prediction or self.truth else perfect


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


def measure_case(
    prediction: Mask, truth: Mask, *, tolerance_mm: float = TOLERANCE_MM, adc: Array | None = None
) -> dict[str, float | None]:
    """Measure one predicted mask.

    Parameters
    ----------
    prediction, truth : Mask
        On one grid.
    tolerance_mm : float
        Distance within which NSD counts a surface as right.
    adc : ndarray, shape ``truth.geometry.shape``, optional
        10⁻³ mm²/s; 0 where it is undefined.

    Returns
    -------
    dict
        ``volume_ml`` (of the truth), ``predicted_volume_ml``, ``dsc``, ``sensitivity``, ``ppv``, ``nsd_2mm``
        (named after the tolerance), ``hd95_mm``, ``assd_mm``, ``volume_error_ml`` (predicted − true) and
        ``volume_error_percent`` (of the true volume; None where the truth is empty), ``diameter_mm`` (of the
        truth), ``predicted_diameter_mm``, ``diameter_error_mm`` (predicted − true), ``lesions``,
        ``detected_lesions``, ``false_positive_components``; with an ADC map also the `AdcStatistics` of the
        truth (``adc_mean``, …) and of the prediction (``predicted_adc_mean``, …), 10⁻³ mm²/s and None where
        the mask has no ADC.

    Raises
    ------
    UserError
        If the grids differ.
    ValueError
        If the ADC map is not on their grid, or the tolerance is no distance.
    """
    truth.geometry.require_same(
        prediction.geometry,
        what="Truth and prediction",
        fix="predict again on the study that the truth was drawn on, or resample to its grid.",
    )
    box = bounding_box(prediction.data | truth.data)
    predicted, true = prediction.data[box], truth.data[box]
    overlap = Overlap.of(predicted, true)
    true_ml, predicted_ml = volume_ml(truth), volume_ml(prediction)
    diameter, predicted_diameter = maximum_diameter_mm(truth), maximum_diameter_mm(prediction)
    measures: dict[str, float | None] = {
        "volume_ml": true_ml,
        "predicted_volume_ml": predicted_ml,
        "dsc": overlap.dice,
        "sensitivity": overlap.sensitivity,
        "ppv": overlap.positive_predictive_value,
        **_surface_measures(predicted, true, overlap, truth.geometry, tolerance_mm),
        "volume_error_ml": predicted_ml - true_ml,
        "volume_error_percent": 100 * (predicted_ml / true_ml - 1) if true_ml else None,
        "diameter_mm": diameter,
        "predicted_diameter_mm": predicted_diameter,
        "diameter_error_mm": predicted_diameter - diameter,
        **asdict(detect(predicted, true)),
    }
    if adc is not None:
        for prefix, mask in (("adc", truth), ("predicted_adc", prediction)):
            statistics = asdict(adc_statistics(mask, adc))
            measures |= {f"{prefix}_{name}": value for name, value in statistics.items()}
    return measures


def _surface_measures(
    prediction: Array, truth: Array, overlap: Overlap, geometry: Geometry, tolerance_mm: float
) -> dict[str, float]:
    nsd = f"nsd_{tolerance_mm:g}mm"
    diagonal = float(np.linalg.norm(np.array(geometry.shape) * geometry.spacing))
    distance = overlap.by_empty_rule(perfect=0.0, worst=diagonal)
    if distance is not None:
        return {nsd: overlap.score(0, 1), "hd95_mm": distance, "assd_mm": distance}
    surfaces = SurfaceDistances.between(prediction, truth, geometry.spacing)
    return {nsd: surfaces.nsd(tolerance_mm), "hd95_mm": surfaces.hd95_mm, "assd_mm": surfaces.assd_mm}
