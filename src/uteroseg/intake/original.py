"""The dataset that a folder exported for nnU-Net was made from, which lies in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import require_new, staged_folder
from uteroseg.imaging.nifti import read_mask
from uteroseg.intake.nnunet import read_description
from uteroseg.intake.outcome import Outcome

ORIGINAL = "uteroseg"
"""The folder, beside nnU-Net's own, that holds the dataset as it was; ``dataset.json`` names it too."""


def original_in(source: Path) -> Dataset | None:
    """The dataset that an exported folder was made from; None in a folder of other origin.

    Raises
    ------
    UserError
        If the folder was exported and the dataset is gone: the channels are derived and do not tell what was
        measured. If labels are not the dataset's masks.
    """
    if read_description(source).get("original") != ORIGINAL:
        return None
    if not (source / ORIGINAL).is_dir():
        raise UserError(
            f"{source} was exported by uteroseg, and its folder {ORIGINAL!r} is missing.",
            expected="the dataset there: the channel b0 is the lowest b-value, b1000 may have been computed.",
            fix="export it again; where b 0 and b 1000 were measured, delete 'original' in dataset.json.",
        )
    dataset = Dataset.open(source / ORIGINAL)
    if changed := [str(case) for case in dataset.cases() if not _same_label(source, dataset, case)]:
        raise UserError(
            f"The labels of {len(changed)} cases are not the masks of {dataset.root}: "
            f"{', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}.",
            expected="labels as they were exported.",
            fix=f"put the new labels in the place of the masks, such as "
            f"{dataset.root / CaseId.parse(changed[0]).annotation('nii.gz')}, or restore them.",
        )
    return dataset


def copy_dataset(dataset: Dataset, root: Path, cohort: str | None, *, write: bool) -> list[Outcome]:
    """Copy a dataset byte for byte to a new or empty folder, whole or not at all.

    Raises
    ------
    UserError
        If a cohort is named, since every patient keeps their own, or the folder holds something.
    """
    if cohort is not None:
        raise UserError(
            f"This export holds the dataset that it was made from, with the cohorts "
            f"{', '.join(dataset.cohorts())}.",
            expected="no cohort: every patient keeps their own.",
            fix="leave out cohort.",
        )
    require_new(root)
    if write:
        with staged_folder(root) as stage:
            shutil.copytree(dataset.root, stage, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return [Outcome(str(case), "added", case, notes=("as it was exported",)) for case in dataset.cases()]


def _same_label(source: Path, dataset: Dataset, case: CaseId) -> bool:
    labels = (source / folder / f"{case}.nii.gz" for folder in ("labelsTr", "labelsTs"))
    label = next((path for path in labels if path.is_file()), None)
    if label is None or not dataset.has_mask(case):
        return label is None and not dataset.has_mask(case)
    one, other = read_mask(label), dataset.load_mask(case)
    return one.geometry.difference(other.geometry) is None and bool((one.data == other.data).all())
