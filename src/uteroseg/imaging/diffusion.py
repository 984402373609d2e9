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


def fit_adc(signal: Array, b_values: Sequence[float], *, b_min: float = 0.0) -> DiffusionFit:
    """Fit S(b) = S0 · exp(−b · ADC) by unweighted least squares on ln S.

    Parameters
    ----------
    signal : ndarray, shape (b-values, …)
    b_values : sequence of float
        s/mm², at least two different ones.
    b_min : float
        Images below this b-value (s/mm²) take no part: at low b, perfusion adds to the decay of the signal.

    Returns
    -------
    DiffusionFit
        Undefined where the signal of any image that takes part is not positive.

    Raises
    ------
    UserError
        With fewer than two different b-values from ``b_min`` on.

    References
    ----------
    Perfusion at low b: Le Bihan D et al., Radiology 1988;168:497–505.
    """
    used = _fitted(b_values, b_min)
    b = np.array([b_values[i] for i in used], np.float64)
    centred = b - b.mean()
    weights = centred / (centred**2).sum()
    defined = np.logical_and.reduce([signal[i] > 0 for i in used])
    mean, slope = (np.zeros(defined.shape, np.float32) for _ in range(2))
    for i, weight in zip(used, weights, strict=True):
        log_signal = _log(signal[i], defined)
        slope += np.float32(weight) * log_signal
        mean += np.divide(log_signal, np.float32(len(used)), out=log_signal)
    adc = np.divide(slope, np.float32(-ADC_UNIT), out=slope)
    adc[~defined] = 0
    log_s0 = mean
    log_s0 += np.float32(b.mean() * ADC_UNIT) * adc
    log_s0[~defined] = -np.inf
    return DiffusionFit(log_s0, adc)


def residual(fit: DiffusionFit, signal: Array, b_values: Sequence[float], *, b_min: float = 0.0) -> Array:
    """How far the signal lies from its fit: root mean square, over the fitted b-values, of ln S − ln S_fit.

    Large where the decay is not mono-exponential or the patient moved between the b-values.

    Parameters
    ----------
    fit : DiffusionFit
        Of the same signal, b-values and ``b_min``.
    signal : ndarray, shape (b-values, …)
    b_values : sequence of float
        s/mm².
    b_min : float
        s/mm².

    Returns
    -------
    ndarray of float32, shape (…)
        Dimensionless: 0.05 is a deviation of the signal by about 5 %. 0 where the fit is undefined, and
        everywhere with two b-values, through which a line always passes.

    Raises
    ------
    UserError
        With fewer than two different b-values from ``b_min`` on.
    """
    used = _fitted(b_values, b_min)
    defined = np.isfinite(fit.log_s0)
    squares = np.zeros(defined.shape, np.float32)
    if len(used) == 2:
        return squares
    log_s0 = np.where(defined, fit.log_s0, np.float32(0))
    for i in used:
        deviation = _log(signal[i], defined) - log_s0
        deviation += np.float32(b_values[i] * ADC_UNIT) * fit.adc
        squares += deviation**2
    return np.asarray(np.sqrt(squares / np.float32(len(used))))


def _fitted(b_values: Sequence[float], b_min: float) -> list[int]:
    """Indices of the b-values that take part."""
    used = [i for i, b in enumerate(b_values) if b >= b_min]
    if len({b_values[i] for i in used}) >= 2:
        return used
    listed = ", ".join(f"{b:g}" for b in b_values)
    if len(set(b_values)) < 2:
        raise UserError(
            f"The study has one b-value only ({listed} s/mm²).",
            expected="at least two different b-values, so that an ADC can be fitted.",
            fix="add the series with the other b-values of the same examination.",
        )
    raise UserError(
        f"Fewer than two of the study's b-values ({listed} s/mm²) reach {b_min:g} s/mm².",
        expected="at least two different b-values that reach `adc_b_min`, so that an ADC can be fitted.",
        fix=f"lower `adc_b_min` to {sorted(set(b_values))[-2]:g} or less, or leave it out.",
    )


def _log(image: Array, defined: Array) -> Array:
    """Natural logarithm, 0 where the fit is undefined."""
    positive = np.where(defined, image, 1).astype(np.float32, copy=False)
    return np.asarray(np.log(positive, out=positive))
