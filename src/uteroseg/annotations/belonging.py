"""What an annotation says it belongs to, whether that is a study, and which of its series it was drawn on.

References
----------
DICOM PS3.3 C.12.1.1 (Common Instance Reference), C.8.8.5 (Structure Set: referenced frame of reference),
C.7.6.16.2.6 (Derivation Image Macro).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import Series
from uteroseg.dicom.studies import FoundStudy
from uteroseg.errors import UserError

_FIX = "export the annotation of this examination, or correct the table."


@dataclass(frozen=True)
class Reference:
    """What an annotation belongs to; empty where the file does not say.

    Parameters
    ----------
    patient_id, date : str
    studies, frames, series, instances : frozenset of str
        UIDs of studies (its own among them), frames of reference, series and images.
    """

    patient_id: str
    date: str
    studies: frozenset[str]
    frames: frozenset[str]
    series: frozenset[str]
    instances: frozenset[str]

    @classmethod
    def of(cls, dataset: Dataset) -> Reference:
        """Collect it from a SEG or RTSTRUCT."""
        frames = _inside([dataset], "ReferencedFrameOfReferenceSequence")
        studies = _inside(frames, "RTReferencedStudySequence")
        studies += _inside([dataset], "StudiesContainingOtherReferencedInstancesSequence")
        series = _inside(studies, "RTReferencedSeriesSequence")
        series += _inside([*studies, dataset], "ReferencedSeriesSequence")
        groups = _inside([dataset], "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        contours = _inside(_inside([dataset], "ROIContourSequence"), "ContourSequence")
        images = _inside(_inside(groups, "DerivationImageSequence"), "SourceImageSequence")
        images += _inside([*contours, *series], "ContourImageSequence", "ReferencedInstanceSequence")
        rois = _inside([dataset], "StructureSetROISequence")
        return cls(
            patient_id=str(dataset.get("PatientID") or "").strip(),
            date=str(dataset.get("StudyDate") or ""),
            studies=_uids([dataset], "StudyInstanceUID")
            | _uids(studies, "StudyInstanceUID", "ReferencedSOPInstanceUID"),
            frames=_uids(rois, "ReferencedFrameOfReferenceUID")
            or _uids([dataset, *frames], "FrameOfReferenceUID"),
            series=_uids(series, "SeriesInstanceUID"),
            instances=_uids(images, "ReferencedSOPInstanceUID"),
        )


def mismatch(reference: Reference, found: FoundStudy, path: Path) -> UserError | None:
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
    if series or not reference.studies.isdisjoint(uid for one in found.dwi for uid in one.study_uids):
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
    named = named or [one for one in every if not series.isdisjoint(one.uids)]
    order = {id(one): (one not in found.used, one.kind is not SeriesKind.T2) for one in named}
    return min(named, key=lambda one: order[id(one)], default=None)


def _instances(series: Series) -> set[str]:
    return {str(header.get("SOPInstanceUID") or "") for header in series.headers}


def _inside(items: Iterable[Dataset], *keywords: str) -> list[Dataset]:
    """The items of sequences in data sets."""
    return [inner for item in items for keyword in keywords for inner in item.get(keyword) or ()]


def _uids(items: Iterable[Dataset], *keywords: str) -> frozenset[str]:
    return frozenset(str(item[keyword].value) for item in items for keyword in keywords if item.get(keyword))
