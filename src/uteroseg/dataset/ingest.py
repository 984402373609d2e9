"""Scanner files into a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uteroseg.dataset.annotations import Annotation, annotation_of, read_annotations
from uteroseg.dataset.identity import Pseudonyms
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


@dataclass
class IngestReport:
    """What became of the studies that were found.

    Parameters
    ----------
    added : list of (FoundStudy, CaseId, DwiStudy's b-values, mask volume in mL or None)
    present : list of (FoundStudy, CaseId)
        In the dataset already.
    failed : list of (FoundStudy, str)
        With the error.
    """

    added: list[Added] = field(default_factory=list)
    present: list[tuple[FoundStudy, CaseId]] = field(default_factory=list)
    failed: list[tuple[FoundStudy, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Added:
    """A study that entered the dataset."""

    found: FoundStudy
    case: CaseId
    b_values: tuple[float, ...]
    b_value_source: str
    mask_ml: float | None


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
    on_study: Callable[[int, int], None] = lambda done, total: None,
) -> IngestReport:
    """Add every diffusion study below a folder to a dataset; one bad study never stops the others.

    Parameters
    ----------
    source : Path
    root : Path
        A dataset, or a new or empty folder.
    cohort : str
        Of the patients found.
    annotations : Path, optional
        A table ``study,mask,label``; masks on another grid are moved to the study's.
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
    dataset = Dataset.open_or_create(root)
    pseudonyms = Pseudonyms.for_dataset(root, is_new=not dataset.cases())
    report = IngestReport()
    for number, found in enumerate(studies, start=1):
        key = pseudonyms.of(" ".join(sorted(series.series_uid for series in found.dwi)))
        if case := dataset.find(key):
            report.present.append((found, case))
        else:
            try:
                report.added.append(_add(dataset, found, key, pseudonyms, cohort, rows, source))
            except UserError as error:
                report.failed.append((found, str(error)))
        on_study(number, len(studies))
    return report


def _add(
    dataset: Dataset,
    found: FoundStudy,
    key: str,
    pseudonyms: Pseudonyms,
    cohort: str,
    rows: Sequence[Annotation],
    source: Path,
) -> Added:
    study = load_study(found.used)
    annotation = annotation_of(found, rows, source)
    mask, sidecar = _mask_for(study, annotation) if annotation else (None, {})
    participant = Participant(
        participant_id="",
        cohort=cohort,
        source="dicom",
        source_key=pseudonyms.of(found.patient_id or found.study_uid),
    )
    case = dataset.add(NewCase(study, participant, key, mask, sidecar))
    return Added(
        found=found,
        case=case,
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
