"""Quality flags: when not to trust a prediction, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from uteroseg.imaging.components import label_components
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import PLAUSIBLE_TUMOUR_ADC, bounding_box, volume_ml
from uteroseg.imaging.study import DERIVED, DwiStudy, Mask
from uteroseg.imaging.view import View
from uteroseg.model.prepare import PreparedStudy
from uteroseg.model.spec import Distribution, ModelCard, ModelSpec
from uteroseg.model.study_statistics import StudyStatistics, describe_study

CERTAIN = 3.0
"""Severity of what is so or not, without a degree."""
LIMIT = 1.0
"""Concerns of a larger severity are flags."""
LOW_DSC = 0.5
TINY_ML = 1.0
SCATTERED_SHARE = 0.3
"""Of the mask's volume that may lie outside its largest component."""
CUT_SHARE = 0.5
"""Of a mask's largest area that may lie in the first or last slice: more, and the tumour goes on outside."""
LOW_B_APART, HIGH_B_SHARE = 100.0, 0.6
"""How far the lowest b-value may lie above training's (s/mm²), and the highest below it (its share)."""
_ADC = "10⁻³ mm²/s"


@dataclass(frozen=True)
class Flag:
    """A reason not to trust a prediction.

    Parameters
    ----------
    name : str
        Such as ``low-expected-dsc``.
    why : str
        What was found and what was expected, in words with numbers.
    severity : float
        How far past the limit: 1 is on it, 2 twice as far.
    """

    name: str
    why: str
    severity: float


def quality_flags(prepared: PreparedStudy, mask: Mask, soft_dice: float, card: ModelCard) -> list[Flag]:
    """Say why a prediction should not be trusted; nothing where there is no reason.

    Parameters
    ----------
    prepared : PreparedStudy
    mask : Mask
        What the model found, on the study's grid.
    soft_dice : float
        `uteroseg.model.calibration.soft_dice` of the mask.
    card : ModelCard
        Of the model; what its training record does not hold is not compared.

    Returns
    -------
    list of Flag
        The most severe first.
    """
    found = [flag for flag in concerns(prepared, mask, soft_dice, card) if flag.severity > LIMIT]
    rounded = [replace(flag, severity=round(flag.severity, 4)) for flag in found]
    return sorted(rounded, key=lambda flag: -flag.severity)


def concerns(prepared: PreparedStudy, mask: Mask, soft_dice: float, card: ModelCard) -> Iterator[Flag]:
    """Everything that is looked at, whether it is past its limit or not."""
    study = prepared.study
    if study.derived:
        yield Flag("derived-image", _derived(study), CERTAIN)
    yield from unlike_training(describe_study(prepared, mask), card)
    yield _expected_dsc(soft_dice, card)
    if not mask.data.any():
        yield Flag("no-tumour", "No tumour was found; the model looks for one in every study.", CERTAIN)
        return
    yield from _shape(shape_of(mask, seen_by_network(study.geometry, card.spec)))


def _derived(study: DwiStudy) -> str:
    listed = ", ".join(study.acquisition[DERIVED])
    measured = ", ".join(f"{b:g}" for b in study.b_values if f"{b:g}" not in study.acquisition[DERIVED])
    return (
        f"The image at b {listed} was not measured: it was computed from b {measured} and an ADC map; "
        "noise, and whether the images fit each other, are not judged."
    )


def _expected_dsc(soft_dice: float, card: ModelCard) -> Flag:
    calibration = card.training.expected_dsc
    expected = calibration.expected_dsc(soft_dice) if calibration else soft_dice
    how = "" if calibration else " (by its own probabilities: this model was not calibrated on cases)"
    return Flag(
        "low-expected-dsc",
        f"The mask is expected to reach a DSC of {expected:.2f}{how}; at least {LOW_DSC:g} is wanted.",
        (1 - expected) / (1 - LOW_DSC),
    )


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
        value, trained = getattr(study, number.name), card.training.seen.get(number.name)
        if value is not None and trained is not None:
            yield Flag(number.flag, _why(number, value, trained), _severity(number, value, trained))
    if study.tumour_adc is not None and "tumour_adc" not in card.training.seen:
        low, high = PLAUSIBLE_TUMOUR_ADC
        yield Flag(
            "implausible-adc",
            f"The median ADC in the mask is {study.tumour_adc:.3g} {_ADC}; {low} to {high} is plausible.",
            abs(study.tumour_adc - (low + high) / 2) / ((high - low) / 2),
        )


def _b_values(found: list[float], trained: list[float]) -> Flag:
    lowest, highest = min(trained), max(trained)
    severity = max((found[0] - lowest) / LOW_B_APART, HIGH_B_SHARE * highest / max(found[-1], 1e-6))
    listed, expected = (", ".join(f"{b:g}" for b in values) for values in (found, trained))
    why = f"The study has the b-values {listed} s/mm²; the model was trained on {expected}."
    return Flag("other-b-values", why, severity)


