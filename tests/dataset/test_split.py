from collections import Counter
from dataclasses import replace

import pytest

from uteroseg.dataset.participants import Participant
from uteroseg.dataset.split import assign_splits
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError


def dataset_of(root, **cohorts):
    dataset = Dataset.open_or_create(root)
    for cohort, number in cohorts.items():
        for i in range(number):
            name = f"sub-{cohort}{i:03d}"
            histology = "a" if i % 4 else "b"
            dataset.participants[name] = Participant(name, cohort, histology=histology)
    dataset.save_participants()
    return dataset


def counts(dataset):
    return Counter((p.cohort, p.split) for p in dataset.participants.values())


def test_each_cohort_gets_its_share_and_the_table_says_it(tmp_path):
    dataset = dataset_of(tmp_path / "d", cervical=20, uterine=10)
    assert assign_splits(dataset, test=0.2, seed=1) == 30
    expected = {
        ("cervical", "test"): 4,
        ("cervical", "train"): 16,
        ("uterine", "test"): 2,
        ("uterine", "train"): 8,
    }
    assert counts(Dataset.open(dataset.root)) == expected


def test_the_share_holds_within_strata(tmp_path):
    dataset = dataset_of(tmp_path / "d", uterine=40)
    assign_splits(dataset, test=0.2, seed=1, stratify="histology")
    test = Counter(p.histology for p in dataset.participants.values() if p.split == "test")
    assert test == {"a": 6, "b": 2}


def test_patients_keep_their_split_when_others_come(tmp_path):
    dataset = dataset_of(tmp_path / "d", cervical=10)
    assign_splits(dataset, test=0.3, seed=1)
    before = {name: p.split for name, p in dataset.participants.items()}
    for i in range(10, 20):
        dataset.participants[f"sub-{i}"] = Participant(f"sub-{i}", "cervical")
    assert assign_splits(dataset, test=0.3, seed=99) == 10
    assert {name: dataset.participants[name].split for name in before} == before
    assert counts(dataset)["cervical", "test"] == 6


def test_the_seed_decides_who(tmp_path):
    chosen = []
    for number, seed in enumerate((1, 1, 2)):
        dataset = dataset_of(tmp_path / str(number), cervical=30)
        assign_splits(dataset, test=0.3, seed=seed)
        chosen.append({n for n, p in dataset.participants.items() if p.split == "test"})
    assert chosen[0] == chosen[1] != chosen[2]


def test_other_cohorts_do_not_change_a_split(tmp_path):
    alone, beside = (
        dataset_of(tmp_path / "a", cervical=20),
        dataset_of(tmp_path / "b", cervical=20, uterine=9),
    )
    for dataset in (alone, beside):
        assign_splits(dataset, test=0.25, seed=4)
    assert all(beside.participants[name] == p for name, p in alone.participants.items())


def test_impossible_wishes_are_refused(tmp_path):
    dataset = dataset_of(tmp_path / "d", cervical=2)
    with pytest.raises(UserError, match="share is 1"):
        assign_splits(dataset, test=1, seed=1)
    with pytest.raises(UserError, match="stratified by 'age'"):
        assign_splits(dataset, test=0.2, seed=1, stratify="age")
    with pytest.raises(UserError, match="no participants"):
        assign_splits(Dataset.open_or_create(tmp_path / "empty"), test=0.2, seed=1)


def test_a_split_set_by_hand_is_counted(tmp_path):
    dataset = dataset_of(tmp_path / "d", cervical=10)
    for name in list(dataset.participants)[:5]:
        dataset.participants[name] = replace(dataset.participants[name], split="test")
    assign_splits(dataset, test=0.2, seed=1)
    assert counts(dataset) == {("cervical", "test"): 5, ("cervical", "train"): 5}
