"""The two cohorts of an experiment: made where they are virtual, and checked before anything is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING
from uteroseg.dataset.split import assign_splits
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.experiment.config import CohortConfig, ExperimentConfig
from uteroseg.phantom.cohort import simulate_cohort

Role = Literal["source", "target"]
ROLES: tuple[Role, Role] = ("source", "target")

OnProgress = Callable[[str, int, int, str], None]
"""Told what is being done, how much of it is done, how much there is, and a note."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort of an experiment.

    Parameters
    ----------
    dataset : Dataset
    name : str
    train, test : list of CaseId
        With a mask each.
    unannotated : list of CaseId
        Of the target, those to train on that have no mask.
    """

    dataset: Dataset
    name: str
    train: list[CaseId]
    test: list[CaseId]
    unannotated: list[CaseId] = field(default_factory=list)

    @property
    def patients(self) -> int:
        """How many there are to train on with a mask."""
        return len({case.participant for case in self.train})

    @property
    def virtual(self) -> bool:
        """Whether any patient is virtual."""
        return any(self.dataset.participant(case).source == "virtual" for case in (*self.train, *self.test))


def dataset_folder(config: CohortConfig, directory: Path) -> Path:
    """Where a cohort's dataset lies."""
    return config.dataset or directory / "dataset"


def open_cohorts(config: ExperimentConfig, directory: Path) -> dict[Role, Cohort]:
    """Open both cohorts, which must have been made.

    Raises
    ------
    UserError
        If a dataset or cohort is not there, or has no annotated case to train or to test on.
    """
    found = {}
    for role in ROLES:
        own: CohortConfig = getattr(config, role)
        try:
            dataset = Dataset.open(dataset_folder(own, directory))
            train, test = (dataset.annotated_cases(own.cohort, split) for split in ("train", "test"))
        except UserError as error:
            where = config.where(role)
            raise UserError(f"{where}{error.found}", expected=error.expected, fix=error.fix) from error
        bare = [case for case in dataset.cases(own.cohort, "train") if not dataset.has_mask(case)]
        found[role] = Cohort(dataset, own.cohort, train, test, bare if role == "target" else [])
    return found


def make_cohorts(config: ExperimentConfig, directory: Path, on_progress: OnProgress) -> None:
    """Simulate the cohorts that are virtual into ``directory/dataset``; what is there is left.

    Raises
    ------
    UserError
        If the dataset holds other patients than the experiment asks for.
    """
    if config.source.simulate and config.target.simulate and config.source.cohort == config.target.cohort:
        raise UserError(
            f"{config.where('target', 'cohort')}both cohorts are virtual {config.target.cohort} patients.",
            expected="a cervical and a uterine cohort.",
            fix="change one of them, or simulate them into two datasets with 'uteroseg simulate'.",
        )
    for role in ROLES:
        own: CohortConfig = getattr(config, role)
        if own.simulate is None:
            continue
        root, wanted = dataset_folder(own, directory), own.simulate
        number = wanted.train + wanted.test

        def on_case(done: int, cohort: str = own.cohort, number: int = number) -> None:
            on_progress(f"{cohort} patients", done, number, "")

        simulate_cohort(
            root,
            own.cohort,
            cases=number,
            seed=wanted.seed,
            acquisition=wanted.acquisition,
            on_case=on_case,
        )
        dataset = Dataset.open(root)
        assign_splits(dataset, test=wanted.test / number, seed=wanted.seed)
        present = {split: len(dataset.cases(own.cohort, split)) for split in ("train", "test")}
        if present != {"train": wanted.train, "test": wanted.test}:
            raise UserError(
                f"{root} holds {present['train']} training and {present['test']} test cases of the cohort "
                f"{own.cohort!r}.",
                expected=f"{wanted.train} and {wanted.test}, those of this experiment alone.",
                fix="delete that dataset, or choose another folder for the experiment.",
            )


def check_cohorts(config: ExperimentConfig, cohorts: Mapping[Role, Cohort]) -> dict[Role, str]:
    """Refuse cohorts that share patients or cases, and test patients that are trained on.

    A patient is recognised by its key (``source_key``), a case by its study's key and by its mask.

    Returns
    -------
    dict of str
        Each cohort's fingerprint: a hash of who is in it, in which split, with which studies and masks. The
        images are left out, so that virtual patients of the same settings have the same on every machine.
    """
    known: dict[tuple[str, str], tuple[Role, str, CaseId]] = {}
    fingerprints = {}
    for role, cohort in cohorts.items():
        whole = hashlib.sha256(cohort.name.encode())
        for split, cases in (("train", cohort.train), ("test", cohort.test)):
            for case in cases:
                mask = cohort.dataset.load_mask(case)
                voxels = hashlib.sha256(
                    repr((mask.geometry.shape, mask.geometry.affine.round(3).tolist())).encode()
                )
                voxels.update(np.packbits(mask.data).tobytes())
                drawn = voxels.hexdigest() if mask.data.any() else MISSING
                for identity in _identities(cohort, case, drawn):
                    other = known.setdefault(identity, (role, split, case))
                    if other[:2] != (role, split):
                        raise _shared(config, identity, other, (role, split, case))
                whole.update(_described(cohort, split, case, voxels.hexdigest()))
        for case in cohort.unannotated:
            for identity in _identities(cohort, case, MISSING):
                other = known.setdefault(identity, (role, "train", case))
                if other[:2] != (role, "train"):
                    raise _shared(config, identity, other, (role, "train", case))
            whole.update(_described(cohort, "unannotated", case, MISSING))
        fingerprints[role] = whole.hexdigest()
    return fingerprints


def _identities(cohort: Cohort, case: CaseId, mask: str) -> Iterator[tuple[str, str]]:
    """By what a patient or case is recognised, as (kind, value)."""
    participant, sidecar = cohort.dataset.participant(case), cohort.dataset.sidecar(case)
    yield "patient", f"{cohort.dataset.root.resolve()} {case.participant}"
    for kind, value in (
        ("patient", participant.source_key),
        ("study", str(sidecar.get("source_key") or MISSING)),
        ("mask", mask),
    ):
        if value != MISSING:
            yield kind, value


def _described(cohort: Cohort, split: str, case: CaseId, mask: str) -> bytes:
    """All of a case that counts for the fingerprint."""
    files = [cohort.dataset.root / case.dwi(ending) for ending in ("json", "bval")]
    content = b"\n".join(file.read_bytes() if file.is_file() else b"" for file in files)
    histology = cohort.dataset.participant(case).histology
    return f"{case} {split} {histology} {mask}\n".encode() + content


def _shared(
    config: ExperimentConfig,
    identity: tuple[str, str],
    first: tuple[Role, str, CaseId],
    second: tuple[Role, str, CaseId],
) -> UserError:
    where = config.where(second[0])
    places = " and ".join(f"{case} ({role} cohort, {split})" for role, split, case in (first, second))
    if first[0] != second[0]:
        return UserError(
            f"{where}The two cohorts share a {identity[0]}: {places}.",
            expected="two cohorts without a patient in common.",
            fix="take the patient out of one of them.",
        )
    return UserError(
        f"{where}A {identity[0]} is both trained and tested on: {places}.",
        expected="every patient in one split.",
        fix="correct the split column of participants.tsv, or take one of the cases out.",
    )
