"""What was found in scanner files and what became of each study, for people and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uteroseg.cli.annotating import mask_text

if TYPE_CHECKING:
    from uteroseg.dicom.studies import FoundStudy, SeriesUse
    from uteroseg.intake.ingest import Outcome


def found_json(study: FoundStudy) -> dict[str, object]:
    """The series of a study, for a machine."""
    return {
        "folder": str(study.folder),
        "study_uid": study.study_uid,
        "series": [use_json(use) for use in study.uses],
    }


def use_json(use: SeriesUse) -> dict[str, object]:
    """A series and why it is used or not, for a machine."""
    return {
        "number": use.series.number,
        "description": use.series.description,
        "kind": use.series.kind.value,
        "files": len(use.series.files),
        "used": use.used,
        "reason": use.reason,
    }


def found_text(study: FoundStudy) -> str:
    """The series of a study, for a person."""
    title = f"Diffusion study in {study.folder}, StudyInstanceUID {study.study_uid}"
    return "\n".join([title, *map(use_text, study.uses)])


def use_text(use: SeriesUse) -> str:
    """A series and why it is used or not, for a person."""
    mark = "used    " if use.used else "not used"
    return f"  {mark}  {use.series.name}, {len(use.series.files)} files: {use.reason}"


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """What became of a study, for a machine."""
    return {
        "folder": str(outcome.found.folder),
        "status": outcome.status,
        "case": str(outcome.case) if outcome.case else None,
        "b_values": list(outcome.b_values),
        "b_value_source": outcome.b_value_source,
        "annotation": str(outcome.annotation) if outcome.annotation else None,
        "annotation_source": outcome.annotation_source or None,
        "mask_ml": outcome.mask_ml,
        "outside_ml": outcome.outside_ml,
        "registration": outcome.registration,
        "left_out": list(outcome.left_out),
        "error": outcome.error,
    }


def outcome_text(outcome: Outcome) -> str:
    """What became of a study, for a person."""
    folder = outcome.found.folder
    if outcome.status == "failed":
        return f"FAILED   {folder}: {outcome.error}"
    if outcome.status == "present":
        return f"present  {outcome.case} is the study in {folder} already"
    b_values = ", ".join(f"{b:g}" for b in outcome.b_values)
    case = f"{outcome.case} from {folder}" if outcome.case else f"{folder}"
    parts = [
        f"b {b_values} s/mm² (read from {outcome.b_value_source})",
        f"{'with' if outcome.found.adc else 'without'} scanner ADC",
    ]
    if outcome.case:
        parts.append(mask_text(outcome))
    elif outcome.annotation:
        parts.append(f"mask from {outcome.annotation}")
    if outcome.left_out:
        parts.append(f"left out {', '.join(outcome.left_out)}")
    return f"{outcome.status:8} {case}: {', '.join(parts)}"
