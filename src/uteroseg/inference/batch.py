"""Predict many studies: one bad study never stops the others, and what is finished is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from uteroseg import RESEARCH_USE, __version__
from uteroseg.dicom.archive import unpacked
from uteroseg.errors import UserError, reason
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.files import read_json, require_new, staged_folder, write_json
from uteroseg.inference.inputs import StudyInput, find_inputs
from uteroseg.inference.outputs import Finding, write_table
from uteroseg.model.ensemble import Engine, open_model
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
    on_study: Callable[[Finding, int, int], None] = lambda finding, number, total: None,
    object_workers: Workers = HERE,
) -> tuple[list[Finding], ModelCard]:
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
        Told each finding, how many studies are done and how many there are.
    object_workers : Workers
        Write SEG and SR; see `uteroseg.model.dicom_objects.object_workers`.

    Returns
    -------
    findings : list of Finding
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
        findings: list[Finding] = []
        try:
            for source in inputs:
                finding = predict_one(source, engine, out, outputs, object_workers)
                notes = tuple(map(archive.told, finding.notes))
                findings.append(replace(finding, notes=notes, error=archive.told(finding.error)))
                on_study(findings[-1], len(findings), len(inputs))
        finally:
            write_table(out / TABLE, findings)
    return findings, engine.card


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
) -> Finding:
    """Predict a study into ``out/<case>``, where that is not done yet; what fails is told by the Finding."""
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
        return Finding.of_result(result, source)
    except Exception as error:  # whatever one study of thousands does, the others are wanted
        return Finding(
            source.case, str(source.origin), source.description, notes=source.notes, error=reason(error)
        )


def _finished(source: StudyInput, folder: Path) -> Finding:
    result = read_json(folder / RESULT)
    if result.get("input_sha256") != source.digest():
        raise UserError(
            f"{folder} is the prediction of other images than {source.origin} holds now.",
            expected="the images as they were.",
            fix=f"move {folder} away, and it is predicted again.",
        )
    return Finding.of_result(result, source)
