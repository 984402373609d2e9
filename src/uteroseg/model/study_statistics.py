"""What a model saw: the distributions of what its training studies were like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from uteroseg.imaging.geometry import Plane
from uteroseg.imaging.quality import noise_sd
from uteroseg.imaging.study import Mask
from uteroseg.model.prepare import PreparedStudy
from uteroseg.model.spec import Distribution

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MAX_SNR = 10_000.0
"""Stands for an image without noise."""


@dataclass(frozen=True)
class StudyStatistics:
    """What a study is like, in numbers that a training record can hold of many.

    Parameters
    ----------
    plane : str
    b_values : list of float
        s/mm².
    in_plane_mm, slice_mm : float
        Spacing of pixels and of slices.
    snr : float or None
        Median signal of the body at the lowest b-value over the noise of the image at the highest; None where
        an image is derived.
    high_b_ratio : float or None
        Median over the body of the image at b 1000 s/mm² over the one at the lowest b-value; None where an
        image is derived: it would be the ADC again.
    adc_low, adc_median, adc_high : float
        5 %, 50 % and 95 % of ADC inside the body, 10⁻³ mm²/s.
    tumour_adc : float or None
        Median ADC of the tumour, 10⁻³ mm²/s; None where there is none.
    tumour_contrast : float or None
        Median of the tumour at b 1000 s/mm² over that of the body; None where there is none.
    """

    plane: Plane
    b_values: list[float]
    in_plane_mm: float
    slice_mm: float
    snr: float | None
    high_b_ratio: float | None
    adc_low: float
    adc_median: float
    adc_high: float
    tumour_adc: float | None = None
    tumour_contrast: float | None = None


def describe_study(prepared: PreparedStudy, mask: Mask | None = None) -> StudyStatistics:
    """Measure what a study is like.

    Parameters
    ----------
    prepared : PreparedStudy
    mask : Mask, optional
        The tumour on the study's grid.

    Raises
    ------
    UserError
        If the study has no signal.
    """
    study, fit, body, high_b = prepared.study, prepared.fit, prepared.body, prepared.high_b
    low_b = study.signal[0]
    adc = np.quantile(fit.adc[body], (0.05, 0.5, 0.95))
    tumour = mask.data if mask is not None and mask.data.any() else None
    slice_mm, *in_plane = study.geometry.spacing
    return StudyStatistics(
        plane=study.geometry.plane,
        b_values=[float(b) for b in study.b_values],
        in_plane_mm=round(float(np.mean(in_plane)), 3),
        slice_mm=round(slice_mm, 3),
        snr=None
        if study.derived
        else _rounded(min(MAX_SNR, np.median(low_b[body]) / max(noise_sd(study.signal[-1], body), 1e-9))),
        high_b_ratio=None if study.derived else _rounded(np.median(high_b[body] / low_b[body])),
        adc_low=_rounded(adc[0]),
        adc_median=_rounded(adc[1]),
        adc_high=_rounded(adc[2]),
        tumour_adc=None if tumour is None else _rounded(np.median(fit.adc[tumour])),
        tumour_contrast=None
        if tumour is None
        else _rounded(np.median(high_b[tumour]) / max(np.median(high_b[body]), 1e-6)),
    )


def summarise_studies(studies: Sequence[StudyStatistics]) -> dict[str, Distribution]:
    """The distribution of every number of `StudyStatistics` over studies; b-values over all images."""
    values: dict[str, list[float]] = {}
    for study in studies:
        for name, value in asdict(study).items():
            if name != "plane" and value is not None:
                values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    return {
        name: Distribution(
            studies=len(studies) if name == "b_values" else len(numbers),
            quantiles=tuple(_rounded(q) for q in np.quantile(numbers, QUANTILES, method="lower")),
        )
        for name, numbers in values.items()
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
