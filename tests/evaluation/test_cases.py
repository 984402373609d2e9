import csv
import shutil

import pytest

from tests import tiny
from uteroseg.errors import UserError
from uteroseg.evaluation.cases import (
    measure_cases,
    predicted_mask,
    require_cases,
    summarise,
    write_rows,
)


def annotation(dataset, case):
    return dataset.root / case.annotation("nii.gz")


def test_masks_are_found_in_both_layouts(tiny_cohorts, tmp_path):
    first, second, third = tiny_cohorts.cases("cervical")[:3]
    (tmp_path / str(first)).mkdir()
    shutil.copy(annotation(tiny_cohorts, first), tmp_path / str(first) / "mask.nii.gz")
    shutil.copy(annotation(tiny_cohorts, second), tmp_path / f"{second}.nii.gz")
    rows, problems = measure_cases(
        tiny_cohorts, [first, second, third], lambda case: predicted_mask(tmp_path, case)
    )
    assert [row["dsc"] for row in rows] == [1, 1]
    assert len(problems) == 1
    assert problems[0].startswith(f"{third}: ")


def test_a_prediction_on_another_grid_is_a_problem_and_no_score(tiny_cohorts, tmp_path):
    from tests.grids import grid
    from uteroseg.imaging.nifti import write_mask

    case = tiny_cohorts.cases()[0]
    _, other = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    write_mask(tmp_path / f"{case}.nii.gz", other)
    rows, problems = measure_cases(tiny_cohorts, [case], lambda c: predicted_mask(tmp_path, c))
    assert not rows
    assert "grids differ" in problems[0]


def test_the_mean_is_over_patients_and_pooled_over_all_of_them():
    rows = [
        {"participant": p, "cohort": c, "dsc": d, "volume_ml": 1.0, "predicted_volume_ml": v}
        for p, c, d, v in (
            ("a", "cervical", 0.8, 1.0),
            ("b", "cervical", 0.6, 1.0),
            ("b", "cervical", 0.2, 1.0),
            ("c", "uterine", 0.0, 0.0),
        )
    ]
    summary = summarise(rows)["dsc"]
    assert summary["cervical"] == {"patients": 2, "mean": 0.6, "missed_tumours": 0}
    assert summary["uterine"] == {"patients": 1, "mean": 0.0, "missed_tumours": 1}
    assert summary["pooled"] == {"patients": 3, "mean": 0.4, "missed_tumours": 1}
    assert summarise([])["dsc"]["pooled"]["mean"] is None


def test_only_the_wanted_split_is_measured(tiny_cohorts, tmp_path):
    assert len(require_cases(tiny_cohorts, "test")) == 4
    assert len(require_cases(tiny_cohorts, "all")) == 10
    with pytest.raises(UserError, match="no split 'tset'"):
        require_cases(tiny_cohorts, "tset")
    with pytest.raises(UserError, match="no test cases"):
        require_cases(tiny.cohorts(tmp_path / "d", train=1, test=0), "test")


def test_rows_are_written_as_a_table(tmp_path):
    write_rows(tmp_path / "cases.csv", [{"case": "sub-0001", "dsc": 0.5}])
    with (tmp_path / "cases.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"case": "sub-0001", "dsc": "0.5"}]
