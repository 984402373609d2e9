from __future__ import annotations

import math
from typing import Any

import pytest

from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import (
    cases_of,
    cautions,
    count,
    crossing,
    difference,
    difference_interval,
    interval,
    p_value,
)

from .sections import with_analysis


def test_without_an_interval_none_is_claimed() -> None:
    assert interval(math.nan, math.nan, "none") == "–"
    assert difference_interval(math.nan, math.nan, "none") == "–"


def test_an_interval_that_is_not_bca_is_marked() -> None:
    assert interval(0.5, 0.625, "BCa") == "0.50–0.62"
    assert interval(0.5, 0.5, "percentile") == "0.50–0.50*"
    assert difference_interval(-0.25, 0.1, "BCa") == "−0.25 to +0.10"
    assert difference_interval(0.0, 0.0, "percentile") == "0.00 to 0.00*"
    assert interval(0.5, 0.625, "patients and seeds") == "0.50–0.62"


def test_an_interval_of_cases_can_run_to_never() -> None:
    assert crossing(5, 1024) == "5 to 1,024"
    assert crossing(26, math.inf) == "26 to never"
    assert crossing(math.inf, math.inf) == "never"
    assert crossing(math.nan, math.nan) == ""


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.214, "+0.21"), (-0.214, "−0.21"), (0.001, "0.00"), (-0.001, "0.00"), (0, "0.00"), (-1, "−1.00")],
)
def test_differences_have_a_sign_unless_they_round_to_none(value: float, written: str) -> None:
    assert difference(value) == written


@pytest.mark.parametrize(
    ("p", "written"), [(0.0009, "< 0.001"), (0.001, "0.001"), (0.0499, "0.050"), (1.0, "1.000")]
)
def test_p_values_have_three_decimals(p: float, written: str) -> None:
    assert p_value(p) == written


def test_few_patients_and_few_seeds_are_cautioned_about(single: Context) -> None:
    def with_(**columns: Any) -> list[str]:
        return cautions(with_analysis(single, summary=single.summary.assign(**columns)))

    one_seed, few = cautions(single)
    assert one_seed.startswith("Each model was trained once")
    assert "fewer than 10 patients (here 8 cervical patients)" in few
    assert with_(seeds=3, patients=20) == []
    mixed = with_(seeds=[1, *[3] * (len(single.summary) - 1)], patients=20)
    assert mixed == ["Some models were trained once (one seed), others several times."]
    assert "1 cervical patient and 1 uterine patient" in with_(patients=1)[1]
    only_target = single.summary[single.summary["test_set"] != "source"]
    assert len(cautions(with_analysis(single, summary=only_target))) == 1


@pytest.mark.parametrize(("number", "written"), [(3.0, "3"), (4 / 3, "1.3"), (0, "0")])
def test_counts_are_whole_unless_they_are_means(number: float, written: str) -> None:
    assert count(number) == written


def test_one_case_is_singular() -> None:
    assert (cases_of("uterine", 1), cases_of("uterine", 0)) == ("1 uterine case", "0 uterine cases")
