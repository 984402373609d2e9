from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from uteroseg.experiment.grid import Resampling, grid
from uteroseg.experiment.outlook import (
    CROSSOVER_COLUMNS,
    NEVER,
    OVERTAKES,
    THROUGHOUT,
    ahead_from,
    crossovers,
)

from .rows import model

SIZES = (5, 13, 26, 51)


def found(gaps: tuple[float, ...], noise: float = 0.0, seeds: int = 1, patients: int = 30) -> pd.DataFrame:
    """Crossovers of ``joint``, which is ahead of ``all`` by some gaps."""
    random = np.random.default_rng(6)
    level = random.uniform(0.4, 0.6, patients)
    runs = [model("source", 0, [], level, seed) for seed in range(seeds)]
    for seed in range(seeds):
        for size, gap in zip(SIZES, gaps, strict=True):
            runs.append(model("all", size, [], level, seed))
            runs.append(model("joint", size, [], level + gap + noise * random.normal(size=patients), seed))
    return crossovers(Resampling(grid(pd.concat(runs)))).set_index(["strategy", "other", "test_set"])


def test_the_crossover_is_the_smallest_size_from_which_on_it_stays_ahead() -> None:
    table = found((0.1, -0.1, 0.1, 0.2))
    row = table.loc[("joint", "all", "target")]
    assert (row["outcome"], row["target_cases"], row["low"], row["high"]) == (OVERTAKES, 26, 26, 26)
    other = table.loc[("all", "joint", "target")]
    assert (other["outcome"], other["target_cases"], other["low"]) == (NEVER, np.inf, np.inf)


def test_ahead_throughout_and_level_curves() -> None:
    row = found((0.1, 0.1, 0.1, 0.2)).loc[("joint", "all", "pooled")]
    assert (row["outcome"], row["target_cases"]) == (THROUGHOUT, 5)
    assert set(found((0.0, 0.0, 0.0, 0.0))["outcome"]) == {NEVER}


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_gap_within_the_noise_widens_the_interval(seeds: int) -> None:
    row = found((-0.3, -0.01, 0.0, 0.3), noise=0.1, seeds=seeds).loc[("joint", "all", "target")]
    assert 5 < row["low"] < row["high"] == 51


def test_one_patient_has_no_interval() -> None:
    row = found((-0.1, -0.1, 0.1, 0.2), patients=1).loc[("joint", "all", "target")]
    assert row["target_cases"] == 26
    assert np.isnan(row["low"])


def test_one_strategy_overtakes_nobody() -> None:
    table = crossovers(Resampling(grid(model("a", 5, [0.5], [0.4]))))
    assert table.empty
    assert tuple(table.columns) == CROSSOVER_COLUMNS


def test_the_smallest_size_is_that_of_a_loop() -> None:
    differences = np.random.default_rng(7).normal(size=(200, 4))
    differences[0, 2] = np.nan
    expected = []
    for row in differences:
        place = len(row)
        while place and row[place - 1] > 0:
            place -= 1
        expected.append(np.nan if np.isnan(row).any() else SIZES[place] if place < len(row) else np.inf)
    np.testing.assert_array_equal(ahead_from(SIZES, differences), expected)
