import csv
import shutil
from dataclasses import replace

import pytest

from tests import tiny
from tests.experiment.small import config
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.experiment.cohorts import check_cohorts, make_cohorts, open_cohorts


def check(settings, directory):
    return check_cohorts(settings, open_cohorts(settings, directory))


def change(root, who, **fields):
    dataset = Dataset.open(root)
    dataset.participants[who] = replace(dataset.participants[who], **fields)
    dataset.save_participants()


def patients(root, cohort, split):
    return [
        p.participant_id
        for p in Dataset.open(root).participants.values()
        if (p.cohort, p.split) == (cohort, split)
    ]


@pytest.fixture
def root(tiny_cohorts, tmp_path):
    return shutil.copytree(tiny_cohorts.root, tmp_path / "d")


def test_a_fingerprint_follows_who_is_in_it_and_not_where_it_lies(root, tiny_cohorts, tmp_path):
    here = check(config(root), tmp_path)
    assert here == check(config(tiny_cohorts.root), tmp_path)
    change(root, patients(root, "uterine", "train")[0], histology="sarcoma")
    there = check(config(root), tmp_path)
    assert there["source"] == here["source"]
    assert there["target"] != here["target"]


def test_a_cohort_without_split_is_refused(root, tmp_path):
    for who in patients(root, "uterine", "test"):
        change(root, who, split="n/a")
    with pytest.raises(UserError, match="no test cases in the cohort 'uterine'"):
        check(config(root), tmp_path)
    with pytest.raises(UserError, match="no cohort 'ovarian'"):
        check(config(root, target={"cohort": "ovarian", "dataset": root}), tmp_path)


def test_a_test_patient_in_training_is_refused(root, tmp_path):
    trained, tested = (patients(root, "uterine", split)[0] for split in ("train", "test"))
    key = Dataset.open(root).participants[trained].source_key
    change(root, tested, source_key=key)
    with pytest.raises(UserError, match=f"patient is both trained and tested on: {trained} .* and {tested}"):
        check(config(root), tmp_path)


def test_cohorts_that_share_a_patient_are_refused(root, tmp_path):
    old, new = patients(root, "cervical", "train")[0], patients(root, "uterine", "train")[1]
    change(root, new, source_key=Dataset.open(root).participants[old].source_key)
    with pytest.raises(UserError, match=f"two cohorts share a patient: {old} .* and {new}"):
        check(config(root), tmp_path)


def test_a_patient_is_recognised_in_another_dataset_too(root, tmp_path):
    other = Dataset.open_or_create(tmp_path / "other")
    for seed in (200, 201):
        tiny.add(other, "elsewhere", seed=seed, split=("train", "test")[seed % 2])
    both = {"cohort": "elsewhere", "dataset": other.root}
    check(config(root, target=both), tmp_path)
    tiny.add(
        other, "elsewhere", seed=0, split="train", patient="somebody else"
    )  # the cervical patient 0's study
    with pytest.raises(UserError, match="two cohorts share a mask"):
        check(config(root, target=both), tmp_path)


SIMULATED = {"train": 2, "test": 1, "matrix": (32, 32), "spacing_mm": 6.0, "slices": 6, "slice_mm": 12.0}


def test_virtual_cohorts_are_made_once_and_split_as_asked(tmp_path):
    settings = config(
        tmp_path,
        source={"cohort": "cervical", "simulate": SIMULATED},
        target={"cohort": "uterine", "simulate": SIMULATED},
    )
    told = []
    make_cohorts(settings, tmp_path, lambda *progress: told.append(progress))
    assert ("uterine patients", 3, 3, "") in told
    cohorts = open_cohorts(settings, tmp_path)
    assert {role: (len(c.train), len(c.test)) for role, c in cohorts.items()} == {
        "source": (2, 1),
        "target": (2, 1),
    }
    assert all(cohort.virtual for cohort in cohorts.values())
    before = check_cohorts(settings, cohorts)
    make_cohorts(settings, tmp_path, print)
    assert check(settings, tmp_path) == before
    fewer = config(
        tmp_path, source={"cohort": "cervical", "simulate": {**SIMULATED, "train": 1}}, target=settings.target
    )
    with pytest.raises(UserError, match="holds 2 training and 1 test cases"):
        make_cohorts(fewer, tmp_path, print)
    with (tmp_path / "dataset" / "participants.tsv").open() as file:
        assert len(list(csv.reader(file))) == 1 + 6
