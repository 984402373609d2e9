"""A model as a plain ONNX file, and as JSON what a program without uteroseg must know to use it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from uteroseg.files import staged_folder, write_json
from uteroseg.imaging.geometry import Plane
from uteroseg.imaging.quality import BODY_SHARE
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.folder import ONNX
from uteroseg.model.prepare import HIGH_B, MAX_ADC, SAME_B
from uteroseg.model.spec import Channel, ModelCard

SPEC = "spec.json"

_VIEW: dict[Plane, str] = {
    "sagittal": "rows run to inferior, columns to posterior",
    "coronal": "rows run to inferior, columns to the patient's left",
    "axial": "rows run to posterior, columns to the patient's left",
}
_CHANNELS: dict[Channel, str] = {
    "b0": "the image at the lowest b-value, divided by its median inside the body",
    "b1000": f"the image at b {HIGH_B:g} s/mm² (measured within {SAME_B:g} s/mm², else computed from the fit "
    "of the ADC and never above the image at the lowest b-value), divided by the same median",
    "adc": "ADC in 10^-3 mm²/s: the least-squares slope of the logarithm of the signal over every b-value, "
    f"kept between 0 and {MAX_ADC:g}, 0 outside the body",
}


def export_plain_onnx(model: Path, folder: Path) -> ModelCard:
    """Write ``model.onnx`` and ``spec.json``, whole or not at all.

    Parameters
    ----------
    model : Path
        A model folder.
    folder : Path
        New or empty.

    Raises
    ------
    UserError
        If the model is not whole or the folder holds something already.
    """
    card = OnnxEngine(model).card  # refuses files of different models
    with staged_folder(folder) as stage:
        shutil.copyfile(model / ONNX, stage / ONNX)
        write_json(stage / SPEC, describe_onnx(card))
    return card


def describe_onnx(card: ModelCard) -> dict[str, Any]:
    """``spec.json``."""
    spec = card.spec
    matrix = list(spec.matrix)
    return {
        "notice": card.intended_use,
        "licence": card.licence,
        "model": card.describe(),
        "input": {"name": "slices", "type": "float32", "shape": ["slices", len(spec.channels), *matrix]},
        "output": {
            "name": "probability",
            "type": "float32",
            "shape": ["slices", 1, *matrix],
            "meaning": "probability of tumour, 0 to 1",
        },
        "slices": {
            "plane": spec.plane,
            "view": _VIEW[spec.plane],
            "spacing_mm": spec.spacing_mm,
            "resampling": "linear, in plane only; the middle of the slice is the middle of the matrix; "
            "outside the slice every channel is 0 before normalisation",
        },
        "body": f"where the image at the lowest b-value exceeds {BODY_SHARE:g} of its 99th percentile",
        "channels": [
            {"name": name, "is": _CHANNELS[name], "mean": mean, "standard_deviation": std}
            for name, mean, std in zip(spec.channels, spec.channel_mean, spec.channel_std, strict=True)
        ],
        "normalisation": "(channel - mean) / standard_deviation",
        "mask": {
            "threshold": spec.threshold,
            "applied": "probability >= threshold, after linear resampling back to the study's grid",
            "min_component_ml": spec.min_component_ml,
            "components": "smaller ones are dropped; voxels that touch at a corner belong together",
        },
    }
