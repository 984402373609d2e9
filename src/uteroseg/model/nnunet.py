"""Write a dataset for nnU-Net v2, so that it trains on what our network sees.

    OUT/Dataset501_Pelvis/
      dataset.json
      imagesTr, imagesTs/<case>_0000.nii.gz (b0), _0001 (b1000), _0002 (ADC)
      labelsTr, labelsTs/<case>.nii.gz
      uteroseg/                          the dataset itself (BIDS), as it was

The channels are derived and cannot be turned back into what was measured, so the dataset's own files lie
beside them: every b-value, the scanner's fields, who is in which cohort and split. nnU-Net ignores them.

References
----------
nnU-Net v2, documentation/dataset_format.md.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uteroseg import RESEARCH_USE
from uteroseg.dataset.layout import ADC, ANNOTATIONS, CaseId
from uteroseg.dataset.participants import write_participants
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import require_new, staged_folder, write_json
from uteroseg.imaging.nifti import write_image, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.intake.original import ORIGINAL
from uteroseg.model.prepare import PreparedStudy

CHANNELS = ("b0", "b1000", "ADC")
"""In the order of our network's; nnU-Net normalises each by its mean and standard deviation per study."""
_SETS = {"train": "Tr", "test": "Ts"}
_ABOUT = ("dataset_description.json", "participants.json", "README", ".bidsignore")
_DERIVATIVES = (ANNOTATIONS, ADC)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    folder : Path
        ``OUT/Dataset501_Pelvis``.
    train, test : tuple of CaseId
    unannotated : tuple of CaseId
        Test cases that have no label.
    """

    folder: Path
    train: tuple[CaseId, ...]
    test: tuple[CaseId, ...]
    unannotated: tuple[CaseId, ...]


def export_nnunet(
    dataset: Dataset,
    out: Path,
    *,
    number: int = 501,
    name: str = "Pelvis",
    cohorts: Sequence[str] = (),
    on_case: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write a raw dataset of nnU-Net v2, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    out : Path
        Gets the folder ``Dataset<number>_<name>``; it can be the folder that ``nnUNet_raw`` names.
    number : int
        nnU-Net's number of the dataset, 1 to 999.
    name : str
        Letters, digits, ``_`` and ``-``.
    cohorts : sequence of str
        By default all. Their patients' train cases become ``imagesTr``, their test cases ``imagesTs``.
    on_case : callable
        Told how many cases are done and how many there are.

    Raises
    ------
    UserError
        Before images are read: if the number, name or a cohort is none, the folder is taken, a case has no
        split, a training case no mask, or there is no training case. Later: if a study cannot be read, has
        one b-value only, or does not fit its mask. Then nothing is left behind.
    """
    folder = _free_folder(out, number, name)
    chosen = sorted({c for cohort in cohorts or (None,) for c in dataset.cases(cohort)}, key=str)
    by_split = _by_split(dataset, chosen)
    with staged_folder(folder) as stage:
        done = 0
        for split, ending in _SETS.items():
            images, labels = stage / f"images{ending}", stage / f"labels{ending}"
            for case in by_split[split]:
                images.mkdir(exist_ok=True)
                labels.mkdir(exist_ok=True)
                _write_case(dataset, case, images, labels)
                done += 1
                on_case(done, len(chosen))
        _copy_original(dataset, cohorts, stage / ORIGINAL)
        write_json(stage / "dataset.json", _description(name, len(by_split["train"])))
    test = by_split["test"]
    return Exported(folder, by_split["train"], test, tuple(c for c in test if not dataset.has_mask(c)))


def _free_folder(out: Path, number: int, name: str) -> Path:
    """The folder to write, of which neither name nor number is taken."""
    if not 1 <= number <= 999:
        raise UserError(f"The dataset's number is {number}.", expected="1 to 999.", fix="correct `number`.")
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]*", name):
        raise UserError(
            f"The dataset's name is {name!r}.",
            expected="letters without accents, digits, _ and -, such as Pelvis.",
            fix="correct `name`.",
        )
    folder = out / f"Dataset{number:03d}_{name}"
    require_new(folder)
    if others := [path.name for path in out.glob(f"Dataset{number:03d}_*") if path != folder]:
        raise UserError(
            f"{out} holds the number {number} already: {', '.join(sorted(others))}.",
            expected="a number that no other dataset there has; nnU-Net finds datasets by it.",
            fix="choose another `number`, or another folder.",
        )
    return folder


