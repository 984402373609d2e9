"""What was found in many studies: a row for each, and the table of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uteroseg.files import write_text
from uteroseg.inference.inputs import StudyInput
from uteroseg.model.flags import Flag


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
