"""The verb that uses a model: predict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import Json, print_result, progress
from uteroseg.cli.reading import AdcBMin, Align, BValues, DropIncomplete, reading_of

if TYPE_CHECKING:
    from uteroseg.inference.outputs import Finding


def predict(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="DICOM folder or zip, NIfTI with .bval, or dataset.")
    ],
    model: Annotated[Path, typer.Option("--model", "-m", help="Model folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; new or empty.")],
    b_values: BValues = None,
    drop_incomplete: DropIncomplete = False,
    align: Align = False,
    adc_b_min: AdcBMin = 0.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a study has a quality flag.")
    ] = False,
    json: Json = False,
) -> None:
    """Segment the tumour in every study of a folder."""
    from uteroseg.dicom.archive import unpacked
    from uteroseg.inference.batch import predict_all

    reading = reading_of(b_values, drop_incomplete, align, adc_b_min)
    with unpacked(source) as folder, progress() as update:
        findings, card = predict_all(
            folder,
            model,
            output,
            reading=reading,
            on_study=lambda finding, done, total: update("studies", done, total, ""),
        )
    lines = [_finding_text(finding, output) for finding in findings]
    if card.training.virtual:
        lines.append("The model was trained on virtual patients: what it finds means nothing clinically.")
    print_result(
        {"output": str(output), "notice": RESEARCH_USE, "studies": [asdict(finding) for finding in findings]},
        "\n".join([*lines, f"{output / 'predictions.csv'} lists all studies. {RESEARCH_USE}"]),
        as_json=json,
    )
    if any(finding.error for finding in findings):
        raise typer.Exit(2)
    if strict and any(finding.flags for finding in findings):
        raise typer.Exit(3)


def _finding_text(finding: Finding, output: Path) -> str:
    if finding.error:
        return f"FAILED {finding.origin}: {finding.error}"
    adc = "" if finding.mean_adc is None else f", mean ADC {finding.mean_adc:.2f} · 10⁻³ mm²/s"
    dsc = "" if finding.expected_dsc is None else f", expected DSC {finding.expected_dsc:.2f}"
    flags = "".join(f"\n  {flag.name}: {flag.why}" for flag in finding.flags)
    return f"{output / finding.case}: tumour {finding.volume_ml:.1f} mL{adc}{dsc}{flags}"
