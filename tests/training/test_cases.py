from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.training.cases import (
    MAX_PATIENTS,
    MIN_PATIENTS,
    balanced_order,
    choose_cases,
    hold_out,
    unannotated_cases,
)


def cases(patients, acquisitions=1):
    names = (
        f"sub-{p:03d}" + (f"_acq-{a}" if a else "") for p in range(patients) for a in range(acquisitions)
    )
    return [CaseId.parse(name) for name in names]


def test_a_fifth_of_the_patients_is_held_out_with_all_their_cases():
    train_on, validate_on = hold_out(cases(30, acquisitions=2), seed=1)
    assert len(validate_on) == 12
    assert not {c.participant for c in train_on} & {c.participant for c in validate_on}
    assert sorted(map(str, train_on + validate_on)) == sorted(map(str, cases(30, acquisitions=2)))
    assert hold_out(cases(30), seed=2)[1] != hold_out(cases(30), seed=1)[1]


def test_few_patients_are_all_trained_on_and_of_many_not_more_are_held_out_than_needed():
    few = cases(MIN_PATIENTS - 1)
    assert hold_out(few, seed=1) == (few, [])
    assert len(hold_out(cases(MIN_PATIENTS), seed=1)[1]) == 5
    assert len(hold_out(cases(300), seed=1)[1]) == MAX_PATIENTS


def test_fewer_cases_are_among_more(tiny_cohorts):
    two, three = (set(choose_cases(tiny_cohorts, "uterine", n, seed=5)) for n in (2, 3))
    assert len(two) == 2
    assert two < three


@pytest.mark.parametrize("number", [0, 4])
def test_a_number_of_cases_that_is_not_there_is_refused(tiny_cohorts, number):
    with pytest.raises(UserError, match=f"{number} uterine training cases were asked for and 3 of 3 are"):
        choose_cases(tiny_cohorts, "uterine", number, seed=1)


def test_patients_of_the_test_split_are_never_chosen(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=3, test=3)
    chosen = choose_cases(dataset, "uterine", 3, seed=1)
    assert {dataset.participant(case).split for case in chosen} == {"train"}


@given(st.lists(st.integers(0, 11), min_size=1, max_size=60))
def test_every_beginning_holds_of_each_stratum_its_share_to_less_than_one(strata):
    patients = [f"p{i}" for i in range(len(strata))]
    of = dict(zip(patients, strata, strict=True))
    order = balanced_order(patients, of)
    assert sorted(order) == sorted(patients)
    for number in range(1, len(order) + 1):
        for stratum in set(strata):
            share = strata.count(stratum) * number / len(strata)
            assert abs(sum(of[p] == stratum for p in order[:number]) - share) < 1


def test_few_chosen_patients_are_of_every_histology_and_size(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    for number in range(12):
        tiny.add(dataset, "uterine", seed=number, split="train")
    for number, (name, participant) in enumerate(dataset.participants.items()):
        others = {"volume_ml": str(number // 2)}
        histology = ("carcinoma", "sarcoma")[number % 2]
        dataset.participants[name] = replace(participant, histology=histology, others=others)
    for seed in (1, 2):
        chosen = choose_cases(dataset, "uterine", 6, seed=seed)
        rows = [dataset.participant(case) for case in chosen]
        assert sorted((p.histology, int(p.others["volume_ml"]) // 2) for p in rows) == [
            (histology, third) for histology in ("carcinoma", "sarcoma") for third in range(3)
        ]
    assert choose_cases(dataset, "uterine", 6, seed=1) != choose_cases(dataset, "uterine", 6, seed=2)


def test_who_is_chosen_does_not_depend_on_the_masks_of_others(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=8)
    chosen = {number: choose_cases(dataset, "uterine", number, seed=3) for number in (1, 2, 3, 5)}
    others = unannotated_cases(dataset, "uterine", chosen[5])
    assert len(others) == 3
    for case in others:
        (dataset.root / case.annotation("nii.gz")).unlink()
    for number, before in chosen.items():
        assert choose_cases(dataset, "uterine", number, seed=3) == before
    assert unannotated_cases(dataset, "uterine", chosen[5]) == others
    with pytest.raises(UserError, match="6 uterine training cases were asked for and 5 of 8 are annotated"):
        choose_cases(dataset, "uterine", 6, seed=3)


def test_of_patients_to_validate_on_and_of_the_test_split_nothing_is_taken(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    for seed, patient, split in ((1, "a", "train"), (2, "a", "train"), (3, "b", "train"), (4, "c", "test")):
        tiny.add(dataset, seed=seed, patient=patient, split=split, with_mask=seed in (1, 3))
    first, second, third, _ = dataset.cases()
    assert unannotated_cases(dataset, "cervical", [first]) == [second, third]
    assert unannotated_cases(dataset, "cervical", [first], [third]) == [second]
    assert unannotated_cases(dataset, "cervical", [third], [first]) == []
