from __future__ import annotations

import math
import warnings
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats.weightstats import DescrStatsW

from uteroseg.evaluation.agreement import bland_altman, intraclass_correlation
from uteroseg.imaging.geometry import Array

# Shrout and Fleiss 1979, table 2: four judges' ratings of six subjects.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
# Bland and Altman 1986, table 1: peak expiratory flow (l/min) by large and mini meter, first measurements.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def readings(patients: int, readers: int, seed: int, *, noise: float = 1.0, bias: float = 0.5) -> Array:
    """Patients that differ with a standard deviation of 2, readers of 0.5, and noise."""
    random = np.random.default_rng(seed)
    return np.asarray(
        10
        + random.normal(0, 2, (patients, 1))
        + random.normal(0, bias, (1, readers))
        + random.normal(0, noise, (patients, readers))
    )


def test_the_worked_example_of_shrout_and_fleiss() -> None:
    measured = intraclass_correlation(SHROUT_FLEISS)
    assert measured.patients == 6
    assert (measured.value, measured.low, measured.high) == pytest.approx((0.29, 0.02, 0.76), abs=0.005)


@pytest.mark.parametrize(
    ("patients", "readers", "noise", "bias"),
    [(3, 2, 1, 0.5), (8, 2, 1, 0), (13, 2, 0.1, 0.1), (20, 3, 1, 2), (40, 4, 3, 0.5), (150, 2, 0.5, 5)],
)
def test_the_intraclass_correlation_agrees_with_pingouin(
    patients: int, readers: int, noise: float, bias: float
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin

    table = readings(patients, readers, seed=4, noise=noise, bias=bias)
    long = pd.DataFrame(table).reset_index().melt("index", var_name="reader")
    expected = pingouin.intraclass_corr(long, targets="index", raters="reader", ratings="value")
    row = expected[expected["Type"].isin(["ICC2", "ICC(A,1)"])].iloc[0]
    measured = intraclass_correlation(table)
    assert measured.value == pytest.approx(row["ICC"], abs=1e-9)
    # pingouin rounds its interval to two decimals
    interval = row["CI95%"] if "CI95%" in row else row["CI95"]
    assert (measured.low, measured.high) == pytest.approx(tuple(interval), abs=0.0051)


def test_the_interval_holds_the_true_value_as_often_as_it_says() -> None:
    """Coverage for a known ICC of 4 / (4 + 0.25 + 1); readers are redrawn each time."""
    true, repeats = 4 / (4 + 0.25 + 1), 1500
    found = [intraclass_correlation(readings(15, 4, seed)) for seed in range(repeats)]
    assert np.mean([one.low <= true <= one.high for one in found]) == pytest.approx(0.95, abs=0.02)


def test_a_constant_difference_lowers_the_agreement_and_the_order_of_readers_does_not_matter() -> None:
    table = readings(20, 2, seed=1, bias=0)
    shifted = intraclass_correlation(table + np.array([0, 3]))
    assert shifted.value < intraclass_correlation(table).value - 0.2
    exchanged = intraclass_correlation(table[:, ::-1])
    assert asdict(exchanged) == pytest.approx(asdict(intraclass_correlation(table)))


def test_perfect_agreement_is_1_and_agreement_that_cannot_be_judged_is_not_a_number() -> None:
    same = np.column_stack([[0.1, 0.3, 0.7]] * 2)
    perfect = intraclass_correlation(same)
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    for table in (same[:2], np.full((5, 2), 0.3), [[0.3, 0.4]] * 5):
        undefined = intraclass_correlation(table)
        assert undefined.patients == len(table)
        assert all(math.isnan(value) for value in (undefined.value, undefined.low, undefined.high))


def test_readers_that_differ_by_a_constant_alone_have_an_interval() -> None:
    first = np.array([0.1, 0.3, 0.7, 1.9])
    measured = intraclass_correlation(np.column_stack([first, first + 0.1]))
    assert -1 <= measured.low < measured.value < measured.high <= 1


tables = st.tuples(st.integers(3, 8), st.integers(2, 4)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(0, 1000, width=16))
)


