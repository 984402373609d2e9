import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import Participant, read_participants
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dataset.study_files import read_study
from uteroseg.dataset.visits import Visit
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.study import Volume


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


def test_cases_without_a_mask_are_cases_and_none_with_one_is_an_error(dataset):
    bare = tiny.add(dataset, seed=2, split="train", with_mask=False)
    with pytest.raises(UserError, match="0 of 1 cervical train cases are annotated"):
        dataset.annotated_cases("cervical", "train")
    annotated = tiny.add(dataset, seed=1, split="train")
    assert dataset.annotated_cases("cervical", "train") == [annotated]
    assert dataset.cases("cervical", "train") == [bare, annotated]
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


def t2_of(study):
    """An image on a grid of its own."""
    image = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    return Volume(image, grid("axial", (4, 5, 6), (5, 1, 1)), {"EchoTime": 0.1, "Manufacturer": "Siemens"})


def test_a_t2_lies_on_its_own_grid_beside_the_diffusion_images(dataset):
    study, _ = tiny.study()
    visit = Visit("v", "n/a", one_of_several=True)
    case = dataset.add(NewCase(study, Participant("", "cervical"), "k", visit=visit, t2=t2_of(study)))
    assert str(case.t2w("nii.gz")) == "sub-0001/ses-01/anat/sub-0001_ses-01_T2w.nii.gz"
    read = Dataset.open(dataset.root).load_t2(case)
    np.testing.assert_array_equal(read.image, t2_of(study).image)
    assert read.geometry.difference(t2_of(study).geometry, tolerance_mm=1e-3) is None
    assert read.acquisition == {"EchoTime": 0.1, "Manufacturer": "Siemens"}


def everything(root):
    return {path: path.stat().st_mtime_ns for path in (root.parent, *root.parent.rglob("*"))}


def adding(dataset):
    """Everything that can come: what it is called, and what it is refused with."""
    told = []

    def told_of(what, *arguments, **options):
        try:
            told.append(str(what(*arguments, **options)))
        except UserError as error:
            told.append(error.found)

    def visit(key):
        return Visit(key, "1900-01-01", one_of_several=True)

    for seed, patient, when in ((1, "p", "a"), (2, "p", "b"), (3, "p", "a"), (4, "q", "a")):
        study, mask = tiny.study(seed)
        who = Participant("", "cervical", source_key=patient, others={"grade": "2"})
        new = NewCase(study, who, f"k{seed}", None if seed == 3 else mask, visit=visit(when), with_adc=True)
        told_of(dataset.add, new)
        told_of(dataset.add, replace(new, participant=replace(who, cohort="uterine")))
        told_of(dataset.find, f"k{seed}")
    wrong = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))[1]
    told_of(dataset.add, replace(new, mask=wrong))
    told_of(dataset.add, replace(new, study=replace(study, adc_b_min=500)))
    told_of(dataset.add, replace(new, participant=Participant("", "cervical", others={"Birth date": "1"})))
    bare, case = dataset.find("k3"), dataset.find("k1")
    first, second = tiny.study(1)[1], tiny.study(2)[1]
    for who, mask in ((case, first), (case, second), (bare, first), (bare, first), (bare, wrong)):
        told_of(dataset.add_mask, who, mask, {})
        told_of(dataset.replace_mask, who, mask, {})
        told_of(dataset.same_mask, who, first)
        told_of(dataset.has_mask, who)
    told_of(dataset.has_t2, bare)
    for grade in ("2", "3", ""):
        told_of(dataset.update_participant, "sub-0001", {"grade": grade, "FIGO": "IB"})
    told += [str(case) for case in dataset.cases()]
    return told, dataset.participants, dataset.cohorts(), dataset.needs_key


@pytest.mark.parametrize("there_already", [False, True])
def test_a_run_that_only_looks_gets_the_same_names_and_errors_and_writes_nothing(tmp_path, there_already):
    outcomes = []
    for name, write in (("looked", False), ("written", True)):
        root = tmp_path / name / "data"
        root.parent.mkdir()
        if there_already:
            tiny.add(Dataset.open_or_create(root), seed=9, patient="p")
        before = everything(root)
        outcomes.append(adding(Dataset.open_or_create(root, write=write)))
        if not write:
            assert everything(root) == before
    assert outcomes[0] == outcomes[1]
    names = outcomes[0][0]
    assert {"sub-0001_ses-01", "sub-0001_ses-02"} <= set(names) or there_already
    assert any("in the cohort 'cervical' already" in one for one in names)
    assert any("grids differ" in one for one in names)
    assert any("b-value" in one for one in names)