def _why(number: _Number, value: float, trained: Distribution) -> str:
    low, high = (f"{edge:.3g}" for edge in (trained.quantiles[0], trained.quantiles[-1]))
    expected = low if low == high else f"{low} to {high}"
    unit = f" {number.unit}" if number.unit else ""
    return f"{number.words} is {value:.3g}{unit}; it was {expected} in {trained.studies} training studies."


def _severity(number: _Number, value: float, trained: Distribution) -> float:
    """Distance from the median over the distance of training's extreme on that side.

    The range of n studies is not all there is: it is widened by 4 / √n, which brings the expected extremes
    of 10 and of 1000 normally distributed numbers to 3.5 standard deviations.
    """
    low, middle, high = (trained.quantiles[i] for i in (0, 3, 6))
    far, tolerance = value - middle, number.tolerance
    reach = high - middle if far > 0 else middle - low
    if number.ratio:
        value, low, middle, high = (max(x, 1e-6) for x in (value, low, middle, high))
        far, tolerance = math.log(value / middle), math.log(number.tolerance)
        reach = math.log(high / middle if far > 0 else middle / low)
    return abs(far) / max(reach * (1 + 4 / math.sqrt(max(trained.studies, 1))), tolerance)


@dataclass(frozen=True)
class MaskShape:
    """What tells a tumour's mask from a stray one.

    Parameters
    ----------
    volume_ml : float
    components : int
        Parts that touch nowhere, not even at a corner.
    outside_largest : float
        Share of the volume outside the largest part, 0 to 1.
    end_area : float
        Area in the first or last slice, the larger one, over the largest area in any slice, 0 to 1.
    touches_edge : bool
        Whether it reaches the edge in plane.
    """

    volume_ml: float
    components: int
    outside_largest: float
    end_area: float
    touches_edge: bool


def shape_of(mask: Mask, field: tuple[slice, slice]) -> MaskShape:
    """Measure how a mask lies in its study.

    Parameters
    ----------
    mask : Mask
        Not empty.
    field : tuple of slice
        The rows and columns in which a mask can be; their borders are the edge.
    """
    area = mask.data.sum(axis=(1, 2))
    labels, components = label_components(mask.data[bounding_box(mask.data)])
    largest = np.bincount(labels.ravel())[1:].max()
    return MaskShape(
        volume_ml=volume_ml(mask),
        components=components,
        outside_largest=float(1 - largest / area.sum()),
        end_area=float(max(area[0], area[-1]) / area.max()),
        touches_edge=_touches_edge(np.asarray(mask.data.any(axis=0))[field]),
    )


def seen_by_network(geometry: Geometry, spec: ModelSpec) -> tuple[slice, slice]:
    """The rows and columns of a study that lie on the network's matrix."""
    height, width = reversed(spec.matrix) if View.of(geometry).transpose else spec.matrix
    _, rows, columns = geometry.shape
    _, row_mm, column_mm = geometry.spacing
    return (
        _middle(rows, height * spec.spacing_mm / row_mm),
        _middle(columns, width * spec.spacing_mm / column_mm),
    )


def _middle(size: int, wanted: float) -> slice:
    """The pixels of an axis whose centres lie in its middle ``wanted`` pixels."""
    cut = max(0, math.ceil((size - wanted) / 2 - 0.5 + 1e-6))
    return slice(cut, size - cut)


def _touches_edge(shadow: Array) -> bool:
    return bool(shadow[[0, -1]].any() or shadow[:, [0, -1]].any())


def _shape(shape: MaskShape) -> Iterator[Flag]:
    yield Flag(
        "tiny-mask",
        f"The mask has {shape.volume_ml:.2f} mL; at least {TINY_ML:g} mL is expected of a tumour.",
        TINY_ML / shape.volume_ml,
    )
    yield Flag(
        "scattered-mask",
        f"{shape.outside_largest:.0%} of the mask lies outside the largest of its {shape.components} parts; "
        f"at most {SCATTERED_SHARE:.0%} is expected.",
        shape.outside_largest / SCATTERED_SHARE,
    )
    yield Flag(
        "cut-mask",
        f"In the study's first or last slice the mask still has {shape.end_area:.0%} of its largest area; "
        f"a tumour that lies inside has at most {CUT_SHARE:.0%}.",
        shape.end_area / CUT_SHARE,
    )
    if shape.touches_edge:
        yield Flag(
            "mask-at-the-edge",
            "The mask touches the edge of the image, or of the part of it that the network sees; "
            "a tumour lies inside.",
            CERTAIN,
        )
