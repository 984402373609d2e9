"""Write what was found: NIfTI, DICOM SEG, JSON and a picture for each study, and a table of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uteroseg import RESEARCH_USE, __version__
from uteroseg.files import staged_folder, write_json, write_text
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import DwiStudy
from uteroseg.inference.flag import Flag
from uteroseg.inference.inputs import StudyInput
from uteroseg.inference.overlay import overlay
from uteroseg.inference.predict import Prediction
from uteroseg.model.spec import ModelCard


@dataclass(frozen=True)
class Finding:
    """One row of ``predictions.csv``; without ``error`` the study was predicted."""

    case: str
    origin: str
    volume_ml: float | None = None
    mean_adc: float | None = None
    expected_dsc: float | None = None
    warnings: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    error: str = ""


def write_prediction(
    folder: Path, source: StudyInput, study: DwiStudy, prediction: Prediction, card: ModelCard
) -> None:
    """Write one study's folder, whole or not at all: mask, DICOM SEG, ``result.json`` and ``overlay.png``.

    The DICOM SEG is written for studies that came as DICOM.

    Raises
    ------
    UserError
        If the folder holds something already.
    """
    with staged_folder(folder) as stage:
        write_mask(stage / "mask.nii.gz", prediction.mask)
        write_json(stage / "result.json", _result(source, study, prediction, card))
        caption = f"{source.case} · tumour {prediction.volume_ml:.1f} mL · model {card.id}"
        overlay(prediction.high_b, prediction.mask, caption=caption).save(stage / "overlay.png")
        if source.dicom is not None:
            from uteroseg.dicom.seg import write_seg

            write_seg(
                stage / "seg.dcm",
                prediction.mask,
                source.dicom,
                algorithm_name=f"uteroseg model {card.id}",
                algorithm_version=__version__,
                reading=source.reading,
            )


def write_table(path: Path, findings: Iterable[Finding]) -> None:
    """Write ``predictions.csv``."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    header = ["case", "origin", "volume_ml", "mean_adc_1e-3_mm2_per_s", "expected_dsc"]
    table.writerow([*header, "flags", "warnings", "error"])
    for f in findings:
        volume = "" if f.volume_ml is None else f"{f.volume_ml:.3f}"
        adc = "" if f.mean_adc is None else f"{f.mean_adc:.4f}"
        expected = "" if f.expected_dsc is None else f"{f.expected_dsc:.3f}"
        flags, warnings = " ".join(dict.fromkeys(flag.name for flag in f.flags)), " ".join(f.warnings)
        table.writerow([f.case, f.origin, volume, adc, expected, flags, warnings, f.error])
    write_text(path, text.getvalue())


def _result(source: StudyInput, study: DwiStudy, prediction: Prediction, card: ModelCard) -> dict[str, Any]:
    slices, rows, columns = study.geometry.shape
    return {
        "notice": RESEARCH_USE,
        "warnings": list(prediction.warnings),
        "flags": [asdict(flag) for flag in prediction.flags],
        "case": source.case,
        "volume_ml": round(prediction.volume_ml, 3),
        "mean_adc": None if prediction.mean_adc is None else round(prediction.mean_adc, 4),
        "mean_adc_unit": "10^-3 mm^2/s",
        "soft_dice": round(prediction.soft_dice, 4),
        "expected_dsc": None if prediction.expected_dsc is None else round(prediction.expected_dsc, 4),
        "b_values": list(study.b_values),
        "b_value_source": study.acquisition.get("b_value_source"),
        "grid": {
            "slices": slices,
            "rows": rows,
            "columns": columns,
            "spacing_mm": [round(mm, 4) for mm in study.geometry.spacing],
            "plane": study.geometry.plane,
        },
        "model": card.describe(),
        "software": {"uteroseg": __version__},
    }