def test_a_folder_of_something_else_is_refused_by_a_run_that_only_looks_too(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a uteroseg dataset"):
        Dataset.open_or_create(tmp_path, write=False)


def test_cohorts_are_counted_by_patient(dataset):
    for seed, cohort in ((1, "uterine"), (2, "cervical"), (3, "uterine")):
        tiny.add(dataset, cohort, seed=seed)
    tiny.add(dataset, "uterine", seed=4, patient="uterine-3")
    assert list(dataset.cohorts().items()) == [("cervical", 1), ("uterine", 2)]


def test_patients_with_a_keyed_hash_need_the_key_whatever_their_source(dataset):
    tiny.add(dataset, seed=1)
    assert not dataset.needs_key  # simulated: known by number and seed
    tiny.add(dataset, seed=2, patient="0123456789abcdef" * 2)
    assert dataset.needs_key
    assert dataset.find_participant("0123456789abcdef" * 2).participant_id == "sub-0002"
    assert dataset.find_participant("nobody") is None


def test_patients_whom_nothing_tells_are_not_one(dataset):
    for seed in (1, 2):
        tiny.add(dataset, seed=seed, patient="n/a")
    assert list(map(str, dataset.cases())) == ["sub-0001", "sub-0002"]


def test_columns_of_a_table_enter_once_and_are_described(dataset):
    case = tiny.add(dataset)
    dataset.update_participant(case.participant, {"Site": "cervix", "FIGO": "IB1", "Grade": "n/a", "": ""})
    person = Dataset.open(dataset.root).participants[case.participant]
    assert (person.site, person.histology, dict(person.others)) == ("cervix", "squamous", {"FIGO": "IB1"})
    assert "FIGO" in read_json(dataset.root / "participants.json")
    dataset.update_participant(case.participant, {"figo": " IB1 ", "histology": "squamous"})
    with pytest.raises(UserError, match="FIGO of sub-0001 is 'IB1' in the dataset, and now 'II'"):
        dataset.update_participant(case.participant, {"figo": "II", "other": "1"})
    assert Dataset.open(dataset.root).participants[case.participant] == person
    with pytest.raises(UserError, match="histology of sub-0001 is 'squamous'"):
        dataset.update_participant(case.participant, {"histology": "clear cell"})


@pytest.mark.parametrize("column", ["cohort", "Split", "source_key", "Participant_ID"])
def test_our_own_columns_are_not_filled_by_a_table(dataset, column):
    case = tiny.add(dataset)
    with pytest.raises(UserError, match="keeps it itself"):
        dataset.update_participant(case.participant, {column: "test"})


@pytest.mark.parametrize(
    "column", ["Name", "patient", "PatientID", "patient_id", "birth date", "DateOfBirth", "MRN", "study UID"]
)
def test_a_column_that_tells_who_or_when_does_not_enter(dataset, column):
    case = tiny.add(dataset)
    before = (dataset.root / "participants.tsv").read_bytes()
    with pytest.raises(UserError, match="may tell who"):
        dataset.update_participant(case.participant, {column: "X"})
    assert (dataset.root / "participants.tsv").read_bytes() == before


@pytest.mark.parametrize(
    "column", ["age", "FIGO", "menopausal", "Ki-67", "patient_sex", "candidate", "stage 2023"]
)
def test_a_column_of_the_clinic_enters(dataset, column):
    case = tiny.add(dataset)
    dataset.update_participant(case.participant, {column: 'a\tb\n"c'})
    person = Dataset.open(dataset.root).participants[case.participant]
    assert person.others[column] == "a b 'c"
    dataset.update_participant(case.participant, {column: 'a b "c'})


def test_a_table_that_is_no_utf_8_is_named(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_bytes("participant_id\tcohort\nsub-1\tGebärmutter\n".encode("latin-1"))
    with pytest.raises(UserError, match="cannot be read"):
        read_participants(table)
