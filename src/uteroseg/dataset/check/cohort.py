"""Check a dataset as a whole: its tables, missing files, splits, studies that are there twice."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from uteroseg.dataset.check.case import CheckedCase
from uteroseg.dataset.check.finding import Finding, error, refused, warning
from uteroseg.dataset.layout import ANNOTATIONS, CaseId
from uteroseg.dataset.participants import MISSING, Participant
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import read_json

_IMAGE = "_dwi.nii.gz"


def open_to_check(root: Path) -> tuple[Dataset, list[Finding]]:
    """Open a dataset even where its table of participants is wrong, which is a finding then.

    Raises
    ------
    UserError
        If the folder is no dataset.
    """
    try:
        return Dataset.open(root), []
    except UserError as problem:
        if not all((root / name).is_file() for name in ("dataset_description.json", "participants.tsv")):
            raise
        folders = sorted(path.name for path in root.glob("sub-*") if path.is_dir())
        people = {name: Participant(name, cohort=MISSING) for name in folders}
        twice = list(_rows_in_both_splits(root / "participants.tsv"))
        return Dataset(root, people), twice or [refused("participants", "participants.tsv", problem)]


def _rows_in_both_splits(table: Path) -> Iterator[Finding]:
    splits: dict[str, set[str]] = defaultdict(set)
    with table.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            splits[row.get("participant_id") or ""].add(row.get("split") or "")
    for participant, found in splits.items():
        if {"train", "test"} <= found:
            yield _in_both(participant)


def _in_both(participant: str) -> Finding:
    fix = "keep the patient in one split: correct participants.tsv, and train again what saw the test patient"
    return error("both-splits", participant, "this patient is in train and in test", fix)


def check_tables(dataset: Dataset, cases: Sequence[CaseId]) -> Iterator[Finding]:
    """What can be said without reading images."""
    root = dataset.root
    try:
        kind = read_json(root / "dataset_description.json").get("DatasetType")
        if kind != "raw":
            fix = 'write "DatasetType": "raw" there, or validators take it for a derivative'
            yield error("description", "dataset_description.json", f"DatasetType is {kind!r}", fix)
    except UserError as problem:
        yield refused("unreadable", "dataset_description.json", problem)
    for folder in sorted(root.glob("sub-*")):
        if folder.is_dir() and folder.name not in dataset.participants:
            fix = "add a row for it, with its cohort, or take the folder away"
            yield error("participants", folder.name, "is not in participants.tsv, so nothing uses it", fix)
    having = {case.participant for case in cases}
    for participant in dataset.participants:
        if participant not in having:
            fix = "ingest the patient's study again, or take the row out of participants.tsv"
            yield error("missing-file", participant, f"has no image …{_IMAGE}", fix)
    yield from _companions_alone(root, cases)
    yield from _masks_alone(root, cases)
    yield from _same_patient(dataset)


def _companions_alone(root: Path, cases: Sequence[CaseId]) -> Iterator[Finding]:
    known = set(map(str, cases))
    for path in sorted(root.glob("sub-*/**/dwi/*_dwi.bval")):
        name = path.name.removesuffix("_dwi.bval")
        if name not in known and any(case.participant == name.split("_")[0] for case in cases):
            fix = "ingest the study again, or take its other files away"
            yield error("missing-file", name, f"{name}{_IMAGE} is missing beside its .bval", fix)


def _masks_alone(root: Path, cases: Sequence[CaseId]) -> Iterator[Finding]:
    known = set(map(str, cases))
    masks = sorted((root / ANNOTATIONS).glob("sub-*/**/dwi/*_label-tumour_mask.nii.gz"))
    for path in masks:
        name = path.name.removesuffix("_label-tumour_mask.nii.gz")
        if name not in known:
            fix = "restore the images, correct the mask's name, or take the mask away"
            yield error("missing-file", name, "there is a mask, and no image", fix)
    bare = [str(case) for case in cases if not (root / case.annotation("nii.gz")).is_file()]
    if masks and bare:
        listed = ", ".join(bare[:5]) + (" …" if len(bare) > 5 else "")
        fix = "annotate some of them; training and evaluation take those that have a mask"
        yield warning("no-mask", listed, f"{len(bare)} of {len(cases)} cases have no mask", fix)


def _same_patient(dataset: Dataset) -> Iterator[Finding]:
    """Two participants that are one patient, by the keyed hash."""
    by_key: dict[str, list[Participant]] = defaultdict(list)
    for participant in dataset.participants.values():
        if participant.source_key != MISSING:
            by_key[participant.source_key].append(participant)
    for people in by_key.values():
        names = " and ".join(person.participant_id for person in people)
        if {"train", "test"} <= {person.split for person in people}:
            yield _in_both(names)
        elif len(people) > 1:
            fix = "make them one participant, or splits can part them"
            yield error("same-patient", names, "these participants are one patient", fix)


def check_duplicates(dataset: Dataset, checked: Iterable[CheckedCase]) -> Iterator[Finding]:
    """Studies that are there twice, by what they hold and by the key they were ingested with."""
    groups: dict[tuple[str, str], list[CaseId]] = defaultdict(list)
    for one in checked:
        if one.key:
            groups["images", one.key].append(one.case)
        try:
            if key := dataset.sidecar(one.case).get("source_key"):
                groups["study", str(key)].append(one.case)
        except UserError:
            continue  # named by the check of images
    told: set[tuple[CaseId, ...]] = set()
    for cases in map(tuple, groups.values()):
        if len(cases) < 2 or cases in told:
            continue
        told.add(cases)
        names = " and ".join(map(str, cases))
        if {"train", "test"} <= {dataset.participant(case).split for case in cases}:
            yield _in_both(names)
        fix = "keep one of them, with its mask"
        yield error("duplicate", names, "these cases are the same study", fix)
