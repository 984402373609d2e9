from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from uteroseg.evaluation.statistics import mean_interval
from uteroseg.experiment.grid import curves
from uteroseg.experiment.summary import per_patient, summarise

from .rows import row


def cases(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def case(participant: str, dsc: float, **changes: Any) -> dict[str, Any]:
    return row(participant=participant, case=changes.pop("case", participant), dsc=dsc) | changes


WORKED = cases(
    # one source patient, three target patients; t1 has two cases, of which the second was missed
    case("s1", 0.9, test_set="source", cohort="cervical"),
    case("t1", 0.8, case="t1_ses-01"),
    case("t1", 0.0, case="t1_ses-02"),
    case("t2", 0.6),
    case("t3", 0.2),
)


def cell(summary: pd.DataFrame, test_set: str, target_cases: int = 5) -> dict[str, Any]:
    (found,) = summary[(summary["test_set"] == test_set) & (summary["target_cases"] == target_cases)].to_dict(
        "records"
    )
    return {str(key): value for key, value in found.items()}


def test_the_unit_is_the_patient_and_pooled_is_the_mean_over_all_patients() -> None:
    summary = summarise(WORKED)
    assert cell(summary, "source")["dsc_mean"] == pytest.approx(0.9)
    assert cell(summary, "target")["dsc_mean"] == pytest.approx((0.4 + 0.6 + 0.2) / 3)
    pooled = cell(summary, "pooled")
    assert pooled["dsc_mean"] == pytest.approx((0.9 + 0.4 + 0.6 + 0.2) / 4)
    assert pooled["dsc_mean"] != pytest.approx((0.9 + 0.4) / 2), "the mean of the cohorts' means"
    assert pooled["dsc_median"] == pytest.approx(0.5)
    assert (pooled["patients"], pooled["tumours"], pooled["missed_tumours"], pooled["seeds"]) == (4, 5, 1, 1)
    interval = mean_interval([0.9, 0.4, 0.6, 0.2])
    assert (pooled["dsc_low"], pooled["dsc_high"]) == pytest.approx((interval.low, interval.high))
    assert pooled["dsc_interval"] == "BCa"


def test_a_false_alarm_without_a_tumour_counts_in_the_mean_but_not_as_a_missed_tumour() -> None:
    summary = summarise(
        cases(case("t1", 0.0, volume_ml=0.0), case("t2", 1.0, volume_ml=0.0), case("t3", 0.5))
    )
    assert cell(summary, "target")["dsc_mean"] == pytest.approx(0.5)
    assert (cell(summary, "target")["tumours"], cell(summary, "target")["missed_tumours"]) == (1, 0)


def test_seeds_are_averaged_within_the_patient() -> None:
    summary = summarise(
        cases(case("t1", 0.0), case("t1", 0.6, seed=1), case("t2", 0.5), case("t2", 0.7, seed=1))
    )
    target = cell(summary, "target")
    assert target["dsc_mean"] == pytest.approx((0.3 + 0.6) / 2)
    assert (target["patients"], target["seeds"], target["tumours"], target["missed_tumours"]) == (
        2,
        2,
        2,
        0.5,
    )


def test_a_participant_id_in_both_test_sets_means_two_patients() -> None:
    summary = summarise(cases(case("p1", 0.2), case("p1", 0.8, test_set="source")))
    assert cell(summary, "pooled")["patients"] == 2


def test_one_patient_has_a_mean_and_no_interval() -> None:
    source = cell(summarise(WORKED), "source")
    assert math.isnan(source["dsc_low"])
    assert math.isnan(source["dsc_high"])
    assert source["dsc_interval"] == "none"


def test_a_test_set_without_patients_has_no_row() -> None:
    assert summarise(cases(case("t1", 0.5), case("t2", 0.4)))["test_set"].tolist() == ["target", "pooled"]


def test_the_order_of_rows_changes_nothing() -> None:
    more = pd.concat([WORKED, WORKED.assign(target_cases=0, strategy="source_only", dsc=WORKED["dsc"] / 2)])
    pd.testing.assert_frame_equal(summarise(more), summarise(more.iloc[::-1].reset_index(drop=True)))


def test_patients_are_averaged_over_cases_before_seeds() -> None:
    patients = per_patient(
        cases(case("t1", 0.2, case="a"), case("t1", 0.4, case="b"), case("t1", 0.9, case="a", seed=1))
    )
    assert patients["dsc"].tolist() == pytest.approx([(0.3 + 0.9) / 2])


def test_patients_of_every_model_and_test_set_are_kept_apart() -> None:
    patients = per_patient(pd.concat([WORKED, WORKED.assign(strategy="other", dsc=0.0)]))
    assert len(patients) == 8
    assert patients["participant"].tolist()[:4] == ["s1", "t1", "t2", "t3"]
    assert set(patients.loc[patients["strategy"] == "other", "dsc"]) == {0.0}


def points(table: pd.DataFrame) -> dict[str, list[int]]:
    return {strategy: curve["target_cases"].tolist() for strategy, curve in curves(table).items()}


def test_the_model_without_target_cases_begins_every_curve_that_lacks_a_start() -> None:
    table = pd.DataFrame([("none", 0), ("b", 13), ("b", 5), ("a", 5)], columns=["strategy", "target_cases"])
    assert points(table) == {"a": [0, 5], "b": [0, 5, 13]}


def test_a_curve_keeps_its_own_start() -> None:
    table = pd.DataFrame([("a", 0), ("a", 5), ("b", 0), ("b", 5)], columns=["strategy", "target_cases"])
    assert points(table) == {"a": [0, 5], "b": [0, 5]}


def test_without_adapted_models_the_start_is_the_curve() -> None:
    assert points(pd.DataFrame([("none", 0)], columns=["strategy", "target_cases"])) == {"none": [0]}
