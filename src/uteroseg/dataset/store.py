"""A dataset on disk: open it, read its cases, add cases to it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from uteroseg.dataset.layout import ADC, CaseId
from uteroseg.dataset.participants import (
    FROM_A_TABLE,
    MISSING,
    Participant,
    read_participants,
    removed_participants,
    require_clinical,
    updated,
    write_participants,
)
from uteroseg.dataset.skeleton import create_empty, describe_columns, describe_derivative, made_by_uteroseg
from uteroseg.dataset.study_files import (
    move_files,
    read_study,
    write_adc_files,
    write_mask_files,
    write_readers_masks,
    write_study,
    write_volume,
)
from uteroseg.dataset.versions import keep_version, version_fields
from uteroseg.dataset.visits import Visit, enter_session, session_of
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import read_geometry, read_image, read_mask
from uteroseg.imaging.study import DwiStudy, Mask, Volume


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
    t2 : Volume, optional
        The examination's T2, on its own grid.
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
    t2: Volume | None = None


class Dataset:
    """A BIDS dataset of diffusion studies.

    Parameters
    ----------
    root : Path
    participants : dict of Participant by id
    write : bool
        Whether what is added is written. Otherwise it is kept in mind: what is added next finds it there, and
        gets the names and the errors that it would get.
    """

    def __init__(self, root: Path, participants: dict[str, Participant], *, write: bool = True) -> None:
        self.root = root
        self.participants = participants
        self._write = write
        self._unwritten: dict[Path, Any] = {}
        """Files that would have been written → their masks' versions, grids and sidecars."""
        self._keys: dict[str, CaseId] | None = None

    def __repr__(self) -> str:
        listed = ", ".join(f"{number} {name}" for name, number in self.cohorts().items()) or "no"
        return f"Dataset({self.root}: {listed} patients)"

    @classmethod
    def open(cls, root: str | Path) -> Dataset:
        """Open a dataset to read.

        Raises
        ------
        UserError
            If the folder is not a BIDS dataset with participants.
        """
        root = Path(root)
        for name in ("dataset_description.json", "participants.tsv"):
            if not (root / name).is_file():
                raise UserError(
                    f"{root} is not a dataset: it has no {name}.",
                    expected="a BIDS folder with dataset_description.json and participants.tsv.",
                    fix="make one with 'uteroseg ingest' or 'uteroseg simulate'.",
                )
        return cls(root, read_participants(root / "participants.tsv"))

    @classmethod
    def open_or_create(cls, root: Path, *, write: bool = True) -> Dataset:
        """Open a uteroseg dataset to append to; a new or empty folder becomes one.

        Parameters
        ----------
        root : Path
        write : bool
            False for a run that only looks: nothing is made or written.

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
            return cls(root, cls.open(root).participants, write=write)
        if write:
            create_empty(root)
        return cls(root, {}, write=write)

    def cohorts(self) -> dict[str, int]:
        """Its cohorts, by name, and the number of patients in each."""
        return dict(sorted(Counter(person.cohort for person in self.participants.values()).items()))

    def cases(self, cohort: str | None = None, split: str | None = None) -> list[CaseId]:
        """The cases of a cohort and split (by default all), in the order of their names.

        Raises
        ------
        UserError
            If the dataset has no such cohort.
        """
        known = self.cohorts()
        if cohort is not None and cohort not in known:
            raise UserError(
                f"{self.root} has no cohort {cohort!r}.",
                expected=f"one of its cohorts: {', '.join(known) or 'it has none yet'}.",
                fix="correct the name, or add the cohort with 'ingest' or 'simulate'.",
            )
        wanted = [
            p.participant_id
            for p in self.participants.values()
            if cohort in (None, p.cohort) and split in (None, p.split)
        ]
        return sorted((case for participant in wanted for case in self.cases_of(participant)), key=str)

    def cases_of(self, participant: str) -> list[CaseId]:
        """The cases of a participant, in no order."""
        written = [image.name for image in (self.root / participant).glob("**/dwi/*_dwi.nii.gz")]
        unwritten = [file.name for file in self._unwritten if file.parts[0] == participant]
        names = [name for name in (*written, *unwritten) if name.endswith("_dwi.nii.gz")]
        return [CaseId.parse(name.removesuffix("_dwi.nii.gz")) for name in names]

    def annotated_cases(self, cohort: str, split: str) -> list[CaseId]:
        """The cases of a cohort and split that have an annotation.

        Raises
        ------
        UserError
            If there is none.
        """
        cases = self.cases(cohort, split)
        if not cases:
            raise UserError(
                f"{self.root} has no {split} cases in the cohort {cohort!r}.",
                expected=f"at least one patient of {cohort!r} in the {split} split.",
                fix="assign splits with 'uteroseg split', or add cases.",
            )
        annotated = [case for case in cases if self.has_mask(case)]
        if not annotated:
            raise UserError(
                self.annotated_in_words(cohort, split),
                expected=f"at least one mask, such as {cases[0].annotation('nii.gz')}.",
                fix="ingest them with annotations, or draw masks with 'uteroseg review'.",
            )
        return annotated

    def annotated_in_words(self, cohort: str, split: str) -> str:
        """How many cases of a cohort and split have a mask; empty where all have."""
        cases = self.cases(cohort, split)
        annotated = sum(map(self.has_mask, cases))
        return f"{annotated} of {len(cases)} {cohort} {split} cases are annotated." * (annotated < len(cases))

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

    def load_t2(self, case: CaseId) -> Volume:
        """Read the T2 of a case's examination.

        Raises
        ------
        UserError
            If there is none, or it cannot be read.
        """
        path, sidecar = self.root / case.t2w("nii.gz"), self.root / case.t2w("json")
        return Volume(*read_image(path), read_json(sidecar) if sidecar.is_file() else {})

    def grid(self, case: CaseId) -> Geometry:
        """Where a case's images lie, without reading them; raises UserError where that cannot be read."""
        image = case.dwi("nii.gz")
        return self._unwritten[image] if image in self._unwritten else read_geometry(self.root / image)

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
        return self._has(case.annotation("nii.gz"))

    def has_t2(self, case: CaseId) -> bool:
        """Whether the T2 of a case's examination is there."""
        return self._has(case.t2w("nii.gz"))

    def same_mask(self, case: CaseId, mask: Mask) -> bool:
        """Whether a case's annotation has exactly these voxels; raises UserError where it cannot be read."""
        path = case.annotation("nii.gz")
        if path in self._unwritten:
            return bool(self._unwritten[path] == version_fields(mask, None))
        there = self.load_mask(case)
        return there.geometry.difference(mask.geometry) is None and np.array_equal(there.data, mask.data)

    def find(self, study_key: str) -> CaseId | None:
        """The case that a study is in the dataset as, or None."""
        return self._study_keys().get(study_key)

    def find_participant(self, source_key: str) -> Participant | None:
        """The participant that a patient is in the dataset as, or None."""
        people = self.participants.values()
        return next((person for person in people if person.source_key == source_key != MISSING), None)

    @property
    def needs_key(self) -> bool:
        """Whether somebody is in it who is recognised by the key beside the dataset."""
        return any(person.has_keyed_source for person in self.participants.values())

    def assign_splits(self, *, test: float, seed: int, stratify: str | None = None) -> int:
        """Assign patients to train and test; as `uteroseg.dataset.split.assign_splits`."""
        from uteroseg.dataset.split import assign_splits

        return assign_splits(self, test=test, seed=seed, stratify=stratify)

    def add(self, new: NewCase) -> CaseId:
        """Write a case: all of its files, or none that a reader would take for a case.

        The participant's row comes first and the image last, so a killed run leaves at most a participant
        without a case, which the same command completes.

        Raises
        ------
        UserError
            If a mask lies on another grid, the patient is in another cohort, or ADC cannot be computed.
        """
        for mask in (*([new.mask] if new.mask else []), *new.readers.values()):
            _require_same_grid(mask, new.study.geometry)
        require_clinical(new.participant.others)
        participant = self._participant_for(new.participant)
        case = self._free_case(participant.participant_id, new.visit)
        if self._write:
            self._write_case(case, participant, new)
        else:
            self._keep_in_mind(case, new)
        self.participants.setdefault(participant.participant_id, participant)
        if self._keys is not None:
            self._keys[new.study_key] = case
        return case

    def add_mask(
        self, case: CaseId, mask: Mask, sidecar: Mapping[str, Any], *, reader: str | None = None
    ) -> None:
        """Write the annotation of a case that has none, or of one more reader, whole or not at all.

        Raises
        ------
        UserError
            If there is one already, or the mask lies on another grid.
        """
        image = case.readers_annotation(reader) if reader else case.annotation("nii.gz")
        if self._has(image):
            raise UserError(
                f"{case} has the annotation {image} already.",
                expected="a case without one.",
                fix="say that it is to be replaced; the one that is there is kept as a version.",
            )
        self.replace_mask(case, mask, sidecar, reader=reader)

    def replace_mask(
        self, case: CaseId, mask: Mask, sidecar: Mapping[str, Any], *, reader: str | None = None
    ) -> None:
        """Write an annotation in the place of the one that is there, which becomes an earlier version.

        A kill at any point leaves the old one or the new one, and the old one is never lost.

        Raises
        ------
        UserError
            If the mask lies on another grid.
        """
        _require_same_grid(mask, self.grid(case))
        image = case.readers_annotation(reader) if reader else case.annotation("nii.gz")
        if not self._write:
            self._unwritten[image] = version_fields(mask, None)
            return
        there = self.root / image
        parent = keep_version(there, self.root / case.history) if there.is_file() else None
        with self._staged(last=image) as stage:
            write_mask_files(stage / image, mask, sidecar, parent=parent)

    def update_participant(self, participant: str, found: Mapping[str, str]) -> None:
        """Enter what another table tells of a participant: column → value.

        Raises
        ------
        UserError
            If a value differs from the one that is there, or a column may not enter; nothing is changed then.
        """
        known = self.participants[participant]
        self.participants[participant] = told = updated(known, found)
        if told != known:
            self.save_participants()
            self._describe(told)

    def save_participants(self) -> None:
        """Write ``participants.tsv``."""
        if self._write:
            write_participants(self.root / "participants.tsv", self.participants.values())

    def sidecar(self, case: CaseId) -> Mapping[str, Any]:
        """What is written beside a case's images: scanner fields, keyed hashes; empty where nothing is."""
        file = case.dwi("json")
        if file in self._unwritten:
            return self._unwritten[file]  # type: ignore[no-any-return]
        return read_json(self.root / file) if (self.root / file).is_file() else {}

    def _write_case(self, case: CaseId, participant: Participant, new: NewCase) -> None:
        image = case.dwi("nii.gz")
        with self._staged(last=image) as stage:
            if new.mask is not None:
                write_mask_files(stage / case.annotation("nii.gz"), new.mask, new.annotation)
            write_readers_masks(stage, case, new.readers, new.annotation)
            if new.with_adc:
                describe_derivative(stage / ADC, "ADC maps")
                write_adc_files(stage / case.adc("nii.gz"), stage / case.adc_residual, new.study)
            if new.t2 is not None:
                write_volume(stage / case.t2w("nii.gz"), new.t2)
            scanner_adc = stage / case.scanner_adc
            write_study(stage / image, new.study, scanner_adc=scanner_adc, sidecar=_keys_of(new))
            if case.session and new.visit:
                enter_session(self.root / case.sessions, case.session, new.visit)
            if participant.participant_id not in self.participants:
                self.participants[participant.participant_id] = participant
                self.save_participants()
                self._describe(participant)

    def _keep_in_mind(self, case: CaseId, new: NewCase) -> None:
        """What would have been written of a case, as far as what comes next must know it."""
        if new.with_adc:
            new.study.fit()  # which refuses what writing the map would refuse
        readers = {case.readers_annotation(reader): mask for reader, mask in new.readers.items()}
        masks = {**readers, **({case.annotation("nii.gz"): new.mask} if new.mask else {})}
        self._unwritten |= {path: version_fields(mask, None) for path, mask in masks.items()}
        self._unwritten |= {case.t2w("nii.gz"): None} if new.t2 else {}
        self._unwritten |= {case.dwi("json"): _keys_of(new), case.dwi("nii.gz"): new.study.geometry}

    @contextmanager
    def _staged(self, *, last: Path) -> Iterator[Path]:
        """A folder to fill, the files of which then move to their places, the one that counts last."""
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".incoming") as stage:
            yield Path(stage)
            move_files(Path(stage), self.root, last=last)

    def _has(self, file: Path) -> bool:
        return file in self._unwritten or (self.root / file).is_file()

    def _describe(self, participant: Participant) -> None:
        """Say in ``participants.json`` what columns of others are."""
        if self._write and participant.others:
            describe_columns(self.root, dict.fromkeys(participant.others, FROM_A_TABLE))

    def _study_keys(self) -> dict[str, CaseId]:
        if self._keys is None:
            self._keys = {}
            for case in self.cases():
                if key := self.sidecar(case).get("source_key"):
                    self._keys[str(key)] = case
        return self._keys

    def _participant_for(self, wanted: Participant) -> Participant:
        """The known participant with this source key, else the next free id."""
        known = self.find_participant(wanted.source_key)
        if known is None:
            taken = (*self.participants, *removed_participants(self.root))
            numbers = [int(m[1]) for name in taken if (m := re.fullmatch(r"sub-(\d+)", name))]
            return replace(wanted, participant_id=f"sub-{max(numbers, default=0) + 1:04d}")
        if known.cohort != wanted.cohort:
            raise UserError(
                f"{known.participant_id} is in the cohort {known.cohort!r} already, "
                f"and is to enter {wanted.cohort!r}.",
                expected="every patient in one cohort.",
                fix="name that cohort, move the patient with 'uteroseg cohort move', or use another dataset.",
            )
        return known

    def _free_case(self, participant: str, visit: Visit | None) -> CaseId:
        """A name that is not taken: with a session for each further date, an acquisition within one date."""
        taken, number = set(self.cases_of(participant)), 2
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


def _require_same_grid(mask: Mask, grid: Geometry) -> None:
    mask.geometry.require_same(grid, what="mask and study", fix="move the mask to the study's grid first.")
