from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

from uteroseg.experiment.grid import Resampling, grid
from uteroseg.experiment.outlook import FORECAST_COLUMNS, GAIN, check_forecasts, fit_law, forecasts

from .rows import model

SIZES = (5, 13, 26, 51, 128, 256)
A, B, C = 0.75, 0.5, 0.4


def law(n: float, a: float = A, b: float = B, c: float = C) -> float:
    return float(a - b * n**-c)


def resampling(sizes: tuple[int, ...] = SIZES, noise: float = 0.0, spoilt: int = 0) -> Resampling:
    """A strategy whose DSC follows the law; with ``spoilt`` cases it is 0.05 below."""
    random = np.random.default_rng(10)
    patients = np.linspace(-0.1, 0.1, 25)
    runs = [model("source", 0, [], 0.1 + patients)]
    for n in sizes:
        level = law(n) - 0.05 * (n == spoilt)
        runs.append(model("all", n, [], level + patients + noise * random.normal(size=25)))
    return Resampling(grid(pd.concat(runs)))


def test_the_fit_finds_the_law_and_what_more_takes() -> None:
    (row,) = forecasts(resampling()).to_dict("records")
    assert (row["a"], row["b"], row["c"]) == pytest.approx((A, B, C), abs=0.01)
    assert row["rmse"] < 1e-3
    needed = (B / (A - law(256) - GAIN)) ** (1 / C) - 256
    assert row["more_cases"] == pytest.approx(needed, rel=0.1)
    assert row["low"] <= row["more_cases"] <= row["high"]
    assert (row["sizes"], row["target_cases"], row["dsc"]) == (6, 256, pytest.approx(law(256)))


def test_the_fit_is_as_near_as_scipy_s() -> None:
    random = np.random.default_rng(11)
    n = np.array(SIZES, float)
    dsc = A - B * n**-C + random.normal(0, 0.01, (20, 6))
    found = fit_law(SIZES, dsc)
    for row in range(20):
        best, _ = curve_fit(
            lambda n, a, b, c: a - b * n**-c, n, dsc[row], p0=(A, B, C), bounds=((-5, 0, 0.02), (1, 50, 4))
        )
        ours = ((found.a[row] - found.b[row] * n ** -found.c[row] - dsc[row]) ** 2).sum()
        theirs = (best[0] - best[1] * n ** -best[2] - dsc[row]) ** 2
        assert ours == pytest.approx(theirs.sum(), abs=1e-5)


def test_the_curve_never_falls_and_never_exceeds_one() -> None:
    falling = fit_law(SIZES, np.linspace(0.8, 0.5, 6)[None])
    assert falling.b[0] == 0
    assert np.isinf(falling.more_than(256, GAIN)[0])
    steep = fit_law(SIZES, np.linspace(0.2, 0.95, 6)[None])
    assert steep.a[0] <= 1
    assert steep.b[0] > 0


def test_hidden_sizes_are_predicted_and_the_error_is_told() -> None:
    table = check_forecasts(resampling())
    assert list(zip(table["hidden"], table["fitted_to"], table["target_cases"], strict=True)) == [
        (1, 128, 256), (2, 51, 128), (2, 51, 256)
    ]  # fmt: skip
    assert table["error"].abs().max() < 0.005
    spoilt = check_forecasts(resampling(spoilt=256))
    assert spoilt.loc[spoilt["target_cases"] == 256, "error"].tolist() == pytest.approx(
        [0.05, 0.05], abs=0.005
    )
    assert (spoilt["error"] == spoilt["predicted"] - spoilt["dsc"]).all()


def test_noise_widens_the_interval_of_a_forecast() -> None:
    quiet, noisy = (check_forecasts(resampling(noise=noise)).iloc[0] for noise in (0.0, 0.1))
    assert noisy["high"] - noisy["low"] > quiet["high"] - quiet["low"] + 0.01


def test_too_few_sizes_are_not_fitted() -> None:
    table = forecasts(resampling(sizes=(5, 13, 26)))
    assert table.empty
    assert tuple(table.columns) == FORECAST_COLUMNS
    assert len(forecasts(resampling(sizes=(5, 13, 26, 51)))) == 1
    assert check_forecasts(resampling(sizes=(5, 13, 26, 51))).empty
