"""Take studies from files of other programs into a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from uteroseg.dataset.identity import Pseudonyms
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING, REAL, Participant, require_cohort_name
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.visits import Visit
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.study import DwiStudy
from uteroseg.intake.ingest import Status
from uteroseg.intake.study import FileStudy


@dataclass(frozen=True)
class Taken:
    """What became of a study.

    Parameters
    ----------
    found : FileStudy
    status : {"readable", "added", "mask added", "present", "failed"}
    case : CaseId, optional
        None where it failed, or was only looked at.
    b_values : tuple of float
    mask_ml : float, optional
        Volume of the annotation, mL.
    error : str
        Why it failed.
    """

    found: FileStudy
    status: Status
    case: CaseId | None = None
    b_values: tuple[float, ...] = ()
    mask_ml: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Origin:
    """Where studies come from.

    Parameters
    ----------
    kind : str
        For the column ``source`` of participants.tsv.
    name : str
        Of the folder; patients of the same name in another folder are others.
    cohort : str
    """

    kind: str
    name: str
    cohort: str


def take_studies(
    studies: Sequence[FileStudy],
    root: Path,
    origin: Origin,
    *,
    adc_b_min: float = 0.0,
    only_look: bool = False,
    on_study: Callable[[int, int], None] = lambda done, total: None,
) -> list[Taken]:
    """Add studies to a dataset; one bad study never stops the others.

    A study that is there already, by its voxels, is left as it is; if it has no mask and the files have one,
    it gets it. A dataset is made with the first study that can be read.

    Parameters
    ----------
    studies : sequence of FileStudy
    root : Path
        A dataset, or a new or empty folder.
    origin : Origin
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit.
    only_look : bool
        Read everything, write nothing.
    on_study : callable
        Told how many studies are done, and how many there are.

    Raises
    ------
    UserError
        If the folder holds something else, its key is gone, or the cohort's name is none; before anything is
        written.
    """
    require_cohort_name(origin.cohort)
    intake = _Intake(root, origin, adc_b_min, only_look)
    if root.exists() and any(root.iterdir()) and not only_look:
        intake.open()
    taken = []
    for number, found in enumerate(studies, start=1):
        try:
            taken.append(intake.take(found))
        except UserError as error:
            taken.append(Taken(found, "failed", error=str(error)))
        on_study(number, len(studies))
    return taken


class _Intake:
    """Takes studies into a dataset, which is opened or made when the first one is there."""

    def __init__(self, root: Path, origin: Origin, adc_b_min: float, only_look: bool) -> None:
        self._root, self._origin = root, origin
        self._adc_b_min, self._only_look = adc_b_min, only_look
        self._opened: tuple[Dataset, Pseudonyms] | None = None

    def open(self) -> tuple[Dataset, Pseudonyms]:
        """The dataset and its pseudonyms."""
        if self._opened is None:
            dataset = Dataset.open_or_create(self._root)
            is_new = not any(person.source in REAL for person in dataset.participants.values())
            self._opened = dataset, Pseudonyms.for_dataset(self._root, is_new=is_new)
        return self._opened

    def take(self, found: FileStudy) -> Taken:
        study = replace(found.load(), adc_b_min=self._adc_b_min)
        study.fit()  # refuses what no command could use
        mask, sidecar = found.load_mask(study) if found.load_mask else (None, {})
        ml = volume_ml(mask) if mask else None
        if self._only_look:
            return Taken(found, "readable", None, study.b_values, ml)
        dataset, pseudonyms = self.open()
        key = pseudonyms.of(_content(study))
        present = dataset.find(key)
        if present and (mask is None or dataset.has_mask(present)):
            return Taken(found, "present", present)
        if present and mask:
            dataset.add_mask(present, mask, sidecar)
            return Taken(found, "mask added", present, study.b_values, ml)
        patient = f"{self._origin.name} {found.patient}"
        participant = Participant(
            "",
            self._origin.cohort,
            split=found.split,
            source=self._origin.kind,
            source_key=pseudonyms.of(patient),
        )
        _require_same_split(dataset, participant)
        visit = Visit(pseudonyms.of(f"{patient} {found.session}"), MISSING, one_of_several=True)
        new = NewCase(
            study,
            participant,
            key,
            mask,
            sidecar,
            visit=visit if found.session else None,
            with_adc=True,
        )
        return Taken(found, "added", dataset.add(new), study.b_values, ml)


def _content(study: DwiStudy) -> str:
    """Tells a study by its voxels, however its files are called or packed."""
    digest = hashlib.sha256(np.ascontiguousarray(study.signal, np.float32).tobytes())
    digest.update(np.asarray(study.b_values, np.float64).tobytes())
    return digest.hexdigest()


def _require_same_split(dataset: Dataset, new: Participant) -> None:
    for known in dataset.participants.values():
        if known.source_key == new.source_key and new.split not in (MISSING, known.split):
            raise UserError(
                f"This is a {new.split} case of {known.participant_id}, who is in {known.split} already.",
                expected="every patient in one split.",
                fix="move the case to the patient's other cases in the source, or leave it out.",
            )
