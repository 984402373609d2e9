"""A dataset on disk: open it, read its cases, add cases to it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from uteroseg.dataset.layout import ADC, CaseId
from uteroseg.dataset.participants import Participant, read_participants, write_participants
from uteroseg.dataset.skeleton import create_empty, describe_derivative, made_by_uteroseg
from uteroseg.dataset.study_files import (
    move_files,
    read_study,
    write_adc_files,
    write_mask_files,
    write_readers_masks,
    write_study,
)
from uteroseg.dataset.visits import Visit, enter_session, session_of
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.nifti import read_mask
from uteroseg.imaging.study import DwiStudy, Mask


@dataclass(frozen=True)
class NewCase:
    """What enters a dataset.

    Parameters
    ----------
    study : DwiStudy
    participant : Participant
        Its ``participant_id`` is left to the dataset; its ``source_key`` tells whether the patient is known.
    study_key : str
        Tells whether the study is known.
    mask : Mask, optional
        The tumour on the study's grid.
    annotation : mapping
        Fields of the mask's sidecar (``reader``, ``tool``, ``annotation_source``).
    readers : mapping
        Masks of further readers by their names, which stand beside the truth.
    examination_key : str
        Tells the examination (DICOM study) that the study belongs to.
    visit : Visit, optional
        When it was taken, for patients who came more than once.
    with_adc : bool
        Write our ADC map too.
    """

    study: DwiStudy
    participant: Participant
    study_key: str
    mask: Mask | None = None
    annotation: Mapping[str, Any] = field(default_factory=dict)
    readers: Mapping[str, Mask] = field(default_factory=dict)
    examination_key: str = ""
    visit: Visit | None = None
    with_adc: bool = False


class Dataset:
    """A BIDS dataset of diffusion studies.

    Parameters
    ----------
    root : Path
    participants : dict of Participant by id
    """

    def __init__(self, root: Path, participants: dict[str, Participant]) -> None:
        self.root = root
        self.participants = participants

    @classmethod
    def open(cls, root: Path) -> Dataset:
        """Open a dataset to read.

        Raises
        ------
        UserError
            If the folder is not a BIDS dataset with participants.
        """
        for name in ("dataset_description.json", "participants.tsv"):
            if not (root / name).is_file():
                raise UserError(
                    f"{root} is not a dataset: it has no {name}.",
                    expected="a BIDS folder with dataset_description.json and participants.tsv.",
                    fix="make one with 'uteroseg ingest' or 'uteroseg simulate'.",
                )
        return cls(root, read_participants(root / "participants.tsv"))

    @classmethod
    def open_or_create(cls, root: Path) -> Dataset:
        """Open a uteroseg dataset to append to; a new or empty folder becomes one.

        Raises
        ------
        UserError
            If the folder holds anything else.
        """
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            if not made_by_uteroseg(root):
                raise UserError(
                    f"{root} holds something that is not a uteroseg dataset.",
                    expected="a uteroseg dataset to append to, or a new or empty folder.",
                    fix="choose another folder.",
                )
            return cls.open(root)
        create_empty(root)
        return cls(root, {})

    def cases(self, cohort: str | None = None, split: str | None = None) -> list[CaseId]:
        """The cases of a cohort and split (by default all), in the order of their names.

        Raises
        ------
        UserError
            If the dataset has no such cohort.
        """
        known = {p.cohort for p in self.participants.values()}
        if cohort is not None and cohort not in known:
            raise UserError(
                f"{self.root} has no cohort {cohort!r}.",
                expected=f"one of its cohorts: {', '.join(sorted(known)) or 'it has none yet'}.",
                fix="correct the name, or add the cohort with 'ingest' or 'simulate'.",
            )
        wanted = [
            p.participant_id
            for p in self.participants.values()
            if cohort in (None, p.cohort) and split in (None, p.split)
        ]
        return sorted((case for participant in wanted for case in self._cases_of(participant)), key=str)

    def annotated_cases(self, cohort: str, split: str) -> list[CaseId]:
        """The cases of a cohort and split, each of which has an annotation.

        Raises
        ------
        UserError
            If there is no case, or a case has no annotation.
        """
        cases = self.cases(cohort, split)
        if not cases:
            raise UserError(
                f"{self.root} has no {split} cases in the cohort {cohort!r}.",
                expected=f"at least one patient of {cohort!r} in the {split} split.",
                fix="assign splits with 'uteroseg split', or add cases.",
            )
        bare = [str(case) for case in cases if not self.has_mask(case)]
        if bare:
            raise UserError(
                f"{len(bare)} of {len(cases)} {cohort} {split} cases have no mask: {', '.join(bare[:5])}"
                f"{' …' if len(bare) > 5 else '.'}",
                expected=f"a mask for every case, such as {CaseId.parse(bare[0]).annotation('nii.gz')}.",
                fix="ingest them with --annotations, or take these patients out of the split.",
            )
        return cases

    def participant(self, case: CaseId) -> Participant:
        """The participant that a case belongs to."""
        return self.participants[case.participant]

    def load_study(self, case: CaseId) -> DwiStudy:
        """Read a case's images.

        Raises
        ------
        UserError
            If a file is missing, broken or does not fit the others.
        """
        return read_study(self.root / case.dwi("nii.gz"), scanner_adc=self.root / case.scanner_adc)

    def load_mask(self, case: CaseId) -> Mask:
        """Read a case's annotation.

        Raises
        ------
        UserError
            If there is none, or it is not a mask.
        """
        return read_mask(self.root / case.annotation("nii.gz"))

    def fingerprint(self) -> str:
        """SHA-256 of who is in the dataset, in which split, with which studies and masks."""
        digest = hashlib.sha256((self.root / "participants.tsv").read_bytes())
        for case in self.cases():
            digest.update(str(case).encode())
            for file in (case.dwi("json"), case.dwi("bval"), case.annotation("nii.gz")):
                path = self.root / file
                digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()

    def has_mask(self, case: CaseId) -> bool:
        """Whether a case is annotated."""
        return (self.root / case.annotation("nii.gz")).is_file()

    def find(self, study_key: str) -> CaseId | None:
        """The case that a study is in the dataset as, or None."""
        return self._study_keys().get(study_key)

    def add(self, new: NewCase) -> CaseId:
        """Write a case: all of its files, or none that a reader would take for a case.

        The participant's row comes first and the image last, so a killed run leaves at most a participant
        without a case, which the same command completes.
        """
        for mask in (*([new.mask] if new.mask else []), *new.readers.values()):
            _require_same_grid(mask, new.study)
        participant = self._participant_for(new.participant)
        case = self._free_case(participant.participant_id, new.visit)
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".incoming") as stage:
            if new.mask is not None:
                write_mask_files(Path(stage) / case.annotation("nii.gz"), new.mask, new.annotation)
            write_readers_masks(Path(stage), case, new.readers, new.annotation)
            if new.with_adc:
                describe_derivative(Path(stage) / ADC, "ADC maps")
                adc, residual = (Path(stage) / path for path in (case.adc("nii.gz"), case.adc_residual))
                write_adc_files(adc, residual, new.study)
            write_study(
                Path(stage) / case.dwi("nii.gz"),
                new.study,
                scanner_adc=Path(stage) / case.scanner_adc,
                sidecar=_keys_of(new),
            )
            if case.session and new.visit:
                enter_session(self.root / case.sessions, case.session, new.visit)
            if participant.participant_id not in self.participants:
                self.participants[participant.participant_id] = participant
                self.save_participants()
            move_files(Path(stage), self.root, last=case.dwi("nii.gz"))
        if self._keys is not None:
            self._keys[new.study_key] = case
        return case

    def add_mask(
        self, case: CaseId, mask: Mask, sidecar: Mapping[str, Any], *, reader: str | None = None
    ) -> None:
        """Write the annotation of a case that has none, or of one more reader, whole or not at all."""
        _require_same_grid(mask, self.load_study(case))
        image = case.readers_annotation(reader) if reader else case.annotation("nii.gz")
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".incoming") as stage:
            write_mask_files(Path(stage) / image, mask, sidecar)
            move_files(Path(stage), self.root, last=image)

    def save_participants(self) -> None:
        """Write ``participants.tsv``."""
        write_participants(self.root / "participants.tsv", self.participants.values())

    _keys: dict[str, CaseId] | None = None

    def _study_keys(self) -> dict[str, CaseId]:
        if self._keys is None:
            self._keys = {}
            for case in self.cases():
                if key := self.sidecar(case).get("source_key"):
                    self._keys[str(key)] = case
        return self._keys

    def sidecar(self, case: CaseId) -> Mapping[str, Any]:
        """What is written beside a case's images: scanner fields, keyed hashes; empty where nothing is."""
        path = self.root / case.dwi("json")
        return read_json(path) if path.is_file() else {}

    def _cases_of(self, participant: str) -> list[CaseId]:
        images = (self.root / participant).glob("**/dwi/*_dwi.nii.gz")
        return [CaseId.parse(image.name.removesuffix("_dwi.nii.gz")) for image in images]

    def _participant_for(self, wanted: Participant) -> Participant:
        """The known participant with this source key, else the next free id."""
        for known in self.participants.values():
            if known.source_key == wanted.source_key:
                if known.cohort != wanted.cohort:
                    raise UserError(
                        f"{known.participant_id} is in the cohort {known.cohort!r} already, "
                        f"and is to enter {wanted.cohort!r}.",
                        expected="every patient in one cohort.",
                        fix="use another dataset, or correct --cohort.",
                    )
                return known
        numbers = [int(m[1]) for p in self.participants if (m := re.fullmatch(r"sub-(\d+)", p))]
        return replace(wanted, participant_id=f"sub-{max(numbers, default=0) + 1:04d}")

    def _free_case(self, participant: str, visit: Visit | None) -> CaseId:
        """A name that is not taken: with a session for each further date, an acquisition within one date."""
        taken, number = set(self._cases_of(participant)), 2
        known = {self.sidecar(case).get("visit_key", ""): case.session for case in taken}
        session = session_of(visit, known) if visit else None
        free = CaseId(participant, session)
        while free in taken:
            free = CaseId(participant, session, f"acq-{number}")
            number += 1
        return free


def _keys_of(new: NewCase) -> dict[str, str]:
    keys = {"source_key": new.study_key, "examination_key": new.examination_key}
    keys["visit_key"] = new.visit.key if new.visit else ""
    return {name: key for name, key in keys.items() if key}


def _require_same_grid(mask: Mask, study: DwiStudy) -> None:
    mask.geometry.require_same(
        study.geometry, what="mask and study", fix="move the mask to the study's grid first."
    )
