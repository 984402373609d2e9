import csv

import numpy as np
import pytest

from tests import tiny
from tests.evaluation.folders import near
from tests.grids import grid
from uteroseg.errors import UserError
from uteroseg.evaluation.measurements import measure_cases, require_cases, write_rows
from uteroseg.evaluation.metrics import measure_case
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask


def test_a_row_says_who_the_case_is_and_what_was_measured(tiny_cohorts):
    case = tiny_cohorts.cases("uterine")[0]
    measured = measure_cases(
        tiny_cohorts, [case], lambda c: near(tiny_cohorts, c), tolerance_mm=3, with_adc=True
    )
    assert measured.problems == []
    (row,) = measured.rows
    who = {
        "case": str(case),
        "participant": case.participant,
        "cohort": "uterine",
        "histology": "squamous",
        "scanner": "Nobody",
    }
    adc = tiny_cohorts.load_study(case).fit().adc
    truth = tiny_cohorts.load_mask(case)
    assert row == {**who, **measure_case(near(tiny_cohorts, case), truth, tolerance_mm=3, adc=adc)}
    assert 0 < row["dsc"] < 1
    assert "nsd_3mm" in row
    assert row["adc_mean"] == pytest.approx(adc[truth.data].mean(), rel=1e-5)


def test_a_case_that_fails_is_named_and_the_others_are_measured(tiny_cohorts):
    cases = tiny_cohorts.cases()[:3]
    done = []

    def mask_of(case):
        if case == cases[1]:
            raise UserError("It is gone.", expected="a mask.", fix="find it.")
        return tiny_cohorts.load_mask(case)

    measured = measure_cases(tiny_cohorts, cases, mask_of, on_case=done.append)
    assert [row["case"] for row in measured.rows] == [str(cases[0]), str(cases[2])]
    assert measured.problems == [f"{cases[1]}: It is gone. Expected: a mask. Fix: find it."]
    assert done == [1, 2, 3]
    assert "adc_mean" not in measured.rows[0]


def test_another_grid_is_a_problem_and_no_score(tiny_cohorts):
    _, other = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    measured = measure_cases(tiny_cohorts, tiny_cohorts.cases()[:1], lambda _: other)
    assert not measured.rows
    assert "grids differ" in measured.problems[0]


def test_a_truth_that_is_gone_or_on_another_grid_than_its_study_is_a_problem(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=1, test=0)
    first, second = dataset.cases()
    (dataset.root / first.annotation("nii.gz")).unlink()
    elsewhere = Mask(np.ones((3, 4, 5), bool), grid(shape=(3, 4, 5)))
    write_mask(dataset.root / second.annotation("nii.gz"), elsewhere)
    measured = measure_cases(dataset, [first, second], lambda _: elsewhere, with_adc=True)
    assert not measured.rows
    assert "does not exist" in measured.problems[0]
    assert "Truth and study: the grids differ" in measured.problems[1]


def test_only_the_wanted_split_is_measured(tiny_cohorts, tmp_path):
    assert len(require_cases(tiny_cohorts, "test")) == 4
    assert len(require_cases(tiny_cohorts, "train")) == 6
    assert len(require_cases(tiny_cohorts, "all")) == 10
    with pytest.raises(UserError, match="no split 'tset'"):
        require_cases(tiny_cohorts, "tset")
    with pytest.raises(UserError, match="no test cases"):
        require_cases(tiny.cohorts(tmp_path / "d", train=1, test=0), "test")


def test_rows_are_written_as_a_table_with_empty_cells_where_there_is_no_value(tmp_path):
    write_rows(
        tmp_path / "cases.csv", [{"case": "a", "dsc": 0.1 + 0.2}, {"case": "b", "dsc": None, "further": 1}]
    )
    with (tmp_path / "cases.csv").open() as file:
        assert list(csv.DictReader(file)) == [
            {"case": "a", "dsc": "0.30000000000000004", "further": ""},
            {"case": "b", "dsc": "", "further": "1"},
        ]
    write_rows(tmp_path / "none.csv", [])
    assert (tmp_path / "none.csv").read_text() == "case\n"
