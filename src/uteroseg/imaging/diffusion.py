"""Diffusion physics: ADC from a log-linear fit, and the image at any b-value from it.

References
----------
Le Bihan D et al., Radiology 1986;161:401–407: ``S(b) = S(0) · exp(−b · ADC)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

ADC_UNIT = 1e-3
"""ADC is in 10⁻³ mm²/s everywhere: ADC · ADC_UNIT is in mm²/s."""


@dataclass(frozen=True, eq=False)
class DiffusionFit:
    """A mono-exponential fit.

    Parameters
    ----------
    log_s0 : ndarray of float32
        Natural logarithm of the fitted signal at b 0; −inf where the fit is undefined.
    adc : ndarray of float32
        10⁻³ mm²/s; 0 where the fit is undefined. Noise can make it negative.
    """

    log_s0: Array
    adc: Array

    def image_at(self, b_value: float) -> Array:
        """Signal at a b-value (s/mm²), measured there or not; 0 where the fit is undefined."""
        return np.asarray(np.exp(self.log_s0 - np.float32(b_value * ADC_UNIT) * self.adc))


def fit_adc(signal: Array, b_values: Sequence[float]) -> DiffusionFit:
    """Fit S(b) = S0 · exp(−b · ADC) by unweighted least squares on ln S.

    Parameters
    ----------
    signal : ndarray, shape (b-values, …)
    b_values : sequence of float
        s/mm², at least two different ones.

    Returns
    -------
    DiffusionFit
        Undefined where any signal is not positive.

    Raises
    ------
    UserError
        With fewer than two b-values.
    """
    b = np.asarray(b_values, np.float64)
    if len(np.unique(b)) < 2:
        raise UserError(
            f"The study has one b-value only ({', '.join(f'{v:g}' for v in b)} s/mm²).",
            expected="at least two different b-values, so that an ADC can be fitted.",
            fix="add the series with the other b-values of the same examination.",
        )
    defined = (signal > 0).all(axis=0)
    log_signal = np.log(np.where(defined, signal, 1), dtype=np.float32)
    centred = b - b.mean()
    slope_weights = (centred / (centred**2).sum()).astype(np.float32)
    adc = -np.tensordot(slope_weights, log_signal, axes=1) / np.float32(ADC_UNIT)
    log_s0 = log_signal.mean(axis=0) + np.float32(b.mean() * ADC_UNIT) * adc
    return DiffusionFit(np.where(defined, log_s0, np.float32(-np.inf)), np.where(defined, adc, np.float32(0)))
