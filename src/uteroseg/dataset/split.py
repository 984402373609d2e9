"""Assign patients to train and test."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace

from uteroseg.dataset.participants import MISSING, Participant
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError


def assign_splits(dataset: Dataset, *, test: float, seed: int, stratify: str | None = None) -> int:
    """Give every patient without a split one, within each cohort; those that have one keep it.

    Parameters
    ----------
    dataset : Dataset
        Its ``participants.tsv`` is rewritten.
    test : float
        Share of each stratum that is to be in test, 0 to 1, those already there counted.
    seed : int
        Decides who; independent of the order and of the other cohorts.
    stratify : {"histology", "site"}, optional
        Keep the share within each value of this column too.

    Returns
    -------
    int
        The number of patients that were assigned.

    Raises
    ------
    UserError
        If the share or the column is impossible, or the dataset is empty.
    """
    if not 0 <= test < 1:
        raise UserError(
            f"The test share is {test:g}.",
            expected="a share from 0 to below 1.",
            fix="set test to 0.2, for example.",
        )
    if stratify not in (None, "histology", "site"):
        raise UserError(
            f"The participants cannot be stratified by {stratify!r}.",
            expected="histology or site.",
            fix="correct stratify.",
        )
    if not dataset.participants:
        raise UserError(
            f"{dataset.root} has no participants.",
            expected="at least one.",
            fix="add some with 'uteroseg ingest' or 'uteroseg simulate'.",
        )
    strata: dict[tuple[str, str], list[Participant]] = defaultdict(list)
    for participant in dataset.participants.values():
        key = getattr(participant, stratify) if stratify else ""
        strata[participant.cohort, key].append(participant)
    assigned = 0
    for members in strata.values():
        free = sorted((p for p in members if p.split == MISSING), key=lambda p: _draw(p, seed))
        wanted = max(0, round(test * len(members)) - sum(p.split == "test" for p in members))
        for position, participant in enumerate(free):
            split = "test" if position < wanted else "train"
            dataset.participants[participant.participant_id] = replace(participant, split=split)
        assigned += len(free)
    dataset.save_participants()
    return assigned


def _draw(participant: Participant, seed: int) -> bytes:
    """A random number of the patient's own, the same wherever it stands in the table."""
    return hashlib.sha256(f"{seed}:{participant.participant_id}".encode()).digest()
