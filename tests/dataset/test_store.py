import json
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import Participant, read_participants
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.study_files import read_study
from uteroseg.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    return Dataset.open_or_create(tmp_path / "data")


def test_a_case_comes_back_as_it_went_in(dataset):
    study, mask = tiny.study(3, scanner_adc=True)
    case = tiny.add(dataset, seed=3, scanner_adc=True)
    reopened = Dataset.open(dataset.root)
    assert reopened.cases("cervical") == [case]
    read = reopened.load_study(case)
    np.testing.assert_array_equal(read.signal, study.signal)
    np.testing.assert_array_equal(read.scanner_adc, study.scanner_adc)
    assert read.b_values == study.b_values
    assert read.acquisition["b_value_source"] == "made up"
    assert read.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
    np.testing.assert_array_equal(reopened.load_mask(case).data, mask.data)


def test_files_stand_where_bids_puts_them(dataset):
    tiny.add(dataset)
    files = {str(p.relative_to(dataset.root)) for p in dataset.root.rglob("*") if p.is_file()}
    assert files == {
        ".bidsignore",
        "README",
        "dataset_description.json",
        "participants.tsv",
        "participants.json",
        "derivatives/annotations/dataset_description.json",
        "derivatives/annotations/sub-0001/dwi/sub-0001_label-tumour_mask.nii.gz",
        "derivatives/annotations/sub-0001/dwi/sub-0001_label-tumour_mask.json",
        *(f"sub-0001/dwi/sub-0001_dwi.{ending}" for ending in ("nii.gz", "bval", "bvec", "json")),
    }
    description = json.loads((dataset.root / "dataset_description.json").read_text())
    assert description["DatasetType"] == "raw"
    assert (dataset.root / "sub-0001/dwi/sub-0001_dwi.bval").read_text() == "0 1000\n"


def test_a_second_study_of_a_patient_joins_it(dataset):
    first = tiny.add(dataset, seed=1, patient="p")
    second = tiny.add(dataset, seed=2, patient="p")
    assert (str(first), str(second)) == ("sub-0001", "sub-0001_acq-2")
    assert list(Dataset.open(dataset.root).participants) == ["sub-0001"]


def test_a_patient_cannot_be_in_two_cohorts(dataset):
    tiny.add(dataset, "cervical", seed=1, patient="p")
    with pytest.raises(UserError, match="in the cohort 'cervical' already"):
        tiny.add(dataset, "uterine", seed=2, patient="p")


def test_a_study_is_found_again(dataset):
    case = tiny.add(dataset, seed=7)
    assert Dataset.open(dataset.root).find("study-cervical-7") == case
    assert Dataset.open(dataset.root).find("another") is None


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a uteroseg dataset"):
        Dataset.open_or_create(tmp_path)
    (tmp_path / "dataset_description.json").write_text('{"Name": "theirs"}')
    with pytest.raises(UserError, match="not a uteroseg dataset"):
        Dataset.open_or_create(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"thesis.txt", "dataset_description.json"}


def test_opening_what_is_no_dataset_names_the_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"no dataset_description\.json"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("moves", range(6))
def test_a_run_killed_while_a_case_is_moved_leaves_no_case_and_can_be_repeated(dataset, monkeypatch, moves):
    """However far the moving of files came, readers see no case; adding it again completes it."""
    replace, done = Path.replace, 0

    def dying_replace(self, target):
        nonlocal done
        if (
            ".incoming" in str(self)
            and dataset.root in Path(target).parents
            and ".incoming" not in str(target)
        ):
            if done == moves:
                raise KeyboardInterrupt
            done += 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying_replace)
    with pytest.raises(KeyboardInterrupt):
        tiny.add(dataset)
    monkeypatch.undo()
    again = Dataset.open_or_create(dataset.root)
    assert again.cases() == []
    assert again.find("study-cervical-1") is None
    case = tiny.add(again)
    assert str(case) == "sub-0001"
    assert Dataset.open(dataset.root).load_mask(case).data.any()
    assert not list(dataset.root.glob(".incoming*"))


