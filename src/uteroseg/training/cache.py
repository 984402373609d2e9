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
from uteroseg.errors import UserError
from uteroseg.files import write_file, write_json
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.model.prepare import (
    CHANNELS,
    PreparedStudy,
    SliceGrid,
    network_target,
    require_fitting_grid,
)
from uteroseg.model.spec import ModelSpec
from uteroseg.model.study_statistics import StudyStatistics, describe_study

PREPARE_VERSION = 1
"""Raised by hand when what is prepared changes, so that older files are not found any more."""


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as training needs it.

    Parameters
    ----------
    slices : ndarray of float16, shape (slices, 4, height, width)
        The images at the lowest b-value and at b 1000 s/mm² (in units of the median of the former inside the
        body), ADC (10⁻³ mm²/s) and the tumour (0 or 1; of an unannotated case 0 everywhere).
    statistics : StudyStatistics
    key : str
        SHA-256 of what it was made of.
    geometry : Geometry
        The study's.
    """

    slices: Array
    statistics: StudyStatistics
    key: str
    geometry: Geometry

    def on_matrix(self, grid: SliceGrid) -> Array:
        """Its channels as `uteroseg.model.prepare.PreparedStudy.on_matrix` gives them, rounded to float16."""
        return np.asarray(self.slices[:, : len(CHANNELS)], np.float32)


def prepare_case(dataset: Dataset, case: CaseId, spec: ModelSpec, *, annotated: bool = True) -> PreparedCase:
    """Give a case on the network's matrix, from the cache where it is there.

    A cache that cannot be written, as beside a dataset on a disk to read from only, is done without.

    Parameters
    ----------
    dataset : Dataset
    case : CaseId
    spec : ModelSpec
    annotated : bool
        Otherwise its mask is not looked at, whether there is one or not.

    Raises
    ------
    UserError
        If the images cannot be used, their grid is none for the network, or the mask lies on another grid
        (the case is named).
    """
    geometry = dataset.grid(case)
    try:
        require_fitting_grid(geometry, spec)
    except UserError as error:
        raise UserError(f"{case}: {error.found}", expected=error.expected, fix=error.fix) from error
    key = _key(dataset, case, spec, annotated=annotated)
    folder = dataset.root.resolve().with_name(f"{dataset.root.resolve().name}.cache")
    array, facts = folder / f"{key}.npy", folder / f"{key}.json"
    if array.is_file() and facts.is_file():
        statistics = StudyStatistics(**json.loads(facts.read_text("utf-8")))
        return PreparedCase(np.load(array, mmap_mode="r", allow_pickle=False), statistics, key, geometry)
    study, mask = dataset.load_study(case), dataset.load_mask(case) if annotated else None
    if mask is not None:
        mask.geometry.require_same(
            study.geometry,
            what=f"mask and study of {case}",
            fix="ingest the mask again, so that it is moved to the study's grid.",
        )
    prepared, grid = PreparedStudy(study), SliceGrid.between(geometry, spec)
    channels = prepared.on_matrix(grid)
    tumour = np.zeros_like(channels[:, 0]) if mask is None else network_target(mask, grid)
    slices = np.concatenate([channels, tumour[:, None]], axis=1)
    slices, statistics = slices.astype(np.float16), describe_study(prepared, mask)
    with contextlib.suppress(OSError):
        write_json(facts, asdict(statistics))
        write_file(array, lambda path: np.save(path, slices, allow_pickle=False))
    return PreparedCase(slices, statistics, key, geometry)


def _key(dataset: Dataset, case: CaseId, spec: ModelSpec, *, annotated: bool) -> str:
    """A hash of the case's files and of what in the ModelSpec decides how it is prepared."""
    wanted = [PREPARE_VERSION, spec.spacing_mm, spec.matrix]
    digest = hashlib.sha256(json.dumps(wanted).encode())
    files = [case.dwi(ending) for ending in ("nii.gz", "bval", "json")]
    for file in [*files, case.annotation("nii.gz")] if annotated else files:
        path: Path = dataset.root / file
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
