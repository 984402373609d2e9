"""A study of which an archive kept an ADC map and one image of high b: the image of low b is computed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import ADC_UNIT
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import DERIVED, DwiStudy

LEAST_B, MOST_B = 800.0, 5000.0
"""b-values (s/mm²) of an image that stands for a study together with an ADC map."""
MOST_ADC = 10.0
"""Three times free water at body temperature, 10⁻³ mm²/s: more is noise, its exponential huge."""
BESIDE = "said to be derived by the file beside it"

_UNITS = (1e-3, 1.0, 1e3)  # 10⁻⁶, 10⁻³ and 1 mm²/s, as factors to 10⁻³ mm²/s
_PLAUSIBLE_STATED = (0.03, 30.0)  # median in 10⁻³ mm²/s: outside, the unit that is stated is wrong
_PLAUSIBLE = (
    0.3,
    3.0,
)  # less than ten times apart, so that a map in 10⁻⁴ or 10⁻⁵ mm²/s is not taken for another
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−–µμ", "-0123456789--uu", " ^*·×_[]()")
_POWER = re.compile(r"(?:10e?|1(?:\.0*)?e)-0?([1-9])\D*mm2")


def adc_factor(values: Array, *, stated: str, what: str) -> float:
    """The factor from an ADC map's values to 10⁻³ mm²/s.

    The unit that a file states is believed where it makes the median of the positive values possible for ADC;
    otherwise the one of 10⁻⁶, 10⁻³ and 1 mm²/s that makes it usual (0.3 to 3 · 10⁻³ mm²/s). They are a
    thousand apart, so at most one fits.

    Parameters
    ----------
    values : ndarray
    stated : str
        As the file writes it; empty where it says nothing.
    what : str
        What the map is, for the message.

    Raises
    ------
    UserError
        If the unit cannot be told.
    """
    positive = values[values > 0]
    by_file = _stated_factor(stated)
    if not positive.size:
        return by_file or 1.0
    median = float(np.median(positive))
    if by_file and _PLAUSIBLE_STATED[0] < median * by_file < _PLAUSIBLE_STATED[1]:
        return by_file
    for factor in _UNITS:
        if _PLAUSIBLE[0] <= median * factor < _PLAUSIBLE[1]:
            return factor
    raise UserError(
        f"The unit of the ADC map {what} cannot be told (stated: {stated or 'none'}, median {median:g}).",
        expected="ADC in 10⁻⁶, 10⁻³ or 1 mm²/s.",
        fix="bring the map to 10⁻³ mm²/s, or leave it out where the images of all b-values are there.",
    )


def _stated_factor(text: str) -> float | None:
    text = text.translate(_SUPERSCRIPTS).lower()
    if power := _POWER.search(text):
        return float(10.0 ** (3 - int(power[1])))
    known = (("um2/ms", 1.0), ("um2/s", 1e-3), ("mm2/s", 1e3))
    return next((factor for unit, factor in known if text.startswith(unit)), None)


def study_of_map(
    image: Array,
    b_value: float,
    adc: Array,
    geometry: Geometry,
    acquisition: Mapping[str, Any],
    *,
    what: str,
) -> DwiStudy:
    """The study of an ADC map and one image of high b.

    Its image at b 0 is S · exp(b · ADC), and S where ADC ≤ 0, so that its fit gives the map back where
    ADC > 0. ADC counts up to `MOST_ADC`.

    Parameters
    ----------
    image : ndarray of float32, shape (slices, rows, columns)
        S, measured or calculated at the high b-value.
    b_value : float
        s/mm², 800 to 5000.
    adc : ndarray of float32, same shape
        The scanner's, 10⁻³ mm²/s.
    geometry : Geometry
    acquisition : mapping
    what : str
        What the two are called, for messages.

    Raises
    ------
    UserError
        If the b-value is not that of a high image, or the map is damaged or empty.
    """
    if not LEAST_B <= b_value <= MOST_B:
        raise UserError(
            f"{what} hold one image with a b-value, {b_value:g} s/mm².",
            expected=f"with nothing but an ADC map beside it, a b-value of {LEAST_B:g} to {MOST_B:g} s/mm².",
            fix="add the images of the other b-values, or correct the b-value.",
        )
    is_finite = bool(np.isfinite(adc).all())
    if not is_finite or not (adc > 0).any():
        found = "no ADC above 0" if is_finite else "values that are not finite numbers"
        raise UserError(
            f"The ADC map of {what} holds {found}.",
            expected="a whole map: with one high b-value alone, the image at b 0 is computed from it.",
            fix="export the map again; write 0 where it is undefined.",
        )
    exponent = np.clip(adc, 0, np.float32(MOST_ADC)) * np.float32(b_value * ADC_UNIT)
    how = f"signal at b {b_value:g} · exp(b · ADC), with the scanner's ADC"
    if capped := int((adc > MOST_ADC).sum()):
        how += f"; above {MOST_ADC:g} · 10⁻³ mm²/s taken as that, in {capped} voxels"
    return DwiStudy(
        signal=np.stack([image * np.exp(exponent), image]).astype(np.float32),
        b_values=(0.0, float(b_value)),
        geometry=geometry,
        scanner_adc=adc,
        acquisition={**acquisition, DERIVED: {"0": how}},
    )


def marks_of(sidecar: Mapping[str, Any], b_values: tuple[float, ...]) -> dict[str, dict[str, str]]:
    """Which images anybody's sidecar says are derived: in our words, since its own could name a patient."""
    said = sidecar.get(DERIVED)
    marked = [f"{b:g}" for b in b_values if isinstance(said, Mapping) and f"{b:g}" in said]
    return {DERIVED: dict.fromkeys(marked, BESIDE)} if marked else {}