def test_a_mask_on_another_grid_does_not_enter(dataset):
    study, _ = tiny.study()
    _, mask = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    with pytest.raises(UserError, match="mask and study"):
        dataset.add(NewCase(study, Participant("", "cervical"), "key", mask))
    assert dataset.cases() == []


def test_a_case_without_a_mask_is_named_before_training(dataset):
    tiny.add(dataset, seed=1, split="train")
    bare = tiny.add(dataset, seed=2, split="train", with_mask=False)
    with pytest.raises(UserError, match=f"1 of 2 cervical train cases have no mask: {bare}"):
        dataset.annotated_cases("cervical", "train")
    with pytest.raises(UserError, match="no test cases"):
        dataset.annotated_cases("cervical", "test")
    with pytest.raises(UserError, match="no cohort 'ovarian'"):
        dataset.cases("ovarian")


def test_the_fingerprint_changes_with_what_is_in_the_dataset(dataset):
    tiny.add(dataset, seed=1)
    before = dataset.fingerprint()
    assert Dataset.open(dataset.root).fingerprint() == before
    tiny.add(dataset, seed=2)
    assert dataset.fingerprint() != before


def test_wrong_b_values_are_refused(dataset):
    case = tiny.add(dataset)
    dwi, bval = dataset.root / case.dwi("nii.gz"), dataset.root / case.dwi("bval")
    for text, found in (("0", "2 images and"), ("0 x", "not a number"), ("0 0", "more than once")):
        bval.write_text(text)
        with pytest.raises(UserError, match=found):
            read_study(dwi)
    bval.unlink()
    with pytest.raises(UserError, match="is missing"):
        read_study(dwi)


def test_b_values_in_any_order_are_sorted_with_their_images(dataset):
    case = tiny.add(dataset)
    before = dataset.load_study(case)
    (dataset.root / case.dwi("bval")).write_text("1000 0")
    after = dataset.load_study(case)
    assert after.b_values == (0, 1000)
    np.testing.assert_array_equal(after.signal, before.signal[::-1])


def test_broken_participants_are_refused(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\nsub-0001\n")
    with pytest.raises(UserError, match="no column cohort"):
        read_participants(table)
    table.write_text("participant_id\tcohort\tsplit\nsub-0001\ta\tvalidation\n")
    with pytest.raises(UserError, match="split 'validation'"):
        read_participants(table)
    table.write_text("participant_id\tcohort\nsub-0001\ta\nsub-0001\ta\n")
    with pytest.raises(UserError, match="stands twice"):
        read_participants(table)


@pytest.mark.parametrize("name", ["../../etc", "sub-0001/..", "0001", "sub-"])
def test_an_id_that_is_none_is_refused(tmp_path, name):
    (tmp_path / "participants.tsv").write_text(f"participant_id\tcohort\n{name}\ta\n")
    with pytest.raises(UserError, match="names a participant"):
        read_participants(tmp_path / "participants.tsv")


def test_columns_of_the_users_own_are_kept(dataset):
    tiny.add(dataset, seed=1)
    table = dataset.root / "participants.tsv"
    header, row = table.read_text().splitlines()
    table.write_text(f"{header}\tage\n{row}\t61\n")
    again = Dataset.open_or_create(dataset.root)
    tiny.add(again, seed=2)
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    assert [line[-1] for line in lines] == ["age", "61", "n/a"]
    assert [line[0] for line in lines] == ["participant_id", "sub-0001", "sub-0002"]


@pytest.mark.parametrize("name", ["sub-0001", "sub-0001_ses-01", "sub-0001_acq-2", "sub-1_ses-b_acq-c"])
def test_case_names_come_back(name):
    assert str(CaseId.parse(name)) == name


@pytest.mark.parametrize("name", ["0001", "sub-0001_dwi", "../sub-0001", "sub-0001/x"])
def test_other_names_are_no_cases(name):
    with pytest.raises(UserError, match="is not a case"):
        CaseId.parse(name)
