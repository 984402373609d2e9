"""From a study to its tumour mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg.imaging.geometry import Array
from uteroseg.imaging.measure import AdcStatistics, adc_statistics, maximum_diameter_mm, volume_ml
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.inference.flag import Flag
from uteroseg.inference.flags import quality_flags
from uteroseg.model.calibration import soft_dice
from uteroseg.model.ensemble import Engine, open_model
from uteroseg.model.prepare import high_b_image, mask_from_output, network_input, require_fitting_grid
from uteroseg.model.spec import ModelCard


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model finds in a study.

    Parameters
    ----------
    mask : Mask
        On the study's grid.
    probability : ndarray of float32, shape (slices, rows, columns)
        Of tumour, on the study's grid.
    high_b : ndarray of float32, shape (slices, rows, columns)
        The image at b 1000 s/mm² that the network saw, before resampling.
    volume_ml, diameter_mm : float
        Volume and maximum diameter of the mask.
    adc : AdcStatistics
        10⁻³ mm²/s, inside the mask.
    soft_dice : float
        DSC that the mask would reach if the probabilities were right.
    expected_dsc : float or None
        The same after the model's calibration; None where the model has none.
    warnings : tuple of str
        What a result says of the model in any case.
    flags : tuple of Flag
        Reasons not to trust the mask, the most severe first.
    """

    mask: Mask
    probability: Array
    high_b: Array
    volume_ml: float
    diameter_mm: float
    adc: AdcStatistics
    soft_dice: float
    expected_dsc: float | None
    warnings: tuple[str, ...]
    flags: tuple[Flag, ...] = ()


def predict(study: DwiStudy, *, model: str | Path | Engine | Sequence[str | Path]) -> Mask:
    """Segment the tumour in a study: arrays in, mask out.

    Parameters
    ----------
    study : DwiStudy
        Its signal has the shape (b-values, slices, rows, columns).
    model : path, sequence of path or Engine
        A model folder; several as one; or what `uteroseg.open_model` gave, for many studies.

    Returns
    -------
    Mask
        On the study's grid.

    Raises
    ------
    UserError
        If the model is not whole, or the study is none that it can take.

    Examples
    --------
    >>> geometry = uteroseg.Geometry.from_nifti(shape, affine)  # doctest: +SKIP
    >>> study = uteroseg.DwiStudy(signal, (0, 1000), geometry)  # doctest: +SKIP
    >>> mask = uteroseg.predict(study, model="models/virtual-universal")  # doctest: +SKIP
    """
    return predict_study(study, open_model(model)).mask


def predict_study(study: DwiStudy, engine: Engine) -> Prediction:
    """Predict the tumour mask of a study, and measure it.

    Raises
    ------
    UserError
        If the study has one b-value only, no high one, no signal, or a grid that the model cannot take.
    """
    spec = engine.card.spec
    require_fitting_grid(study.geometry, spec)
    fit = study.fit()
    output = engine.probability(network_input(study, spec, fit))
    mask, probability = mask_from_output(output, study.geometry, spec)
    soft, calibration = soft_dice(probability, mask.data), engine.card.training.expected_dsc
    return Prediction(
        mask=mask,
        probability=probability,
        high_b=high_b_image(study, fit),
        volume_ml=volume_ml(mask),
        diameter_mm=maximum_diameter_mm(mask),
        adc=adc_statistics(mask, fit.adc),
        soft_dice=soft,
        expected_dsc=calibration.expected_dsc(soft) if calibration else None,
        warnings=tuple(_warnings(engine.card)),
        flags=tuple(quality_flags(study, fit, mask, soft, engine.card)),
    )


def _warnings(card: ModelCard) -> list[str]:
    if not card.training.virtual:
        return []
    return [
        "The model was trained on virtual patients: what it finds in a real one means nothing clinically."
    ]
