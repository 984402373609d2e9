"""Predict many studies: one bad study never stops the others, and what is finished is not done again."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from uteroseg import RESEARCH_USE, __version__
from uteroseg.dicom.archive import unpacked
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError, reason
from uteroseg.files import read_json, require_new, staged_folder, write_json, write_text
from uteroseg.inference.inputs import StudyInput, find_inputs
from uteroseg.model.ensemble import Engine, open_model
from uteroseg.model.flags import Flag
from uteroseg.model.prediction import predict_study
from uteroseg.model.prediction_folder import RESULT, Outputs, write_prediction
from uteroseg.model.spec import ModelCard
from uteroseg.work import HERE, Workers

SETTINGS, TABLE = "settings.json", "predictions.csv"


def predict_all(
    path: Path,
    model: Path | Engine | Sequence[Path],
    out: Path,
    *,
    options: ReadOptions | None = None,
    outputs: Outputs | None = None,
    on_study: Callable[[PredictedStudy, int, int], None] = lambda predicted, number, total: None,
    object_workers: Workers = HERE,
) -> tuple[list[PredictedStudy], ModelCard]:
    """Predict every study in a DICOM folder or zip archive, a NIfTI file or a dataset.

    Parameters
    ----------
    path : Path
    model : Path, Engine or sequence of Path
        A model folder, open or not, or several that predict as one.
    out : Path
        New or empty, or what the same call left when it was cut short: finished studies are not done again.
        Gets a folder for each study and, at the end, ``predictions.csv``.
    options : ReadOptions, optional
        How DICOM studies are read, where their files leave a choice.
    outputs : Outputs, optional
    on_study : callable
        Told of each study, how many studies are done and how many there are.
    object_workers : Workers
        Write SEG and SR, as `uteroseg.cli.startup.object_workers` gives them.

    Returns
    -------
    predictions : list of PredictedStudy
        Those with an ``error`` have no folder.
    card : ModelCard

    Raises
    ------
    UserError
        If the model is not whole, the output is taken or the input holds no study; before predicting.
    """
    options, outputs = options or ReadOptions(), outputs or Outputs()
    if not (out / SETTINGS).is_file():
        require_new(out)
    engine = open_model(model)
    with unpacked(path) as archive:
        inputs = find_inputs(archive.folder, options, shown=path)
        _claim(out, path, engine, options, outputs)
        predictions: list[PredictedStudy] = []
        try:
            for source in inputs:
                predicted = predict_one(source, engine, out, outputs, object_workers)
                notes = tuple(map(archive.told, predicted.notes))
                predictions.append(replace(predicted, notes=notes, error=archive.told(predicted.error)))
                on_study(predictions[-1], len(predictions), len(inputs))
        finally:
            write_table(out / TABLE, predictions)
    return predictions, engine.card


def _claim(out: Path, path: Path, engine: Engine, options: ReadOptions, outputs: Outputs) -> None:
    """Make the output folder, or check that it is of the same call, and clear what a killed one left."""
    settings: dict[str, Any] = {
        "notice": RESEARCH_USE,
        "input": str(path.resolve()),
        "models": [card.id for card in engine.members],
        "reading": {**asdict(options), "b_values": list(options.b_values)},
        "outputs": asdict(outputs),
        "uteroseg": __version__,
    }
    if not (out / SETTINGS).is_file():
        with staged_folder(out) as stage:
            write_json(stage / SETTINGS, settings)
        return
    known = read_json(out / SETTINGS)
    if other := [name for name in settings if known.get(name) != settings[name]]:
        raise UserError(
            f"{out} holds predictions of another call: its {' and '.join(other)} differ.",
            expected="a folder that is new or empty, or that the same call left unfinished.",
            fix="choose another folder, or move this one away.",
        )
    for unfinished in out.glob(".*"):
        if unfinished.is_dir():
            shutil.rmtree(unfinished)


def predict_one(
    source: StudyInput, engine: Engine, out: Path, outputs: Outputs, object_workers: Workers = HERE
) -> PredictedStudy:
    """Predict a study into ``out/<case>``, where that is not done yet; what fails is told in its row."""
    folder = out / source.case
    try:
        if (folder / RESULT).is_file():
            return _finished(source, folder)
        result = write_prediction(
            folder,
            predict_study(source.load(), engine),
            case=source.case,
            digest=source.digest(),
            outputs=outputs,
            object_workers=object_workers,
        )
        return PredictedStudy.of_result(result, source)
    except Exception as error:  # whatever one study of thousands does, the others are wanted
        return PredictedStudy(
            source.case, str(source.origin), source.description, notes=source.notes, error=reason(error)
        )


def _finished(source: StudyInput, folder: Path) -> PredictedStudy:
    result = read_json(folder / RESULT)
    if result.get("input_sha256") != source.digest():
        raise UserError(
            f"{folder} is the prediction of other images than {source.origin} holds now.",
            expected="the images as they were.",
            fix=f"move {folder} away, and it is predicted again.",
        )
    return PredictedStudy.of_result(result, source)


@dataclass(frozen=True)
class PredictedStudy:
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
    def of_result(cls, result: Mapping[str, Any], source: StudyInput) -> PredictedStudy:
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


def write_table(path: Path, predictions: Iterable[PredictedStudy]) -> None:
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
    for f in predictions:
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