@given(tables)
@settings(max_examples=200, deadline=None)
def test_value_and_interval_are_in_order_or_not_a_number_together(table: Array) -> None:
    measured = intraclass_correlation(table)
    if not np.ptp(table, axis=0).any():
        assert math.isnan(measured.value)
    else:
        assert measured.low - 1e-9 <= measured.value <= measured.high + 1e-9
        assert measured.value <= 1


def test_the_worked_example_of_bland_and_altman() -> None:
    measured = bland_altman(LARGE, MINI)
    assert (measured.bias, measured.sd) == pytest.approx((-2.1, 38.8), abs=0.05)
    assert (measured.bias_low, measured.bias_high) == pytest.approx((-22.0, 17.8), abs=0.1)
    # The paper's limits are 2 standard deviations wide, −79.7 to 75.5.
    limits = np.array([measured.lower, measured.upper])
    assert (limits - measured.bias) * 2 / 1.959964 + measured.bias == pytest.approx([-79.7, 75.5], abs=0.1)
    # Its intervals, 1.96 standard errors of an approximation: −114.3 to −45.1 and 40.9 to 110.1.
    assert (measured.upper_low, measured.upper_high) == pytest.approx((40.9, 110.1), abs=15)


def test_intervals_of_bias_and_limits_agree_with_statsmodels_and_scipy() -> None:
    first, second = readings(12, 2, seed=2).T
    difference = first - second
    measured = bland_altman(first, second)
    assert (measured.bias_low, measured.bias_high) == pytest.approx(DescrStatsW(difference).tconfint_mean())
    n, sd = 12, difference.std(ddof=1)
    t = scipy.stats.nct.ppf([0.025, 0.975], n - 1, scipy.stats.norm.ppf(0.975) * math.sqrt(n))
    expected = difference.mean() + t * sd / math.sqrt(n)
    assert (measured.upper_low, measured.upper_high) == pytest.approx(tuple(expected), rel=1e-5)
    assert measured.upper == pytest.approx(difference.mean() + 1.959964 * sd)


@pytest.mark.parametrize("n", [3, 5, 12, 144])
def test_intervals_of_the_limits_hold_the_true_limits_as_often_as_they_say(n: int) -> None:
    random, repeats = np.random.default_rng(n), 3000
    found = [bland_altman(random.normal(1, 2, n), np.zeros(n)) for _ in range(repeats)]
    true = 1 + 1.959964 * 2
    assert np.mean([b.upper_low <= true <= b.upper_high for b in found]) == pytest.approx(0.95, abs=0.015)
    true = 1 - 1.959964 * 2
    assert np.mean([b.lower_low <= true <= b.lower_high for b in found]) == pytest.approx(0.95, abs=0.015)


def test_exchanging_the_measurements_mirrors_bias_and_limits() -> None:
    first, second = readings(9, 2, seed=3).T
    there, back = bland_altman(first, second), bland_altman(second, first)
    assert (there.bias, there.lower, there.upper) == pytest.approx((-back.bias, -back.upper, -back.lower))
    assert (there.lower_low, there.lower_high) == pytest.approx((-back.upper_high, -back.upper_low))


def test_equal_differences_have_limits_of_no_width_and_two_patients_have_none() -> None:
    constant = bland_altman([1.1, 2.1, 3.1], [1.0, 2.0, 3.0])
    assert constant.bias == pytest.approx(0.1)
    equal = asdict(bland_altman([1.5, 2.5, 3.5], [1, 2, 3]))
    assert (equal.pop("patients"), equal.pop("sd")) == (3, 0)
    assert set(equal.values()) == {0.5}
    two = asdict(bland_altman([1.0, 2.0], [0.0, 0.5]))
    assert (two.pop("patients"), two.pop("bias")) == (2, 1.25)
    assert all(math.isnan(value) for value in two.values())


def test_readings_that_are_missing_or_not_paired_are_a_programming_error() -> None:
    for table in ([[1, math.nan]] * 4, [1, 2, 3], [[1], [2], [3]], np.zeros((0, 2))):
        with pytest.raises(ValueError, match="one finite value per patient and reader"):
            intraclass_correlation(table)
    with pytest.raises(ValueError, match="one finite value"):
        bland_altman([1, math.inf, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="size"):
        bland_altman([1, 2, 3], [1, 2])
