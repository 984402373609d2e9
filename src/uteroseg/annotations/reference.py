"""What an annotation object (DICOM SEG, RTSTRUCT) says it belongs to: patient, study, series, images, frame.

References
----------
DICOM PS3.3 C.12.1.1 (Common Instance Reference), C.8.8.5 (Structure Set: referenced frame of reference),
C.7.6.16.2.6 (Derivation Image Macro).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from uteroseg.dicom.classify import LABEL_MAP_SEGMENTATION
from uteroseg.errors import UserError

SEGMENTATIONS = (SegmentationStorage, LABEL_MAP_SEGMENTATION)
STRUCTURE_SET = RTStructureSetStorage


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


def reference_of(dataset: Dataset, path: Path) -> Reference:
    """What an annotation object belongs to; raises UserError where its header is damaged."""
    with shown(path):
        frames = list(dataset.get("ReferencedFrameOfReferenceSequence") or ())
        rois = list(dataset.get("StructureSetROISequence") or ())
        studies = [s for frame in frames for s in frame.get("RTReferencedStudySequence") or ()]
        studies += dataset.get("StudiesContainingOtherReferencedInstancesSequence") or ()
        series = [s for study in studies for s in study.get("RTReferencedSeriesSequence") or ()]
        series += [s for study in studies for s in study.get("ReferencedSeriesSequence") or ()]
        series += dataset.get("ReferencedSeriesSequence") or ()
        images = [*_images_of_frames(dataset), *_images_of_contours(dataset)]
        images += [i for s in series for i in s.get("ReferencedInstanceSequence") or ()]
        images += [i for s in series for i in s.get("ContourImageSequence") or ()]
        return Reference(
            patient_id=str(dataset.get("PatientID") or "").strip(),
            date=str(dataset.get("StudyDate") or ""),
            studies=_uids([dataset], "StudyInstanceUID")
            | _uids(studies, "StudyInstanceUID", "ReferencedSOPInstanceUID"),
            frames=_uids(rois, "ReferencedFrameOfReferenceUID")
            or _uids([dataset, *frames], "FrameOfReferenceUID"),
            series=_uids(series, "SeriesInstanceUID"),
            instances=_uids(images, "ReferencedSOPInstanceUID"),
        )


def read_object(path: Path) -> Dataset:
    """Read a DICOM SEG or RTSTRUCT.

    Raises
    ------
    UserError
        If the file does not exist, is damaged, or is something else.
    """
    try:
        dataset = pydicom.dcmread(path)
        kind = str(dataset.get("SOPClassUID") or "")
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist.", expected="a DICOM file.", fix="check the path for a typing error."
        ) from None
    except Exception as error:  # on a damaged file pydicom raises what it likes
        raise UserError(
            f"{path} cannot be read as DICOM ({' '.join(str(error).split())}).",
            expected="a whole DICOM Segmentation or RT Structure Set.",
            fix="copy or export the file again.",
        ) from error
    if kind not in (*SEGMENTATIONS, STRUCTURE_SET):
        raise UserError(
            f"{path} is not a segmentation ({dataset.get('Modality') or 'no modality'}).",
            expected="a DICOM Segmentation or RT Structure Set.",
            fix="export the mask as one of these, or as NIfTI.",
        )
    return dataset


@contextmanager
def shown(path: Path) -> Iterator[None]:
    """Turn what pydicom raises of damaged values into an error that names the file."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} is damaged ({' '.join(str(error).split())}).",
            expected="a whole DICOM Segmentation or RT Structure Set.",
            fix="export it again, or as NIfTI.",
        ) from error


def _images_of_frames(dataset: Dataset) -> Iterator[Dataset]:
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())
    for group in [*shared, *(dataset.get("PerFrameFunctionalGroupsSequence") or ())]:
        for derivation in group.get("DerivationImageSequence") or ():
            yield from derivation.get("SourceImageSequence") or ()


def _images_of_contours(dataset: Dataset) -> Iterator[Dataset]:
    for roi in dataset.get("ROIContourSequence") or ():
        for contour in roi.get("ContourSequence") or ():
            yield from contour.get("ContourImageSequence") or ()


def _uids(items: list[Dataset], *keywords: str) -> frozenset[str]:
    return frozenset(str(item[keyword].value) for item in items for keyword in keywords if item.get(keyword))