def _by_split(dataset: Dataset, cases: Sequence[CaseId]) -> dict[str, tuple[CaseId, ...]]:
    """The cases of each split, of which every case has one and every training case a mask."""
    groups = {s: tuple(c for c in cases if dataset.participant(c).split == s) for s in _SETS}
    if missing := [case for case in cases if dataset.participant(case).split not in _SETS]:
        raise UserError(
            f"{len(missing)} of {len(cases)} cases are in no split: {_listed(missing)}.",
            expected="train or test for every patient.",
            fix="assign splits with 'uteroseg split' (with `test` 0 all are in train).",
        )
    if not groups["train"]:
        raise UserError(
            f"{dataset.root} has no train cases to export.",
            expected="at least one patient in the train split.",
            fix="add cases, choose another cohort, or correct the splits in participants.tsv.",
        )
    if bare := [case for case in groups["train"] if not dataset.has_mask(case)]:
        raise UserError(
            f"{len(bare)} of {len(groups['train'])} train cases have no mask: {_listed(bare)}.",
            expected=f"a mask for every train case, such as {bare[0].annotation('nii.gz')}.",
            fix="annotate them, or take these patients out of the train split.",
        )
    return groups


def _write_case(dataset: Dataset, case: CaseId, images: Path, labels: Path) -> None:
    try:
        study = dataset.load_study(case)
        mask = dataset.load_mask(case) if dataset.has_mask(case) else None
        if mask is not None:
            mask.geometry.require_same(
                study.geometry, what="mask and study", fix="move the mask to the study's grid first."
            )
        channels = PreparedStudy(study).channels()
    except UserError as error:
        raise UserError(f"{case}: {error.found}", expected=error.expected, fix=error.fix) from error
    for index in range(len(CHANNELS)):
        write_image(images / f"{case}_{index:04d}.nii.gz", channels[:, index], study.geometry)
    if mask is not None:
        write_mask(labels / f"{case}.nii.gz", Mask(mask.data, study.geometry))


def _copy_original(dataset: Dataset, cohorts: Sequence[str], target: Path) -> None:
    """Copy the chosen cohorts byte for byte: a dataset of its own, with annotations and our ADC maps."""
    target.mkdir()
    members = [p for p in dataset.participants.values() if not cohorts or p.cohort in cohorts]
    about = [Path(name) for name in _ABOUT] + [part / _ABOUT[0] for part in _DERIVATIVES]
    for name in about:
        if (dataset.root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(dataset.root / name, target / name)
    for member in members:
        for part in (Path(), *_DERIVATIVES):
            files = part / member.participant_id
            if (dataset.root / files).is_dir():
                shutil.copytree(dataset.root / files, target / files, copy_function=shutil.copyfile)
    write_participants(target / "participants.tsv", members)


def _description(name: str, training: int) -> dict[str, object]:
    """``dataset.json``, as nnU-Net v2 wants it."""
    return {
        "channel_names": {str(index): channel for index, channel in enumerate(CHANNELS)},
        "labels": {"background": 0, "tumour": 1},
        "numTraining": training,
        "file_ending": ".nii.gz",
        "name": name,
        "original": ORIGINAL,
        "description": "Diffusion-weighted MRI: the image of the lowest b-value and that at b 1000 s/mm² "
        "(measured, else computed), both divided by the median of the former inside the body; ADC in "
        f"10^-3 mm^2/s. The folder {ORIGINAL} holds the dataset that it was made from. {RESEARCH_USE}",
    }


def _listed(cases: Sequence[CaseId]) -> str:
    return f"{', '.join(map(str, cases[:5]))}{' …' if len(cases) > 5 else ''}"
