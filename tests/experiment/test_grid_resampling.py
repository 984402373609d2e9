from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from uteroseg.evaluation.statistics import mean_interval
from uteroseg.experiment.grid import RESAMPLES, Resampling, bounds, grid

from .rows import model


def resampling(dsc: np.ndarray, source: int = 0) -> Resampling:
    """Of one model; ``dsc`` has a row for each seed, its first columns are source patients."""
    runs = [model("a", 5, row[:source], row[source:], seed) for seed, row in enumerate(dsc)]
    return Resampling(grid(pd.concat(runs)))


def test_the_spread_is_that_of_patients_and_of_seeds() -> None:
    random = np.random.default_rng(2)
    patients, seeds = random.normal(0, 0.08, 60), np.array([-0.03, 0.0, 0.05, -0.02])
    found = resampling(0.5 + patients[None] + seeds[:, None])
    expected = np.sqrt(patients.var() / 60 + seeds.var() / 4)  # without interaction the two add up
    assert found.means("pooled")[:, 0].std() == pytest.approx(expected, rel=0.05)
    low, high, method = found.interval("pooled", 0)
    assert high - low == pytest.approx(2 * 1.96 * expected, rel=0.07)
    assert low < 0.5 + patients.mean() + seeds.mean() < high
    assert method == "patients and seeds"


def test_seeds_that_differ_widen_the_interval() -> None:
    patients = np.random.default_rng(3).uniform(0.4, 0.8, 30)
    narrow, wide = (
        resampling(np.stack([patients - gap, patients, patients + gap])).interval("pooled", 0)
        for gap in (0.0, 0.1)
    )
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_patients_are_drawn_within_their_test_set() -> None:
    dsc = np.stack([np.repeat([0.9, 0.3], [5, 15])] * 2)
    found = resampling(dsc, source=5)
    assert np.ptp(found.means("pooled")) == pytest.approx(0), "the share of each cohort stays the same"
    assert found.means("pooled")[0, 0] == pytest.approx((5 * 0.9 + 15 * 0.3) / 20)


def test_one_seed_has_the_interval_of_patients() -> None:
    dsc = np.random.default_rng(4).uniform(0, 1, (1, 12))
    expected = mean_interval(dsc[0])
    low, high, method = resampling(dsc).interval("target", 0)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert method == "BCa"
    assert "between trainings" in resampling(dsc).rule
    assert "seeds" not in resampling(dsc).rule


def test_differences_are_within_patients_and_seeds() -> None:
    first = np.random.default_rng(5).uniform(0.2, 0.8, (3, 20))
    runs = [model("a", 5, [], row, seed) for seed, row in enumerate(first)]
    runs += [model("b", 5, [], row + 0.1, seed) for seed, row in enumerate(first)]
    found = Resampling(grid(pd.concat(runs)))
    assert found.interval("target", 1, 0)[:2] == pytest.approx((0.1, 0.1))


def test_a_seed_without_a_run_is_left_out() -> None:
    runs = [
        model("a", 5, [], [0.2, 0.4], 0),
        model("a", 5, [], [0.4, 0.6], 1),
        model("b", 5, [], [0.6, 0.8], 1),
    ]
    found = Resampling(grid(pd.concat(runs)))
    assert found.means("target").shape == (RESAMPLES, 2)
    never_drawn = np.isnan(found.means("target")[:, 1])
    assert never_drawn.mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.round(found.means("target")[~never_drawn, 1], 9)) == {0.6, 0.7, 0.8}
    assert found.interval("target", 1)[:2] == (0.6, 0.8)


def test_one_patient_has_no_interval() -> None:
    assert resampling(np.array([[0.4], [0.5]])).interval("target", 0).method == "none"


def test_bounds_can_be_infinite() -> None:
    assert bounds([*range(1, 97), np.inf, np.inf, np.inf, np.inf, np.nan]) == (3, np.inf)
    assert all(np.isnan(bounds([])))
