"""Whether an annotation object belongs to a study, and which of its series it was drawn on."""

from __future__ import annotations

from pathlib import Path

from uteroseg.annotations.reference import Reference
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import Series
from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError

_FIX = "export the annotation of this examination, or correct the table."


def why_not(reference: Reference, found: FoundStudy, path: Path) -> UserError | None:
    """Why an annotation cannot belong to a study, or None where it does.

    It does where patient and frame of reference agree as far as they are known, and it refers to an image or
    a series of the study's examination, or to the examination (StudyInstanceUID) itself.

    Parameters
    ----------
    reference : Reference
    found : FoundStudy
    path : Path
        The annotation's, for messages.
    """
    if reference.patient_id and found.patient_id and reference.patient_id != found.patient_id:
        return UserError(
            f"{path} is of another patient than the study in {found.folder}.",
            expected="an annotation with the Patient ID of the images.",
            fix=_FIX,
        )
    frames = {series.frame_of_reference_uid for series in found.dwi} - {""}
    if frames and reference.frames and not frames & reference.frames:
        return UserError(
            f"{path} lies in another frame of reference than the study in {found.folder}: "
            "its coordinates mean another place.",
            expected="an annotation on images that share the Frame of Reference UID of the diffusion series.",
            fix="draw it on images of the same examination, from before the patient was moved.",
        )
    series = drawn_on(found, reference.instances, reference.series)
    if series or found.study_uid in reference.studies:
        return None
    dated = f", dated {reference.date}," if reference.date else ""
    return UserError(
        f"{path}{dated} is of another examination than the study in {found.folder}"
        f"{f', dated {found.date}' if found.date else ''}.",
        expected="an annotation with the Study Instance UID of the images, or on their series.",
        fix=_FIX,
    )


def drawn_on(found: FoundStudy, instances: frozenset[str], series: frozenset[str]) -> Series | None:
    """The series of a study's examination that an annotation refers to: by its images, else by its UID.

    Of several, one of the study's own, else a T2 series.
    """
    every = (*found.used, *found.others)
    named = [one for one in every if instances and not instances.isdisjoint(_instances(one))]
    named = named or [one for one in every if one.series_uid in series]
    order = {id(one): (one not in found.used, one.kind is not SeriesKind.T2) for one in named}
    return min(named, key=lambda one: order[id(one)], default=None)


def _instances(series: Series) -> set[str]:
    return {str(header.get("SOPInstanceUID") or "") for header in series.headers}
