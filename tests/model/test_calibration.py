import numpy as np
import pytest

from uteroseg.evaluation.metrics import dice
from uteroseg.model.calibration import MIN_CASES, fit_calibration, soft_dice


def test_right_probabilities_expect_the_dsc_that_is_reached():
    """Truths drawn from the probabilities reach, on average, what the probabilities promise."""
    random = np.random.default_rng(1)
    probability = random.beta(0.3, 0.6, size=(12, 20, 20))
    mask = probability >= 0.5
    reached = [dice(mask, random.random(mask.shape) < probability) for _ in range(200)]
    assert soft_dice(probability, mask) == pytest.approx(np.mean(reached), abs=0.002)


def test_certain_probabilities_expect_perfection_and_unsure_ones_less():
    mask = np.zeros((2, 4, 4), bool)
    mask[0, :2] = True
    assert soft_dice(mask.astype(np.float32), mask) == 1
    assert soft_dice(np.where(mask, 0.6, 0.4).astype(np.float32), mask) == pytest.approx(9.6 / 22.4)


def test_an_empty_mask_is_expected_to_be_right_only_without_any_probability():
    empty = np.zeros((2, 4, 4), bool)
    assert soft_dice(np.zeros(empty.shape, np.float32), empty) == 1
    assert soft_dice(np.full(empty.shape, 0.1, np.float32), empty) == 0


def test_the_line_is_that_of_least_squares_and_its_error_is_of_cases_left_out():
    x, y = np.array([0.2, 0.5, 0.6, 0.8, 0.9, 0.95]), np.array([0.1, 0.3, 0.6, 0.6, 0.85, 0.8])
    line = fit_calibration(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept))
    assert line.cases == 6
    errors = []
    for i in range(6):
        kept = np.arange(6) != i
        errors.append(abs(np.clip(np.polyval(np.polyfit(x[kept], y[kept], 1), x[i]), 0, 1) - y[i]))
    assert line.mean_absolute_error == pytest.approx(np.mean(errors))
    assert line.expected_dsc(0.7) == pytest.approx(intercept + slope * 0.7)
    assert line.expected_dsc(5.0) == 1
    assert line.expected_dsc(-5.0) == 0


def test_the_line_never_falls():
    line = fit_calibration([0.1, 0.3, 0.5, 0.7, 0.9], [0.9, 0.7, 0.5, 0.3, 0.1])
    assert (line.slope, line.intercept) == (0, 0.5)


def test_equal_cases_give_their_mean():
    assert fit_calibration([0.5] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]).expected_dsc(0.9) == pytest.approx(0.3)


def test_too_few_cases_give_none():
    assert fit_calibration([0.5] * (MIN_CASES - 1), [0.5] * (MIN_CASES - 1)) is None
