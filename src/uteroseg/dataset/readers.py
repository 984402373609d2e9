"""Masks of single readers, beside the annotation that counts as the truth."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.imaging.nifti import read_mask
from uteroseg.imaging.study import Mask

_READER = re.compile(r"_desc-([0-9A-Za-z]+)_mask\.nii\.gz$")


def cases_by_reader(dataset: Dataset, cases: Iterable[CaseId]) -> dict[str, list[CaseId]]:
    """Readers, in alphabetical order, and the cases of which each has a mask."""
    found: dict[str, list[CaseId]] = defaultdict(list)
    for case in cases:
        for path in (dataset.root / case.readers_annotation("*")).parent.glob(
            case.readers_annotation("*").name
        ):
            if match := _READER.search(path.name):
                found[match[1]].append(case)
    return {reader: sorted(found[reader], key=str) for reader in sorted(found)}


def readers_mask(dataset: Dataset, reader: str, case: CaseId) -> Mask:
    """One reader's mask of a case; raises UserError where it cannot be read."""
    return read_mask(dataset.root / case.readers_annotation(reader))
