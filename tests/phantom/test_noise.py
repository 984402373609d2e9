from dataclasses import replace

import numpy as np
import pytest

from uteroseg.phantom.acquisition import DEFAULT
from uteroseg.phantom.noise import OUTSIDE, noise_map, with_averaged_noise
from uteroseg.phantom.scanner import with_rician_noise

SHAPE = (1, 300, 300)


def averaged(level, averages, seed=0):
    image = np.full(SHAPE, level, np.float32)
    return with_averaged_noise(image, np.float32(2.0), np.random.default_rng(seed), averages=averages)


@pytest.mark.parametrize("averages", [3, 6])
@pytest.mark.parametrize("level", [0.0, 3.0, 40.0])
def test_it_is_the_mean_of_as_many_magnitudes(level, averages):
    rng = np.random.default_rng(1)
    one = np.full(SHAPE, level, np.float32)
    magnitudes = [with_rician_noise(one, 2.0 * averages**0.5, rng) for _ in range(averages)]
    expected, found = np.mean(magnitudes, axis=0), averaged(level, averages)
    assert found.mean() == pytest.approx(expected.mean(), rel=0.01)
    assert found.std() == pytest.approx(expected.std(), rel=0.03)


def test_a_single_magnitude_is_rician():
    found = averaged(0.0, 1)
    assert found.mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.01)
    assert found.std() == pytest.approx(2 * np.sqrt(2 - np.pi / 2), rel=0.02)


def test_air_is_smoother_the_more_is_averaged_and_bright_tissue_as_noisy():
    few, many = averaged(0.0, 2), averaged(0.0, 8)
    assert many.std() / many.mean() < 0.6 * few.std() / few.mean()
    assert averaged(100.0, 8).std() == pytest.approx(2.0, rel=0.02)


def test_noise_is_largest_in_the_middle():
    noise = np.broadcast_to(
        noise_map(geometry := replace(DEFAULT, plane="axial").geometry((0, 0, 0))), geometry.shape
    )
    middle = tuple(np.rint(geometry.to_index((0, 0, 0))).astype(int))
    assert noise[middle] == pytest.approx(1, abs=0.01)
    assert OUTSIDE < noise[0, 0, 0] < 0.7
