"""Predict many studies: one bad study never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from uteroseg.dicom.assemble import Reading
from uteroseg.errors import UserError
from uteroseg.files import require_new
from uteroseg.inference.inputs import StudyInput, find_inputs
from uteroseg.inference.outputs import Finding, write_prediction, write_table
from uteroseg.inference.predict import predict_study
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.spec import ModelCard


def predict_all(
    path: Path,
    model: Path,
    out: Path,
    *,
    reading: Reading | None = None,
    on_study: Callable[[Finding, int, int], None] = lambda finding, number, total: None,
) -> tuple[list[Finding], ModelCard]:
    """Predict every study in a DICOM folder, a NIfTI file or a dataset.

    Parameters
    ----------
    path : Path
    model : Path
        A model folder.
    out : Path
        New or empty; gets a folder for each study and ``predictions.csv``.
    reading : Reading, optional
        How DICOM studies are read, where their files leave a choice.
    on_study : callable
        Told each finding, how many studies are done and how many there are.

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
    require_new(out)
    engine = OnnxEngine(model)
    inputs: Sequence[StudyInput] = find_inputs(path, reading)
    out.mkdir(parents=True, exist_ok=True)
    findings: list[Finding] = []
    for source in inputs:
        findings.append(_predict_one(source, engine, out))
        write_table(out / "predictions.csv", findings)
        on_study(findings[-1], len(findings), len(inputs))
    return findings, engine.card


def _predict_one(source: StudyInput, engine: OnnxEngine, out: Path) -> Finding:
    try:
        study = source.load()
        prediction = predict_study(study, engine)
        write_prediction(out / source.case, source, study, prediction, engine.card)
    except UserError as error:
        return Finding(source.case, str(source.origin), error=str(error))
    return Finding(
        source.case,
        str(source.origin),
        volume_ml=prediction.volume_ml,
        mean_adc=prediction.mean_adc,
        expected_dsc=prediction.expected_dsc,
        warnings=prediction.warnings,
        flags=prediction.flags,
    )
