"""Scanner files into a dataset."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uteroseg.dataset.annotations import Annotation, annotation_of, read_annotations
from uteroseg.dataset.identity import Pseudonyms, key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dicom.annotation import read_annotation
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import SkippedFile, scan_folder
from uteroseg.dicom.studies import FoundStudy, require_studies
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.resample import resample_mask
from uteroseg.imaging.study import DwiStudy, Mask

Status = Literal["added", "mask added", "present", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a study that was found.

    Parameters
    ----------
    found : FoundStudy
    status : {"added", "mask added", "present", "failed"}
    case : CaseId, optional
        None where it failed.
    b_values : tuple of float
    b_value_source : str
    mask_ml : float, optional
        Volume of the annotation on the study's grid, mL.
    error : str
        Why it failed.
    """

    found: FoundStudy
    status: Status
    case: CaseId | None = None
    b_values: tuple[float, ...] = ()
    b_value_source: str = ""
    mask_ml: float | None = None
    error: str = ""


def find(source: Path) -> tuple[tuple[FoundStudy, ...], tuple[SkippedFile, ...]]:
    """The diffusion studies below a folder, and the DICOM files that cannot be read.

    Raises
    ------
    UserError
        If there is no diffusion study.
    """
    scan = scan_folder(source)
    return require_studies(scan, source), scan.skipped


def ingest(
    source: Path,
    root: Path,
    *,
    cohort: str,
    annotations: Path | None = None,
    b_values: Sequence[float] = (),
    on_study: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Add every diffusion study below a folder to a dataset; one bad study never stops the others.

    A study that is there already is left as it is; if it has no mask and the table names one, it gets it.
    Where no study can enter a new dataset, none is made.

    Parameters
    ----------
    source : Path
    root : Path
        A dataset, or a new or empty folder.
    cohort : str
        Of the patients found.
    annotations : Path, optional
        A table ``study,mask,label``; masks on another grid are moved to the study's.
    b_values : sequence of float
        s/mm², in the order of acquisition: for series whose headers and description hold none.
    on_study : callable
        Told how many studies are done, and how many there are.

    Raises
    ------
    UserError
        If there is nothing to ingest, the folder holds something else, or the table is wrong; before anything
        is written.
    """
    _require_name(cohort)
    rows = read_annotations(annotations) if annotations else []
    studies, _ = find(source)
    _require_known_studies(rows, studies, source)
    new = [path for path in (root, key_file(root)) if not path.exists()]
    dataset = Dataset.open_or_create(root)
    has_real_patients = any(p.source == "dicom" for p in dataset.participants.values())
    pseudonyms = Pseudonyms.for_dataset(root, is_new=not has_real_patients)
    intake = _Intake(dataset, cohort, pseudonyms, rows, source, b_values)
    outcomes = []
    for number, found in enumerate(studies, start=1):
        try:
            outcomes.append(intake.take(found))
        except UserError as error:
            outcomes.append(Outcome(found, "failed", error=str(error)))
        on_study(number, len(studies))
    if root in new and not dataset.cases():
        _remove(new)
    return outcomes


def _remove(paths: Sequence[Path]) -> None:
    """Leave nothing of a dataset that no study could enter: its folder and key, if this run made them."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@dataclass(frozen=True)
class _Intake:
    """Takes studies into a dataset, one by one."""

    dataset: Dataset
    cohort: str
    pseudonyms: Pseudonyms
    annotations: Sequence[Annotation]
    source: Path
    b_values: Sequence[float]

    def take(self, found: FoundStudy) -> Outcome:
        key = self.pseudonyms.of(" ".join(sorted(series.series_uid for series in found.dwi)))
        annotation = annotation_of(found, self.annotations, self.source)
        present = self.dataset.find(key)
        if present and (annotation is None or self.dataset.has_mask(present)):
            return Outcome(found, "present", present)
        study = (
            self.dataset.load_study(present) if present else load_study(found.used, b_values=self.b_values)
        )
        mask, sidecar = _mask_for(study, annotation) if annotation else (None, {})
        if present and mask:
            self.dataset.add_mask(present, mask, sidecar)
        participant = Participant(
            participant_id="",
            cohort=self.cohort,
            source="dicom",
            source_key=self.pseudonyms.of(found.patient_id or found.study_uid),
        )
        return Outcome(
            found=found,
            status="mask added" if present else "added",
            case=present or self.dataset.add(NewCase(study, participant, key, mask, sidecar)),
            b_values=study.b_values,
            b_value_source=str(study.acquisition.get("b_value_source")),
            mask_ml=volume_ml(mask) if mask else None,
        )


def _mask_for(study: DwiStudy, annotation: Annotation) -> tuple[Mask, dict[str, object]]:
    """The annotation on the study's grid, with its sidecar."""
    drawn = read_annotation(annotation.mask, label=annotation.label)
    moved = drawn.geometry.difference(study.geometry) is not None
    mask = resample_mask(drawn, study.geometry)
    return mask, {
        "annotation_source": "another grid" if moved else "DWI",
        "volume_ml_as_drawn": round(volume_ml(drawn), 3),
        "volume_ml": round(volume_ml(mask), 3),
        "tool": "unknown",
    }


def _require_known_studies(rows: Sequence[Annotation], studies: Sequence[FoundStudy], source: Path) -> None:
    unknown = [row.study for row in rows if not any(row.belongs_to(found, source) for found in studies)]
    if unknown:
        raise UserError(
            f"The annotation table names studies that are not below {source}: {', '.join(unknown[:5])}.",
            expected="a StudyInstanceUID or folder of a diffusion study that was found.",
            fix="correct the column 'study'; 'uteroseg ingest --dry-run' lists what was found.",
        )


def _require_name(cohort: str) -> None:
    if not cohort.replace("_", "").replace("-", "").isalnum():
        raise UserError(
            f"{cohort!r} cannot name a cohort.",
            expected="letters, digits, - and _ only, such as 'uterine'.",
            fix="correct --cohort.",
        )
