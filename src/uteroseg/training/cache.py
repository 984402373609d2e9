"""Cases on the network's matrix: made once, kept beside the dataset, memory-mapped from there.

A case's file is named by a hash of its images, its mask and what the network wants to see, so that it is
found again by whatever is trained on it, and never when one of these changed. The folder
``<dataset>.cache`` can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.files import write_file, write_json
from uteroseg.imaging.geometry import Array
from uteroseg.model.prepare import network_target, raw_channels
from uteroseg.model.seen import StudyStatistics, describe_study
from uteroseg.model.spec import ModelSpec

PREPARE_VERSION = 1
"""Raised by hand when what is prepared changes, so that older files are not found any more."""


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as training needs it.

    Parameters
    ----------
    slices : ndarray of float16, shape (slices, 4, height, width)
        The images at the lowest b-value and at b 1000 s/mm² (in units of the median of the former inside the
        body), ADC (10⁻³ mm²/s) and the tumour (0 or 1).
    statistics : StudyStatistics
    key : str
        SHA-256 of what it was made of.
    """

    slices: Array
    statistics: StudyStatistics
    key: str


def prepare_case(dataset: Dataset, case: CaseId, spec: ModelSpec) -> PreparedCase:
    """Give a case on the network's matrix, from the cache where it is there.

    A cache that cannot be written, as beside a dataset on a disk to read from only, is done without.

    Raises
    ------
    UserError
        If the images cannot be used, or the mask lies on another grid (the case is named).
    """
    key = _key(dataset, case, spec)
    folder = dataset.root.resolve().with_name(f"{dataset.root.resolve().name}.cache")
    array, facts = folder / f"{key}.npy", folder / f"{key}.json"
    if array.is_file() and facts.is_file():
        statistics = StudyStatistics(**json.loads(facts.read_text("utf-8")))
        return PreparedCase(np.load(array, mmap_mode="r", allow_pickle=False), statistics, key)
    study, mask = dataset.load_study(case), dataset.load_mask(case)
    mask.geometry.require_same(
        study.geometry,
        what=f"mask and study of {case}",
        fix="ingest the mask again, so that it is moved to the study's grid.",
    )
    fit = study.fit()
    channels, target = raw_channels(study, spec, fit), network_target(mask, spec)
    slices = np.concatenate([channels, target[:, None]], axis=1).astype(np.float16)
    statistics = describe_study(study, fit, mask)
    with contextlib.suppress(OSError):
        write_json(facts, asdict(statistics))
        write_file(array, lambda path: np.save(path, slices, allow_pickle=False))
    return PreparedCase(slices, statistics, key)


def _key(dataset: Dataset, case: CaseId, spec: ModelSpec) -> str:
    """A hash of the case's files and of what in the ModelSpec decides how it is prepared."""
    wanted = [PREPARE_VERSION, spec.spacing_mm, spec.matrix]
    digest = hashlib.sha256(json.dumps(wanted).encode())
    for file in (case.dwi("nii.gz"), case.dwi("bval"), case.dwi("json"), case.annotation("nii.gz")):
        path: Path = dataset.root / file
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
