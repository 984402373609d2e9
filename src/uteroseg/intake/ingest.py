"""Scanner files into a dataset."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from uteroseg.annotations.arrive import Arrived, arrive
from uteroseg.annotations.matching import Matches, match
from uteroseg.annotations.regions import Choice
from uteroseg.dataset.identity import Pseudonyms, key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING, REAL, Participant, require_cohort_name
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.visits import Visit
from uteroseg.dicom.assemble import b_value_source, load_study, stack_of
from uteroseg.dicom.choices import Reading
from uteroseg.dicom.scan import Scan, scan_folder
from uteroseg.dicom.studies import FoundStudy, require_studies
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.study import DwiStudy
from uteroseg.intake.linkage import require_outside, write_linkage

Status = Literal["readable", "added", "mask added", "present", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a study that was found.

    Parameters
    ----------
    found : FoundStudy
    status : {"readable", "added", "mask added", "present", "failed"}
    case : CaseId, optional
        None where it failed, or was only looked at.
    b_values : tuple of float
    b_value_source : str
    annotation : Path, optional
        The file that its mask comes from.
    mask_ml, outside_ml : float, optional
        Volume of the annotation on the study's grid, and of what was drawn outside it, mL.
    annotation_source : str
        What it was drawn on.
    registration : mapping, optional
        How the patient was found to have moved between that and the study.
    left_out : tuple of str
        b-values that are not whole and were left out, with the reason.
    error : str
        Why it failed.
    """

    found: FoundStudy
    status: Status
    case: CaseId | None = None
    b_values: tuple[float, ...] = ()
    b_value_source: str = ""
    annotation: Path | None = None
    mask_ml: float | None = None
    outside_ml: float | None = None
    annotation_source: str = ""
    registration: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    error: str = ""


def find(source: Path) -> tuple[tuple[FoundStudy, ...], Scan]:
    """The diffusion studies below a folder, and all that was found there.

    Raises
    ------
    UserError
        If there is no diffusion study.
    """
    scan = scan_folder(source)
    return require_studies(scan, source), scan


def preview(found: FoundStudy, reading: Reading, matches: Matches | None = None) -> Outcome:
    """What would become of a study, from its headers (pixels only where their order must tell b-values)."""
    try:
        stack = stack_of(found.dwi, reading)
        annotation = matches.of(found) if matches else None
    except UserError as error:
        return Outcome(found, "failed", error=str(error))
    return Outcome(
        found,
        "readable",
        b_values=stack.b_values,
        b_value_source=b_value_source(stack),
        annotation=annotation.mask if annotation else None,
        left_out=_left_out(stack.left_out),
    )


