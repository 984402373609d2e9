import json
from dataclasses import asdict

import pytest

from tests.evaluation.rows import SHAPE, row
from uteroseg.evaluation.agreement import bland_altman
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.statistics import describe
from uteroseg.evaluation.summary import AGREEMENT, agreement, by_cohort, patient_values, summarise

DIAGONAL = sum((n * mm) ** 2 for n, mm in zip(SHAPE, (4, 2, 2), strict=True)) ** 0.5


def strict(values):
    """Through JSON, in which no "not a number" may stand."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(json.dumps(values), parse_constant=refuse)


def group(*rows):
    return strict(summarise(rows, tolerance_mm=2))["groups"]["pooled"]


def test_cases_of_a_patient_are_averaged_first_and_pooled_is_over_all_patients():
    rows = [
        row("a", 4, 4, cohort="cervical"),
        row("b", 4, 2, cohort="cervical", case="b_ses-01"),
        row("b", 4, 4, cohort="cervical", case="b_ses-02"),
        row("c", 2, 0),
    ]
    summary = strict(summarise(rows, tolerance_mm=2))
    assert list(summary["groups"]) == list(summary["agreement"]) == ["cervical", "uterine", "pooled"]
    cervical, pooled = summary["groups"]["cervical"], summary["groups"]["pooled"]
    assert (cervical["patients"], cervical["cases"]) == (2, 3)
    b = (2 / 3 + 1) / 2
    assert cervical["dsc"]["mean"] == pytest.approx((1 + b) / 2)
    assert (pooled["patients"], pooled["cases"]) == (3, 4)
    assert pooled["dsc"]["patients"] == 3
    assert pooled["dsc"]["mean"] == pytest.approx((1 + b + 0) / 3)
    assert pooled["dsc"]["median"] == pytest.approx(b)
    expected = asdict(describe([1, b, 0]).interval)
    assert {name: pooled["dsc"][name] for name in expected} == pytest.approx(expected)


def test_a_missed_tumour_counts_with_the_worst_values_and_is_told():
    found = group(row("a", 4, 4), row("b", 4, 0), row("c", 0, 2), row("d", 2, 2))
    assert (found["tumours"], found["missed_tumours"], found["worst_values"]) == (3, 1, 2)
    assert found["dsc"]["mean"] == found["nsd_2mm"]["mean"] == 0.5
    assert found["hd95_mm"]["mean"] == pytest.approx(DIAGONAL / 2)
    assert found["hd95_mm"]["median"] == pytest.approx(DIAGONAL / 2)
    assert found["diameter_error_mm"]["patients"] == 4


def test_a_tumour_beside_the_prediction_is_missed_without_worst_values():
    touching = {**row("a", 4, 4), "dsc": 0.0}
    found = group(touching)
    assert (found["missed_tumours"], found["worst_values"]) == (1, 0)


def test_patients_without_a_tumour_have_a_false_positive_rate():
    found = group(
        row("a", 0, 0),
        row("b", 0, 2, case="b_ses-01"),
        row("b", 0, 0, case="b_ses-02"),
        row("c", 0, 3),
        row("d", 3, 3),
    )
    assert found["tumour_free"] == {"patients": 3, "false_positive_rate": pytest.approx((0 + 0.5 + 1) / 3)}
    assert found["volume_error_percent"]["patients"] == 1
    assert found["volume_error_ml"]["patients"] == 4
    assert found["lesions"] == {
        "lesions": 1,
        "detected": 1,
        "sensitivity": 1,
        "false_positive_components": 2,
        "false_positive_components_per_patient": pytest.approx((0 + 0.5 + 1 + 0) / 4),
    }


def test_an_empty_prediction_of_a_patient_without_a_tumour_is_perfect():
    found = group(row("a", 0, 0), row("b", 0, 0))
    assert (found["tumours"], found["missed_tumours"], found["worst_values"]) == (0, 0, 0)
    assert found["tumour_free"] == {"patients": 2, "false_positive_rate": 0}
    assert found["dsc"]["mean"] == found["nsd_2mm"]["mean"] == found["ppv"]["mean"] == 1
    assert found["hd95_mm"]["mean"] == 0
    assert found["lesions"]["sensitivity"] is None
    assert found["volume_error_percent"] == {
        "patients": 0,
        "mean": None,
        "low": None,
        "high": None,
        "method": "none",
        "median": None,
    }


def test_nothing_measured_is_said_without_a_number():
    summary = strict(summarise([], tolerance_mm=2))
    pooled = summary["groups"]["pooled"]
    assert (pooled["patients"], pooled["cases"], pooled["dsc"]["mean"]) == (0, 0, None)
    assert pooled["tumour_free"] == {"patients": 0, "false_positive_rate": None}
    assert summary["agreement"] == {"pooled": {}}
    assert summary["strata"] == {"dsc": {"histology": {}, "scanner": {}}, "volume_tertiles_ml": None}


def test_the_rules_stand_beside_the_numbers():
    summary = summarise([row("a", 2, 2, nsd_3mm=0.7)], tolerance_mm=3)
    assert summary["nsd_tolerance_mm"] == 3
    assert summary["groups"]["pooled"]["nsd_3mm"]["mean"] == 0.7
    assert summary["empty_masks"] == EMPTY_RULE
    assert "patient" in summary["unit"]
    assert "bootstrap" in summary["intervals"]
    assert "connected component" in summary["lesions"]


def test_strata_are_by_histology_scanner_and_volume_of_the_patient():
    rows = [
        row("a", 1, 1, histology="squamous", scanner="X"),
        row("b", 2, 1, histology="squamous"),
        row("c", 3, 3, histology=""),
        row("d", 0, 0, histology="squamous", scanner="X"),
    ]
    strata = strict(summarise(rows, tolerance_mm=2))["strata"]
    dsc = strata["dsc"]
    assert {name: found["patients"] for name, found in dsc["histology"].items()} == {
        "squamous": 3,
        "not stated": 1,
    }
    assert dsc["histology"]["squamous"]["mean"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert {name: found["patients"] for name, found in dsc["scanner"].items()} == {"X": 2, "not stated": 2}
    one = rows[0]["volume_ml"]
    assert strata["volume_tertiles_ml"] == pytest.approx([one * 5 / 3, one * 7 / 3])
    assert [found["patients"] for found in dsc["volume"].values()] == [1, 1, 1, 1]
    assert next(iter(dsc["volume"])) == "no tumour"
    assert list(dsc["volume"].values())[2]["mean"] == pytest.approx(2 / 3)


def test_agreement_is_of_one_value_per_patient_automatic_less_manual():
    rows = [
        row("a", 1, 2, case="a_ses-01"),
        row("a", 3, 3, case="a_ses-02"),
        row("b", 2, 3),
        row("c", 4, 1),
    ]
    found = agreement(rows)
    assert list(found) == list(AGREEMENT)
    one = rows[0]["volume_ml"]
    expected = bland_altman([2.5 * one, 3 * one, one], [2 * one, 2 * one, 4 * one])
    assert found["volume_ml"]["bland_altman"] == pytest.approx(asdict(expected))
    assert found["volume_ml"]["measure"] == "volume, mL"
    assert found["volume_ml"]["icc_a1"]["value"] < -1, "the patients' means are all the same"


def test_patients_without_a_value_are_left_out_and_counted():
    rows = [row("a", 1, 2), row("b", 2, 0), row("c", 4, 1), row("d", 3, 3), row("e", 0, 0)]
    found = agreement([*rows, row("a", 1, 0, case="a_ses-02"), row("b", 2, 0, case="b_ses-02")])
    volume, adc = found["volume_ml"], found["adc_mean"]
    assert (volume["patients"], volume["patients_left_out"]) == (5, 0), "an empty mask has a volume"
    assert (adc["patients"], adc["patients_left_out"]) == (3, 2), "an empty mask has no ADC"
    assert "adc_mean" not in agreement([row("a", 1, 0)])


@pytest.mark.parametrize("patients", [1, 2])
def test_too_few_patients_agree_in_no_number_but_the_bias(patients):
    rows = [row(name, 2, 3) for name in "ab"[:patients]]
    found = strict(summarise(rows, tolerance_mm=2))["agreement"]["pooled"]["volume_ml"]
    assert found["icc_a1"] == {"patients": patients, "value": None, "low": None, "high": None}
    stated = {name: value for name, value in found["bland_altman"].items() if value is not None}
    assert stated == {"patients": patients, "bias": pytest.approx(rows[0]["volume_error_ml"])}


def test_cohorts_are_in_order_and_values_that_are_not_defined_left_out():
    rows = [row("b", 0, 0, cohort="z"), row("a", 2, 1, cohort="c")]
    groups = by_cohort(rows)
    assert [(name, len(members)) for name, members in groups.items()] == [("c", 1), ("z", 1), ("pooled", 2)]
    assert patient_values(rows, "volume_error_percent") == {"a": pytest.approx(-50)}
    assert patient_values(rows, "no such measure") == {}
