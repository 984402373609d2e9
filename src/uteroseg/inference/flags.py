"""Quality flags: when not to trust a prediction, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from uteroseg.imaging.diffusion import DiffusionFit
from uteroseg.imaging.study import DERIVED, DwiStudy, Mask
from uteroseg.inference.flag import CERTAIN, Flag
from uteroseg.inference.mask_shape import MaskShape, seen_by_network, shape_of
from uteroseg.inference.unlike import unlike_training
from uteroseg.model.seen import describe_study
from uteroseg.model.spec import ModelCard

LIMIT = 1.0
"""Concerns of a larger severity are flags."""
LOW_DSC = 0.5
TINY_ML = 1.0
SCATTERED_SHARE = 0.3
"""Of the mask's volume that may lie outside its largest component."""
CUT_SHARE = 0.5
"""Of a mask's largest area that may lie in the first or last slice: more, and the tumour goes on outside."""


def quality_flags(
    study: DwiStudy, fit: DiffusionFit, mask: Mask, soft_dice: float, card: ModelCard
) -> list[Flag]:
    """Say why a prediction should not be trusted; nothing where there is no reason.

    Parameters
    ----------
    study : DwiStudy
    fit : DiffusionFit
        The study's.
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
    found = [flag for flag in concerns(study, fit, mask, soft_dice, card) if flag.severity > LIMIT]
    rounded = [replace(flag, severity=round(flag.severity, 4)) for flag in found]
    return sorted(rounded, key=lambda flag: -flag.severity)


def concerns(
    study: DwiStudy, fit: DiffusionFit, mask: Mask, soft_dice: float, card: ModelCard
) -> Iterator[Flag]:
    """Everything that is looked at, whether it is past its limit or not."""
    if study.derived:
        yield Flag("derived-image", _derived(study), CERTAIN)
    yield from unlike_training(describe_study(study, fit, mask), card)
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
