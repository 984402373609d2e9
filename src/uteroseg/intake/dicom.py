"""Scanner files as studies that come in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import Scan, scan_folder
from uteroseg.dicom.studies import FoundStudy, SeriesUse, require_studies
from uteroseg.dicom.t2 import load_t2
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy, Volume
from uteroseg.intake.study import Incoming

if TYPE_CHECKING:
    from uteroseg.annotations.matching import Matches
    from uteroseg.annotations.placement import PlacedAnnotation
    from uteroseg.annotations.regions import Choice
    from uteroseg.annotations.table import Annotation


@dataclass(frozen=True, eq=False, kw_only=True)
class DicomStudy(Incoming):
    """The series of one diffusion acquisition.

    Parameters
    ----------
    found : FoundStudy
    options : ReadOptions
    matched : Annotation or UserError, optional
        Its annotation, or why it cannot be told which it is.
    register : bool
        Undo motion between what was drawn on and the study.
    """

    found: FoundStudy
    options: ReadOptions
    matched: Annotation | UserError | None = None
    register: bool = False

    def load(self) -> DwiStudy:
        """Read its images."""
        return load_study(self.found.used, self.options)

    @property
    def annotation(self) -> Annotation | None:
        """The file that refers to it, or that the table names for it."""
        if isinstance(self.matched, UserError):
            raise self.matched
        return self.matched

    def placed(self, study: DwiStudy) -> PlacedAnnotation | None:
        """Its mask, which must be of the same patient, frame of reference and examination."""
        annotation = self.annotation
        if annotation is None:
            return None
        from uteroseg.annotations.placement import place_annotation

        return place_annotation(
            annotation,
            study,
            found=self.found,
            with_registration=self.register,
            nifti_form=self.form,
        )

    def t2(self, study: DwiStudy, placed: PlacedAnnotation | None) -> tuple[Volume | None, tuple[str, ...]]:
        """What was drawn on, where that is a T2, else the one nearest to the diffusion images."""
        return load_t2(self.found, study.geometry, placed.series if placed else None)

    @cached_property
    def uses(self) -> tuple[SeriesUse, ...]:
        """Which series of its examination are used, and why the others are not."""
        annotation = None if isinstance(self.matched, UserError | None) else self.matched.mask
        return tuple(
            replace(use, used=True, reason="annotation of the tumour")
            if annotation in use.series.files
            else use
            for use in self.found.uses
        )


def find_dicom(
    folder: Path,
    *,
    annotations: Path | None,
    choice: Choice,
    options: ReadOptions,
    register: bool,
) -> tuple[list[DicomStudy], Matches | None, Scan]:
    """Find the diffusion studies below a folder, and the annotation of each.

    Returns
    -------
    studies : list of DicomStudy
    matches : Matches, optional
        Which annotation is whose, where annotations were named.
    scan : Scan
        All that was found.

    Raises
    ------
    UserError
        If there is no diffusion study, or the annotations' path or table is wrong.
    """
    scan = scan_folder(folder)
    found = require_studies(scan, folder)
    matches = None
    if annotations:
        from uteroseg.annotations.matching import match  # scipy, which it needs, takes a tenth of a second

        matches = match(annotations, found, folder, choice)
    several = _several_dates(found)
    births = _births(found)
    places = Counter(one.folder for one in found)
    studies = [
        DicomStudy(
            name=f"{one.folder}, {_numbers(one)}" if places[one.folder] > 1 else str(one.folder),
            kind="virtual" if one.virtual else "dicom",
            patient=one.patient,
            day=one.day,
            one_of_several_days=one.patient in several,
            date=one.date,
            identifier=one.series_uids,
            examination=one.study_uid,
            parts=one.parts,
            notes=(*one.notes, *births.get(one.patient, ())),
            found=one,
            options=options,
            form=options.nifti_form,
            matched=matches.by_study.get(one) if matches else None,
            register=register,
        )
        for one in found
    ]
    return studies, matches, scan


def _several_dates(found: Sequence[FoundStudy]) -> set[str]:
    """Patients who were examined on more than one date."""
    days = defaultdict(set)
    for one in found:
        days[one.patient].add(one.day)
    return {patient for patient, several in days.items() if len(several) > 1}


def _births(found: Sequence[FoundStudy]) -> dict[str, tuple[str]]:
    """What is to be said of patients under whose identifier there are several dates of birth."""
    dates: dict[str, set[str]] = defaultdict(set)
    for one in found:
        dates[one.patient] |= {str(series.headers[0].get("PatientBirthDate") or "") for series in one.dwi} - {
            ""
        }
    several = {patient: len(known) for patient, known in dates.items() if len(known) > 1}
    return {
        patient: (f"its Patient ID goes with {count} dates of birth: are they one patient?",)
        for patient, count in several.items()
    }


def _numbers(found: FoundStudy) -> str:
    return "series " + ", ".join("?" if one.number is None else str(one.number) for one in found.dwi)
