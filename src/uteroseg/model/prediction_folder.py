"""A prediction's folder: mask, JSON and picture; DICOM SEG and SR where the study came as DICOM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uteroseg import RESEARCH_USE, __version__
from uteroseg.errors import reason
from uteroseg.files import staged_folder, write_json
from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.overlay import overlay
from uteroseg.imaging.study import ADC_LEFT_OUT, DERIVED
from uteroseg.model.dicom_objects import none_written, write_objects
from uteroseg.model.prediction import Prediction
from uteroseg.model.spec import ModelCard
from uteroseg.work import HERE, Failure, Item, Workers

if TYPE_CHECKING:
    from uteroseg.dicom.seg import Site

RESULT = "result.json"


@dataclass(frozen=True)
class Outputs:
    """What is written besides what always is.

    Parameters
    ----------
    probability : bool
        The probability map.
    keep_empty_frames : bool
        Frames without tumour in the DICOM SEG.
    """

    probability: bool = False
    keep_empty_frames: bool = False


def write_prediction(
    folder: Path,
    prediction: Prediction,
    *,
    case: str,
    digest: str = "",
    outputs: Outputs | None = None,
    object_workers: Workers = HERE,
) -> dict[str, Any]:
    """Write a prediction's folder, whole or not at all; give what its ``result.json`` says.

    Mask, result and picture are always written; beside that SEG and SR, where the study came as DICOM and
    they can be: the result says which were not.

    Parameters
    ----------
    folder : Path
        New or empty.
    prediction : Prediction
    case : str
        What the study is called.
    digest : str
        What tells the study's files from all others, where it is known.
    outputs : Outputs, optional
    object_workers : Workers
        Write SEG and SR.

    Raises
    ------
    UserError
        If the folder holds something already.
    """
    outputs = outputs or Outputs()
    result = _result(prediction, case, digest)
    with staged_folder(folder) as stage:
        objects = Item(f"SEG and SR of {case}", _objects(stage, prediction, outputs))
        begun = (object_workers if prediction.study.source else HERE).begin(objects)
        try:
            write_mask(stage / "mask.nii.gz", prediction.mask)
            if outputs.probability:
                probability = prediction.probability.astype(np.float32)
                write_image(stage / "probability.nii.gz", probability, prediction.study.geometry)
            picture = overlay(
                prediction.prepared.high_b,
                prediction.mask,
                caption=f"{case} · tumour {prediction.volume_ml:.1f} mL · model {prediction.card.id}",
            )
            picture.save(stage / "overlay.png", compress_level=1)  # a tenth larger, in a third of the time
        finally:  # nobody writes into a folder that is moved or taken away
            written = begun.result()
        result["not_written"] = none_written(written.reason) if isinstance(written, Failure) else written
        write_json(stage / RESULT, result)
    return result


def _objects(stage: Path, prediction: Prediction, outputs: Outputs) -> Callable[[], dict[str, str]]:
    """What writes SEG and SR, where the study came as DICOM; it gives what could not be written, and why."""
    if prediction.study.source is None:
        return dict
    try:
        return partial(
            write_objects,
            stage,
            prediction.mask,
            prediction.study.source,
            volume_ml=prediction.volume_ml,
            diameter_mm=prediction.diameter_mm,
            adc=prediction.adc,
            model_id=prediction.card.id,
            site=_site(prediction.models),
            keep_empty_frames=outputs.keep_empty_frames,
        )
    except Exception as error:
        return partial(none_written, reason(error))


def _site(models: tuple[ModelCard, ...]) -> Site | None:
    """Where the tumours were that the model learned from: the cervix is a part of the uterus."""
    cohorts = {cohort for card in models for cohort in card.training.cases}
    if cohorts == {"cervical"}:
        return "cervix"
    return "uterus" if cohorts and cohorts <= {"cervical", "uterine"} else None


def _result(prediction: Prediction, case: str, digest: str) -> dict[str, Any]:
    study = prediction.study
    slices, rows, columns = study.geometry.shape
    adc = {name: _rounded(value, 4) for name, value in asdict(prediction.adc).items()}
    members = prediction.models[1:]
    return {
        "notice": RESEARCH_USE,
        "warnings": list(prediction.warnings),
        "flags": [asdict(flag) for flag in prediction.flags],
        "case": case,
        **({"input_sha256": digest} if digest else {}),
        "volume_ml": round(prediction.volume_ml, 3),
        "maximum_diameter_mm": round(prediction.diameter_mm, 2),
        "mean_adc": adc["mean"],
        "mean_adc_unit": "10^-3 mm^2/s",
        "adc": adc,
        "soft_dice": round(prediction.soft_dice, 4),
        "expected_dsc": _rounded(prediction.expected_dsc, 4),
        "b_values": list(study.b_values),
        "b_value_source": study.acquisition.get("b_value_source"),
        **{name: study.acquisition[name] for name in (DERIVED, ADC_LEFT_OUT) if name in study.acquisition},
        "grid": {
            "slices": slices,
            "rows": rows,
            "columns": columns,
            "spacing_mm": [round(mm, 4) for mm in study.geometry.spacing],
            "plane": study.geometry.plane,
        },
        "model": prediction.card.describe(),
        **({"ensemble": [card.describe() for card in members]} if members else {}),
        "software": {"uteroseg": __version__},
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
