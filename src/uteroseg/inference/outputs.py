"""Write what was found: NIfTI, DICOM SEG and SR, JSON and a picture for each study, and a table of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uteroseg import RESEARCH_USE, __version__
from uteroseg.files import staged_folder, write_json, write_text
from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.study import ADC_LEFT_OUT, DERIVED, DwiStudy
from uteroseg.inference.dicom_objects import Measured, none_written, write_objects
from uteroseg.inference.flag import Flag
from uteroseg.inference.inputs import StudyInput
from uteroseg.inference.overlay import overlay
from uteroseg.inference.predict import Prediction
from uteroseg.meanwhile import Meanwhile, afterwards
from uteroseg.model.ensemble import Engine

if TYPE_CHECKING:
    from uteroseg.dicom.seg import Site

RESULT = "result.json"
_WHERE_PRESENT = ("derived_images", "scanner_adc_left_out")
"""Of how a study was read, what its result says too."""


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


@dataclass(frozen=True)
class Finding:
    """One row of ``predictions.csv``; without ``error`` the study was predicted.

    ``not_written`` are the optional outputs that are not there, and why; ``notes`` what was decided about the
    study's files, which no file repeats, since it can hold what headers say.
    """

    case: str
    origin: str
    description: str = ""
    volume_ml: float | None = None
    maximum_diameter_mm: float | None = None
    mean_adc: float | None = None
    expected_dsc: float | None = None
    warnings: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    not_written: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def of_result(cls, result: Mapping[str, Any], source: StudyInput) -> Finding:
        """What a study's ``result.json`` says."""
        return cls(
            source.case,
            str(source.origin),
            source.description,
            volume_ml=result["volume_ml"],
            maximum_diameter_mm=result["maximum_diameter_mm"],
            mean_adc=result["mean_adc"],
            expected_dsc=result["expected_dsc"],
            warnings=tuple(result["warnings"]),
            flags=tuple(Flag(**flag) for flag in result["flags"]),
            not_written=result.get("not_written", {}),
            notes=source.notes,
        )


def write_prediction(
    folder: Path,
    source: StudyInput,
    study: DwiStudy,
    prediction: Prediction,
    engine: Engine,
    outputs: Outputs,
    meanwhile: Meanwhile = afterwards,
) -> dict[str, Any]:
    """Write one study's folder, whole or not at all; give what its ``result.json`` says.

    Mask, result and picture are always written; ``meanwhile`` SEG and SR, where the study came as DICOM and
    they can be: the result says which were not.

    Raises
    ------
    UserError
        If the folder holds something already.
    """
    result = _result(source, study, prediction, engine)
    with staged_folder(folder) as stage:
        with _dicom(stage, source, prediction, engine, outputs, meanwhile) as not_written:
            write_mask(stage / "mask.nii.gz", prediction.mask)
            if outputs.probability:
                probability = prediction.probability.astype(np.float32)
                write_image(stage / "probability.nii.gz", probability, study.geometry)
            caption = f"{source.case} · tumour {prediction.volume_ml:.1f} mL · model {engine.card.id}"
            picture = overlay(prediction.high_b, prediction.mask, caption=caption)
            picture.save(stage / "overlay.png", compress_level=1)  # a tenth larger, in a third of the time
        result["not_written"] = not_written()
        write_json(stage / RESULT, result)
    return result


@contextmanager
def _dicom(
    stage: Path,
    source: StudyInput,
    prediction: Prediction,
    engine: Engine,
    outputs: Outputs,
    meanwhile: Meanwhile,
) -> Iterator[Callable[[], dict[str, str]]]:
    """Writes SEG and SR while its body runs, where the study came as DICOM.

    Gives what says, after the body, which of them were not written and why: no error of theirs is raised.
    """
    if source.dicom is None:
        yield dict
        return
    job: Callable[[], dict[str, str]]
    try:
        job = partial(
            write_objects,
            stage,
            prediction.mask,
            source.dicom().dwi,
            source.reading,
            Measured(prediction.volume_ml, prediction.diameter_mm, prediction.adc),
            model_id=engine.card.id,
            site=_site(engine),
            keep_empty_frames=outputs.keep_empty_frames,
        )
    except Exception as error:
        job = partial(none_written, error)
    with meanwhile(job) as outcome:
        yield partial(_outcome, outcome)


def _outcome(outcome: Callable[[], dict[str, str]]) -> dict[str, str]:
    try:
        return outcome()
    except Exception as error:  # the other process was killed, such as for memory
        return none_written(error)


def _site(engine: Engine) -> Site | None:
    """Where the tumours were that the model learned from: the cervix is a part of the uterus."""
    cohorts = {cohort for card in engine.members for cohort in card.training.cases}
    if cohorts == {"cervical"}:
        return "cervix"
    return "uterus" if cohorts and cohorts <= {"cervical", "uterine"} else None


def write_table(path: Path, findings: Iterable[Finding]) -> None:
    """Write ``predictions.csv``."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [
            "case",
            "origin",
            "description",
            "volume_ml",
            "maximum_diameter_mm",
            "mean_adc_1e-3_mm2_per_s",
            "expected_dsc",
            "flags",
            "warnings",
            "not_written",
            "error",
        ]
    )
    for f in findings:
        numbers = [
            "" if value is None else f"{value:.{digits}f}"
            for value, digits in (
                (f.volume_ml, 3),
                (f.maximum_diameter_mm, 2),
                (f.mean_adc, 4),
                (f.expected_dsc, 3),
            )
        ]
        flags = " ".join(dict.fromkeys(flag.name for flag in f.flags))
        missing = " ".join(f"{name}: {why}" for name, why in f.not_written.items())
        row = [f.case, f.origin, f.description, *numbers, flags, " ".join(f.warnings), missing, f.error]
        table.writerow(row)
    write_text(path, text.getvalue())


def _result(source: StudyInput, study: DwiStudy, prediction: Prediction, engine: Engine) -> dict[str, Any]:
    slices, rows, columns = study.geometry.shape
    adc = {name: _rounded(value, 4) for name, value in asdict(prediction.adc).items()}
    return {
        "notice": RESEARCH_USE,
        "warnings": list(prediction.warnings),
        "flags": [asdict(flag) for flag in prediction.flags],
        "case": source.case,
        "input_sha256": source.digest(),
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
        "model": engine.card.describe(),
        **({"ensemble": [card.describe() for card in engine.members]} if len(engine.members) > 1 else {}),
        "software": {"uteroseg": __version__},
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