def ingest(
    source: Path,
    root: Path,
    *,
    cohort: str,
    annotations: Path | None = None,
    choice: Choice | None = None,
    register: bool = False,
    reading: Reading | None = None,
    link: Path | None = None,
    on_study: Callable[[int, int], None] = lambda done, total: None,
    on_mask: Callable[[CaseId, DwiStudy, Arrived], None] = lambda case, study, arrived: None,
    on_unused: Callable[[UserError], None] = lambda error: None,
) -> list[Outcome]:
    """Add every diffusion study below a folder to a dataset; one bad study never stops the others.

    A study that is there already is left as it is; if it has no mask and there is an annotation, it gets it.
    Where no study can enter a new dataset, none is made.

    Parameters
    ----------
    source : Path
    root : Path
        A dataset, or a new or empty folder.
    cohort : str
        Of the patients found.
    annotations : Path, optional
        A table ``study,mask,label``; or a file or folder of DICOM SEG and RTSTRUCT, which say themselves
        which study they belong to. Masks on another grid are moved to the study's.
    choice : Choice, optional
        Which region of an annotation is the tumour, unless the table says it.
    register : bool
        Find how the patient moved between the series that was drawn on and the study.
    reading : Reading, optional
        How studies are read, where their files leave a choice.
    link : Path, optional
        A table outside the dataset that is to tell which case is which patient and study.
    on_study : callable
        Told how many studies are done, and how many there are.
    on_mask : callable
        Given each case that got a mask, with its study and how the mask came about.
    on_unused : callable
        Told why an annotation file belongs to no study.

    Raises
    ------
    UserError
        If there is nothing to ingest, the folder holds something else, or the table is wrong; before anything
        is written.
    """
    require_cohort_name(cohort)
    if link:
        require_outside(link, root)
    studies, _ = find(source)
    matches = match(annotations, studies, source, choice or Choice()) if annotations else Matches({})
    new = [path for path in (root, key_file(root)) if not path.exists()]
    dataset = Dataset.open_or_create(root)
    has_real_patients = any(p.source in REAL for p in dataset.participants.values())
    pseudonyms = Pseudonyms.for_dataset(root, is_new=not has_real_patients)
    intake = _Intake(
        dataset, cohort, pseudonyms, matches, register, reading or Reading(), _several_dates(studies), on_mask
    )
    outcomes = []
    for number, found in enumerate(studies, start=1):
        try:
            outcomes.append(intake.take(found))
        except UserError as error:
            outcomes.append(Outcome(found, "failed", error=str(error)))
        on_study(number, len(studies))
    for reason in matches.unused:
        on_unused(reason)
    if root in new and not dataset.cases():
        _remove(new)
    if link:
        write_linkage(link, [(outcome.case, outcome.found) for outcome in outcomes if outcome.case])
    return outcomes


def _several_dates(studies: Sequence[FoundStudy]) -> frozenset[str]:
    """Patients who were examined on more than one date."""
    dates: dict[str, set[str]] = defaultdict(set)
    for found in studies:
        dates[found.patient].add(found.day)
    return frozenset(patient for patient, days in dates.items() if len(days) > 1)


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
    matches: Matches
    register: bool
    reading: Reading
    several_dates: frozenset[str]
    on_mask: Callable[[CaseId, DwiStudy, Arrived], None]

    def take(self, found: FoundStudy) -> Outcome:
        key = self.pseudonyms.of(found.series_uids)
        annotation = self.matches.of(found)
        present = self.dataset.find(key)
        if present and (annotation is None or self.dataset.has_mask(present)):
            return Outcome(found, "present", present)
        study = self.dataset.load_study(present) if present else load_study(found.used, self.reading)
        arrived = arrive(annotation, found, study, with_registration=self.register) if annotation else None
        mask, sidecar = (arrived.mask, arrived.sidecar) if arrived else (None, {})
        if present and mask:
            self.dataset.add_mask(present, mask, sidecar)
        participant = Participant(
            participant_id="",
            cohort=self.cohort,
            source="dicom",
            source_key=self.pseudonyms.of(found.patient),
        )
        new = NewCase(
            study,
            participant,
            key,
            mask,
            sidecar,
            examination_key=self.pseudonyms.of(found.study_uid),
            visit=self._visit(found),
            with_adc=True,
        )
        case = present or self.dataset.add(new)
        if arrived:
            self.on_mask(case, study, arrived)
        return Outcome(
            found=found,
            status="mask added" if present else "added",
            case=case,
            b_values=study.b_values,
            b_value_source=str(study.acquisition.get("b_value_source")),
            annotation=annotation.mask if annotation else None,
            mask_ml=volume_ml(mask) if mask else None,
            outside_ml=arrived.outside_ml if arrived else None,
            annotation_source=arrived.source if arrived else "",
            registration=arrived.registration if arrived else None,
            left_out=_left_out(study.acquisition.get("b_values_left_out", {})),
        )

    def _visit(self, found: FoundStudy) -> Visit:
        return Visit(
            key=self.pseudonyms.of(f"{found.patient} {found.day}"),
            date=str(self.pseudonyms.shifted(found.date, found.patient) or MISSING),
            one_of_several=found.patient in self.several_dates,
        )


def _left_out(reasons: Mapping[float, str] | Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"b {float(b):g}: {reason}" for b, reason in reasons.items())
