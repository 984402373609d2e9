"""Cohorts and patients put right; killed in between, the dataset still opens and the command completes it."""

import shutil
from pathlib import Path

import pytest

from tests import tiny
from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.cohorts import files_of, move_patients, patients_of, remove_patients, rename_cohort
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    """Two cervical patients and one uterine, one of whom has everything that a case can have."""
    dataset = Dataset.open_or_create(tmp_path / "d")
    tiny.add(dataset, seed=1)
    case = tiny.add(dataset, seed=2)
    tiny.add(dataset, "uterine", seed=3)
    mask = dataset.load_mask(case)
    dataset.replace_mask(case, mask, {})
    dataset.add_mask(case, mask, {}, reader="R2")
    draft = dataset.root / "derivatives/predictions/m1" / case.folder / f"{case}_label-tumour_mask.nii.gz"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"draft")
    return dataset


def bearing(root, patient):
    return sorted(path for path in root.rglob("*") if path.name.split("_")[0] == patient)


def test_a_cohort_is_renamed_with_all_its_patients(dataset):
    assert rename_cohort(dataset, "cervical", "cervix") == 2
    assert Dataset.open(dataset.root).cohorts() == {"cervix": 2, "uterine": 1}


@pytest.mark.parametrize(("old", "new", "found"), [
    ("ovarian", "x", "no cohort 'ovarian'"),
    ("cervical", "uterine", "'uterine' already"),
    ("cervical", "pooled", "cannot name a cohort"),
    ("cervical", "a/b", "cannot name a cohort"),
])  # fmt: skip
def test_a_name_that_cannot_be_is_refused_and_nothing_changes(dataset, old, new, found):
    before = (dataset.root / "participants.tsv").read_bytes()
    with pytest.raises(UserError, match=found):
        rename_cohort(dataset, old, new)
    assert (dataset.root / "participants.tsv").read_bytes() == before


def test_patients_move_to_a_cohort_old_or_new_and_keep_their_split(dataset):
    split = dataset.participants["sub-0001"].split
    assert move_patients(dataset, ["sub-0001", "sub-0003"], "uterine") == 1
    again = Dataset.open(dataset.root)
    assert again.cohorts() == {"cervical": 1, "uterine": 2}
    assert again.participants["sub-0001"].split == split
    assert move_patients(again, ["sub-0002"], "corpus") == 1
    with pytest.raises(UserError, match="no patient sub-0009"):
        move_patients(again, ["sub-0001", "sub-0009"], "corpus")
    assert Dataset.open(dataset.root).cohorts() == {"corpus": 1, "uterine": 2}


def test_a_patient_is_removed_with_everything_that_bears_its_name(dataset):
    others = {path: path.read_bytes() for path in dataset.root.rglob("sub-0001*") if path.is_file()}
    parts = {path.relative_to(dataset.root).parts[:2] for path in files_of(dataset, ["sub-0002"])}
    assert parts == {
        ("sub-0002",),
        ("derivatives", "annotations"),
        ("derivatives", "predictions"),
        ("sourcedata", "annotation_history"),
    }
    remove_patients(dataset, ["sub-0002"])
    assert bearing(dataset.root, "sub-0002") == []
    again = Dataset.open(dataset.root)
    assert list(again.participants) == ["sub-0001", "sub-0003"]
    assert {path: path.read_bytes() for path in others} == others
    assert check_dataset(dataset.root, workers=1).of("error") == []


def test_a_cohort_that_was_removed_can_come_again_under_other_ids(dataset):
    remove_patients(dataset, patients_of(dataset, "uterine"))
    again = Dataset.open_or_create(dataset.root)
    assert again.cohorts() == {"cervical": 2}
    assert again.find("study-uterine-3") is None
    assert str(tiny.add(again, "uterine", seed=3)) == "sub-0004"
    remove_patients(again, ["sub-0001"])
    assert str(tiny.add(Dataset.open(dataset.root), seed=1)) == "sub-0005"


def test_names_that_begin_alike_are_others(dataset):
    stranger = dataset.root / "derivatives/predictions/m1/sub-00021"
    stranger.mkdir()
    assert stranger not in files_of(dataset, ["sub-0002"])
    with pytest.raises(UserError, match="no patient sub-9"):
        remove_patients(dataset, ["sub-0002", "sub-9"])
    with pytest.raises(UserError, match="No patient"):
        remove_patients(dataset, [])
    assert (dataset.root / "sub-0002").is_dir()


@pytest.mark.parametrize("steps", range(6))
def test_a_removal_that_was_killed_leaves_a_dataset_that_opens_and_is_completed(dataset, monkeypatch, steps):
    replace, done = Path.replace, 0

    def dying(self, target):
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        remove_patients(dataset, ["sub-0001", "sub-0002"])
    monkeypatch.undo()
    again = Dataset.open_or_create(dataset.root)
    for case in again.cases():
        again.load_study(case)
        again.load_mask(case)
    remove_patients(again, ["sub-0001", "sub-0002"])
    assert list(Dataset.open(dataset.root).participants) == ["sub-0003"]
    assert not [
        path for path in dataset.root.rglob("*") if "sub-0001" in path.name or "sub-0002" in path.name
    ]
    assert not list(dataset.root.glob(".incoming*"))


def test_a_file_that_cannot_be_moved_leaves_all_as_it_was(dataset, monkeypatch):
    before = {path: path.read_bytes() for path in dataset.root.rglob("*") if path.is_file()}
    replace = Path.replace

    def refusing(self, target):
        if "predictions" in str(target) and "incoming" in str(target):
            raise PermissionError(13, "Permission denied", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(PermissionError):
        remove_patients(dataset, ["sub-0002"])
    monkeypatch.undo()
    after = {path: path.read_bytes() for path in dataset.root.rglob("*") if path.is_file()}
    assert after == before


def test_links_are_not_followed(dataset, tmp_path):
    outside = shutil.copytree(dataset.root / "sub-0002", tmp_path / "outside" / "sub-0002")
    (dataset.root / "derivatives/link").symlink_to(outside.parent)
    remove_patients(dataset, ["sub-0002"])
    assert outside.is_dir()
