from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from uteroseg.evaluation import statistics
from uteroseg.evaluation.statistics import SEED, Interval, compare, describe, holm, mean_interval

VALUES = np.random.default_rng(5).beta(6, 3, 60)
SKEWED = np.random.default_rng(6).exponential(size=25)
# Hollander and Wolfe, Nonparametric Statistical Methods, 1973, page 29: depression before and after a drug
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# Darwin's maize, as tested by Cureton, Journal of the American Statistical Association 1967;62:1068
MAIZE = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]


def bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


@pytest.mark.parametrize("values", [VALUES, SKEWED, np.array([0.1, 0.3]), np.array([0.0, 0, 0, 0, 0.7])])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_that_of_scipy_on_the_same_resamples(values: np.ndarray, level: float) -> None:
    reference = scipy.stats.bootstrap(
        (values,),
        np.mean,
        method="BCa",
        confidence_level=level,
        n_resamples=2000,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    interval = mean_interval(values, level=level, resamples=2000)
    assert bounds(interval) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert interval.method == "BCa"


def test_the_interval_reaches_further_on_the_side_of_the_long_tail() -> None:
    mean = SKEWED.mean()
    low, high = bounds(mean_interval(SKEWED))
    mirrored = bounds(mean_interval(-SKEWED))
    assert high - mean > 1.2 * (mean - low)
    assert mirrored == pytest.approx((-high, -low), abs=0.02)


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(8)
    intervals = [mean_interval(random.beta(6, 3, 40), resamples=1000) for _ in range(400)]
    covered = np.mean([interval.low <= 6 / 9 <= interval.high for interval in intervals])
    assert 0.91 <= covered <= 0.98


def test_the_interval_is_the_same_every_time_and_another_seed_changes_it() -> None:
    assert mean_interval(VALUES) == mean_interval(VALUES.copy())
    assert mean_interval(VALUES) != mean_interval(VALUES, seed=1)


@pytest.mark.parametrize("value", [0.5, 0.1, 0.0])
def test_equal_values_have_a_percentile_interval_of_no_width(value: float) -> None:
    assert mean_interval([value] * 3) == Interval(value, value, "percentile")


def test_where_bca_is_not_defined_the_interval_is_percentile_and_says_so() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = mean_interval(SKEWED, resamples=1)  # no resample on the mean's other side: bias infinite
    assert interval.method == "percentile"
    assert interval.low == interval.high
    assert np.isfinite(interval.low)


@pytest.mark.parametrize("values", [[0.7], []])
def test_fewer_than_two_patients_have_no_interval(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval.method == "none"
    assert all(math.isnan(end) for end in bounds(interval))


def test_many_patients_are_resampled_in_pieces_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mean_interval(VALUES)
    monkeypatch.setattr(statistics, "_CELLS_AT_ONCE", 60 * 7)
    assert bounds(mean_interval(VALUES)) == pytest.approx(bounds(whole), abs=1e-12)


@pytest.mark.parametrize("values", [[0.5, math.nan], [[0.5, 0.6]], [0.5, math.inf]])
def test_values_that_are_missing_or_not_one_per_patient_are_a_programming_error(values: object) -> None:
    with pytest.raises(ValueError, match="one finite value per patient"):
        mean_interval(values)  # type: ignore[arg-type]


def test_a_description_has_mean_median_and_interval() -> None:
    found = describe([0.0, 0.2, 0.9, 0.7])
    assert (found.patients, found.mean, found.median) == (4, pytest.approx(0.45), pytest.approx(0.45))
    assert describe([0.0, 0.1, 0.9]).median == pytest.approx(0.1)
    assert found.interval == mean_interval([0.0, 0.2, 0.9, 0.7])


def test_nobody_is_described_as_nobody() -> None:
    found = describe([])
    assert (found.patients, found.interval.method) == (0, "none")
    assert math.isnan(found.mean)
    assert math.isnan(found.median)


@pytest.mark.parametrize(
    ("first", "second", "p", "ranks"),
    [(BEFORE, AFTER, 0.0390625, (40, 5)), (MAIZE, [0] * 15, 0.041259765625, (96, 24))],
)
def test_published_comparisons_are_reproduced(
    first: list[float], second: list[float], p: float, ranks: tuple[int, int]
) -> None:
    found = compare(first, second)
    assert found.patients == len(first)
    assert found.p == pytest.approx(p, abs=1e-12)
    assert found.effect == pytest.approx((ranks[0] - ranks[1]) / sum(ranks))
    assert found.difference == pytest.approx(np.mean(first) - np.mean(second))
    assert found.median_difference == pytest.approx(np.median(np.subtract(first, second)))
    assert found.interval == mean_interval(np.round(np.subtract(first, second), 12))


def test_the_effect_without_zeros_is_that_of_pingouin() -> None:
    import pingouin

    other = np.random.default_rng(9).beta(5, 3, 60)
    (reference,) = pingouin.wilcoxon(VALUES, other)["RBC"]
    assert compare(VALUES, other).effect == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_zeros_and_ties_in_few_patients_are_tested_exactly_after_pratt(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-2, 5, 9) / 10
    differences[:2] = 0
    size = np.abs(differences)
    ranks = np.array([(size < own).sum() + ((size == own).sum() + 1) / 2 for own in size])
    signed = abs((np.sign(differences) * ranks).sum())
    flips = [abs(np.dot(signs, ranks * (differences != 0))) for signs in itertools.product((-1, 1), repeat=9)]
    found = compare(differences, np.zeros(9))
    assert found.p == pytest.approx(np.mean(np.array(flips) >= signed - 1e-9), abs=1e-12)


@pytest.mark.parametrize("patients", [24, 89, 320])
def test_many_patients_without_ties_are_tested_exactly_as_scipy_does(patients: int) -> None:
    differences = np.random.default_rng(patients).normal(0.1, 1, patients)
    reference = scipy.stats.wilcoxon(differences, method="exact").pvalue
    assert compare(differences, np.zeros(patients)).p == pytest.approx(reference, rel=1e-9)


def test_very_many_patients_are_tested_by_the_normal_approximation() -> None:
    differences = np.random.default_rng(3).normal(0.1, 1, 501).round(1)
    reference = scipy.stats.wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue
    assert 0 in differences
    assert compare(differences, np.zeros(501)).p == pytest.approx(reference, rel=1e-9)
    exact = compare(differences[:500], np.zeros(500)).p
    approximate = scipy.stats.wilcoxon(differences[:500], zero_method="pratt", method="asymptotic").pvalue
    assert exact == pytest.approx(approximate, abs=1e-4)
    assert exact != pytest.approx(approximate, rel=1e-9)


def test_patients_in_whom_nothing_changed_count_for_neither_model() -> None:
    assert compare([0.5, 0.6, 0.7], [0.1, 0.1, 0.1]).effect == 1
    assert compare([0.1, 0.1, 0.1], [0.5, 0.6, 0.7]).effect == -1
    found = compare([0.0, 0.6, 0.7], [0.0, 0.1, 0.1])
    assert found.effect == pytest.approx(5 / 6)
    assert found.p == 0.5


@pytest.mark.parametrize("patients", [1, 60, 600])
def test_two_models_that_do_the_same_do_not_differ(patients: int) -> None:
    values = np.resize(VALUES, patients)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(values, values)
    assert (found.difference, found.p, found.effect) == (0, 1, 0)
    assert found.interval.method == ("percentile" if patients > 1 else "none")


def test_what_rounding_makes_of_equal_differences_is_a_tie() -> None:
    # 0.3 − 0.2 and 0.2 − 0.1 differ in the 17th decimal; as a tie the effect is 0
    assert 0.3 - 0.2 != 0.2 - 0.1
    assert compare([0.3, 0.1], [0.2, 0.2]).effect == 0
    assert compare([0.1 + 0.2], [0.3]).p == 1


@pytest.mark.parametrize(("first", "second"), [([0.1, 0.2], [0.1]), ([], []), ([0.1], [0.1, 0.2])])
def test_other_patients_cannot_be_compared(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="the same patients twice"):
        compare(first, second)


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]).tolist() == [0.8, 0.9]
    assert holm([0.02]).tolist() == [0.02]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.4, 3, 1 + seed).round(3)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-14)
