"""The verb that uses a model: predict."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress
from uteroseg.cli.read_options import AdcBMin, Align, BValues, DropIncomplete, NiftiForm, read_options
from uteroseg.cli.startup import import_nibabel_alone, object_workers, opening

if TYPE_CHECKING:
    from uteroseg.inference.batch import PredictedStudy


def predict(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="DICOM folder or zip, NIfTI with .bval, or dataset.")
    ],
    model: Annotated[list[Path], typer.Option("--model", "-m", help="Model folder; several predict as one.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; a batch that was cut short goes on.")
    ],
    probability: Annotated[
        bool, typer.Option("--probability", help="Also write the probability map.")
    ] = False,
    keep_empty_frames: Annotated[
        bool,
        typer.Option(
            "--keep-empty-frames", help="Frames without tumour in the DICOM SEG, for viewers that need them."
        ),
    ] = False,
    b_values: BValues = None,
    drop_incomplete: DropIncomplete = False,
    align: Align = False,
    adc_b_min: AdcBMin = 0.0,
    nifti_form: NiftiForm = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with 3 where a study has a quality flag, or lacks its DICOM SEG or SR."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Segment the tumour in every study of a folder."""
    with object_workers(source) as workers, progress() as update, opening(model) as engine:
        import_nibabel_alone()
        from uteroseg.inference.batch import predict_all
        from uteroseg.model.prediction_folder import Outputs

        predictions, card = predict_all(
            source,
            engine.result(),
            output,
            options=read_options(b_values, drop_incomplete, align, adc_b_min, nifti_form),
            outputs=Outputs(probability, keep_empty_frames),
            on_study=lambda predicted, done, total: update("studies", done, total, "") if total > 1 else None,
            object_workers=workers,
        )
    origins = Counter(predicted.origin for predicted in predictions)
    lines = [
        prediction_text(predicted, output, several=origins[predicted.origin] > 1) for predicted in predictions
    ]
    if card.training.virtual:
        lines.append("The model was trained on virtual patients: what it finds means nothing clinically.")
    print_result(
        {
            "output": str(output),
            "notice": RESEARCH_USE,
            "studies": [asdict(predicted) for predicted in predictions],
        },
        "\n".join([*lines, f"{output / 'predictions.csv'} lists all studies. {RESEARCH_USE}"]),
        as_json=json,
    )
    if any(predicted.error for predicted in predictions):
        raise typer.Exit(2)
    if strict and any(predicted.flags or predicted.not_written for predicted in predictions):
        raise typer.Exit(3)


def prediction_text(predicted: PredictedStudy, output: Path, *, several: bool) -> str:
    """Say what was found; with what tells it from others, where several are of one origin."""
    which = f" ({predicted.description})" if several and predicted.description else ""
    notes = "".join(f"\n  {note}" for note in predicted.notes)
    if predicted.error:
        return f"FAILED {predicted.origin}{which}: {predicted.error}{notes}"
    adc = "" if predicted.mean_adc is None else f", mean ADC {predicted.mean_adc:.2f} · 10⁻³ mm²/s"
    dsc = "" if predicted.expected_dsc is None else f", expected DSC {predicted.expected_dsc:.2f}"
    flags = "".join(f"\n  {flag.name}: {flag.why}" for flag in predicted.flags)
    missing = "".join(f"\n  {name} was not written: {why}" for name, why in predicted.not_written.items())
    volume = f"tumour {predicted.volume_ml:.1f} mL"
    return f"{output / predicted.case}{which}: {volume}{adc}{dsc}{flags}{missing}{notes}"
