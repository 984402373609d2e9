"""In what a study, and the tumour found in it, are unlike those that a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from uteroseg.imaging.measure import PLAUSIBLE_TUMOUR_ADC
from uteroseg.inference.flag import CERTAIN, Flag
from uteroseg.model.seen import StudyStatistics
from uteroseg.model.spec import Distribution, ModelCard

LOW_B_APART, HIGH_B_SHARE = 100.0, 0.6
"""How far the lowest b-value may lie above training's (s/mm²), and the highest below it (its share)."""
_ADC = "10⁻³ mm²/s"


@dataclass(frozen=True)
class _Number:
    """A number of `StudyStatistics` that is compared with those of training.

    Parameters
    ----------
    name : str
        Its field.
    flag : str
    words : str
    unit : str
    ratio : bool
        Whether ratios of it count (twice as much is as far as half) or differences.
    tolerance : float
        How far from training's median it may lie in any case: a ratio, or a difference in its unit.
    """

    name: str
    flag: str
    words: str
    unit: str = ""
    ratio: bool = True
    tolerance: float = 1.25


_NUMBERS = (
    _Number("in_plane_mm", "other-spacing", "The spacing of pixels", "mm", tolerance=1.5),
    _Number("slice_mm", "other-spacing", "The spacing of slices", "mm", tolerance=1.5),
    _Number("snr", "other-snr", "The signal-to-noise ratio"),
    _Number("high_b_ratio", "other-intensity", "The signal at b 1000 over that at the lowest b-value"),
    _Number("adc_low", "other-adc", "The 5 % quantile of the body's ADC", _ADC, ratio=False, tolerance=0.2),
    _Number("adc_median", "other-adc", "The median of the body's ADC", _ADC, ratio=False, tolerance=0.2),
    _Number("adc_high", "other-adc", "The 95 % quantile of the body's ADC", _ADC, ratio=False, tolerance=0.2),
    _Number("tumour_adc", "implausible-adc", "The median ADC in the mask", _ADC, ratio=False, tolerance=0.2),
    _Number("tumour_contrast", "implausible-signal", "The signal of the mask over the body's at b 1000"),
)


def unlike_training(study: StudyStatistics, card: ModelCard) -> Iterator[Flag]:
    """Compare a study, and the tumour found in it, with the training record of a model.

    Yields
    ------
    Flag
        For everything that the record holds and that was measured; its severity is the distance from
        training's median over the distance that is still expected.
    """
    if study.plane != card.spec.plane:
        yield Flag(
            "other-plane",
            f"The study is {study.plane}; the model was trained on {card.spec.plane} slices.",
            CERTAIN,
        )
    if card.training.b_values:
        yield _b_values(study.b_values, card.training.b_values)
    for number in _NUMBERS:
        value, seen = getattr(study, number.name), card.training.seen.get(number.name)
        if value is not None and seen is not None:
            yield Flag(number.flag, _why(number, value, seen), _severity(number, value, seen))
    if study.tumour_adc is not None and "tumour_adc" not in card.training.seen:
        low, high = PLAUSIBLE_TUMOUR_ADC
        yield Flag(
            "implausible-adc",
            f"The median ADC in the mask is {study.tumour_adc:.3g} {_ADC}; {low} to {high} is plausible.",
            abs(study.tumour_adc - (low + high) / 2) / ((high - low) / 2),
        )


def _b_values(found: list[float], seen: list[float]) -> Flag:
    lowest, highest = min(seen), max(seen)
    severity = max((found[0] - lowest) / LOW_B_APART, HIGH_B_SHARE * highest / max(found[-1], 1e-6))
    listed, trained = (", ".join(f"{b:g}" for b in values) for values in (found, seen))
    why = f"The study has the b-values {listed} s/mm²; the model was trained on {trained}."
    return Flag("other-b-values", why, severity)


def _why(number: _Number, value: float, seen: Distribution) -> str:
    low, high = (f"{edge:.3g}" for edge in (seen.quantiles[0], seen.quantiles[-1]))
    expected = low if low == high else f"{low} to {high}"
    unit = f" {number.unit}" if number.unit else ""
    return f"{number.words} is {value:.3g}{unit}; it was {expected} in {seen.studies} training studies."


def _severity(number: _Number, value: float, seen: Distribution) -> float:
    """Distance from the median over the distance of training's extreme on that side.

    The range of n studies is not all there is: it is widened by 4 / √n, which brings the expected extremes
    of 10 and of 1000 normally distributed numbers to 3.5 standard deviations.
    """
    low, middle, high = (seen.quantiles[i] for i in (0, 3, 6))
    far, tolerance = value - middle, number.tolerance
    reach = high - middle if far > 0 else middle - low
    if number.ratio:
        value, low, middle, high = (max(x, 1e-6) for x in (value, low, middle, high))
        far, tolerance = math.log(value / middle), math.log(number.tolerance)
        reach = math.log(high / middle if far > 0 else middle / low)
    return abs(far) / max(reach * (1 + 4 / math.sqrt(max(seen.studies, 1))), tolerance)
