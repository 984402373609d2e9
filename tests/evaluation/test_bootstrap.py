from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from uteroseg.evaluation import bootstrap
from uteroseg.evaluation.bootstrap import percentile_interval

VALUES = np.random.default_rng(5).beta(6, 3, 60)


def test_the_interval_is_the_same_every_time_and_another_seed_changes_it() -> None:
    assert percentile_interval(VALUES) == percentile_interval(VALUES.copy())
    assert percentile_interval(VALUES) != percentile_interval(VALUES, seed=1)


def test_the_interval_agrees_with_scipy() -> None:
    reference = scipy.stats.bootstrap(
        (VALUES,), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert percentile_interval(VALUES, resamples=20000) == pytest.approx(
        (reference.low, reference.high), abs=2e-3
    )


def test_the_interval_holds_the_mean_and_widens_with_the_level() -> None:
    low, high = percentile_interval(VALUES)
    lower, higher = percentile_interval(VALUES, level=0.99)
    assert lower < low < VALUES.mean() < high < higher


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert percentile_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_one_patient_has_no_interval() -> None:
    assert all(math.isnan(end) for end in percentile_interval([0.7]))


def test_many_patients_are_resampled_in_pieces_with_the_same_number_of_resamples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = percentile_interval(VALUES)
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 60 * 7)
    assert percentile_interval(VALUES) == pytest.approx(whole)


@pytest.mark.parametrize("values", [[0.5, math.nan], [[0.5, 0.6]]])
def test_values_that_are_missing_or_not_one_per_patient_are_a_programming_error(values: object) -> None:
    with pytest.raises(ValueError, match="one finite value per patient"):
        percentile_interval(values)  # type: ignore[arg-type]
