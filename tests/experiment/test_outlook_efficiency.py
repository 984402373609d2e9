from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from uteroseg.experiment.grid import Resampling, grid
from uteroseg.experiment.outlook import EFFICIENCY_COLUMNS, cases_needed, label_efficiency

from .rows import model

PATIENTS = np.linspace(-0.1, 0.1, 20)


def resampling(curves: dict[str, dict[int, float]], noise: float = 0.0, seeds: int = 1) -> Resampling:
    random = np.random.default_rng(8)
    runs = [model("source", 0, [], 0.2 + PATIENTS, seed) for seed in range(seeds)]
    for strategy, curve in curves.items():
        for size, dsc in curve.items():
            for seed in range(seeds):
                runs.append(model(strategy, size, [], dsc + PATIENTS + noise * random.normal(size=20), seed))
    return Resampling(grid(pd.concat(runs)))


ALL = {5: 0.3, 20: 0.4, 40: 0.5, 80: 0.6}


def test_cases_are_read_off_between_the_sizes_over_log_n() -> None:
    table = label_efficiency(resampling({"all": ALL, "b": {5: 0.3, 20: 0.6, 80: 0.7}})).set_index("strategy")
    assert table.loc["all", "reference_cases"] == 40
    assert table.loc["all", "reference_dsc"] == pytest.approx(0.5)
    assert table.loc["all", "target_cases"] == pytest.approx(40)
    assert table.loc["b", "target_cases"] == pytest.approx(5 * (20 / 5) ** (2 / 3))  # 0.5 lies two thirds up
    assert table.loc["b", "low"] == pytest.approx(table.loc["b", "high"])  # all patients move together


def test_a_level_that_is_not_reached_and_one_that_is_at_once() -> None:
    table = label_efficiency(resampling({"all": ALL, "poor": {5: 0.2, 80: 0.45}, "rich": {5: 0.5, 80: 0.6}}))
    assert dict(zip(table["strategy"], table["target_cases"], strict=True)) == {
        "all": pytest.approx(40), "poor": np.inf, "rich": pytest.approx(5)
    }  # fmt: skip


def test_half_is_of_the_cases_that_there_are() -> None:
    (level,) = label_efficiency(resampling({"all": ALL}), available=40)["reference_dsc"]
    assert level == pytest.approx(0.4)
    (between,) = label_efficiency(resampling({"all": ALL}), available=56)["reference_dsc"]
    assert between == pytest.approx(0.4 + 0.1 * np.log(28 / 20) / np.log(2))
    assert label_efficiency(resampling({"all": ALL}), available=400).empty, "beyond what was tried"


def test_noise_widens_the_interval() -> None:
    curves = {"all": ALL, "b": {5: 0.3, 20: 0.45, 40: 0.55, 80: 0.6}}
    row = label_efficiency(resampling(curves, noise=0.1, seeds=2)).iloc[1]
    assert row["low"] + 5 < row["target_cases"] < row["high"] - 1


def test_without_tuning_every_layer_there_is_no_level() -> None:
    table = label_efficiency(resampling({"b": ALL}))
    assert table.empty
    assert tuple(table.columns) == EFFICIENCY_COLUMNS


def test_cases_needed_are_those_of_interpolation() -> None:
    random = np.random.default_rng(9)
    dsc = np.sort(random.uniform(0.2, 0.8, (50, 4)), axis=1)
    level = random.uniform(0.3, 0.7, 50)
    sizes = [5, 13, 26, 51]
    expected = [
        5 if aim <= row[0] else np.inf if aim > row[-1] else np.exp(np.interp(aim, row, np.log(sizes)))
        for row, aim in zip(dsc, level, strict=True)
    ]
    np.testing.assert_allclose(cases_needed(sizes, dsc, level), expected)
