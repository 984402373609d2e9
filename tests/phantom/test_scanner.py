from dataclasses import replace

import numpy as np
import pytest

from uteroseg.phantom.acquisition import DEFAULT
from uteroseg.phantom.scanner import (
    SUB_SLICES,
    coil_sensitivity,
    thick_slices,
    thin_slices,
    with_rician_noise,
)


def test_rician_noise_has_the_moments_of_its_distribution():
    rng = np.random.default_rng(0)
    background = with_rician_noise(np.zeros(200_000, np.float32), 2.0, rng)
    assert background.mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.01)
    assert background.std() == pytest.approx(2 * np.sqrt(2 - np.pi / 2), rel=0.01)
    bright = with_rician_noise(np.full(200_000, 100, np.float32), 2.0, rng)
    assert bright.mean() == pytest.approx(100 + 4 / 200, rel=0.001)
    assert bright.std() == pytest.approx(2, rel=0.01)
    faint = with_rician_noise(np.full(200_000, 3, np.float32), 2.0, rng)
    assert (faint**2).mean() == pytest.approx(9 + 2 * 4, rel=0.01)


def test_slices_are_the_means_of_their_sub_slices():
    geometry = DEFAULT.geometry((1, 2, 3))
    thin = thin_slices(geometry)
    x = thin.to_patient([(s, 0, 0) for s in range(thin.shape[0])])[:, 0]
    means = thick_slices(x[:, None, None].astype(np.float64))[:, 0, 0]
    np.testing.assert_allclose(
        means, geometry.to_patient([(s, 0, 0) for s in range(geometry.shape[0])])[:, 0]
    )
    assert thin.shape[0] == SUB_SLICES * geometry.shape[0]


@pytest.mark.parametrize("width", [0.3, 0.8])
def test_correlated_noise_has_the_same_strength(width):
    rng = np.random.default_rng(0)
    image = with_rician_noise(np.full((20, 100, 100), 100, np.float32), 2.0, rng, width_pixels=width)
    assert image.std() == pytest.approx(2, rel=0.02)
    beside = np.corrcoef(image[..., 1:].ravel(), image[..., :-1].ravel())[0, 1]
    assert beside == pytest.approx(np.exp(-1 / (4 * width**2)), abs=0.06)


def test_coils_brighten_what_is_near_them():
    geometry = replace(DEFAULT, plane="axial").geometry((0, 0, 0))
    for seed in range(5):
        coil = coil_sensitivity(np.random.default_rng(seed), geometry)
        middle = coil[12, 64, 64]
        assert coil[12, 8, 64] > 1.03 * middle
        assert coil[12, 120, 64] > 1.03 * middle
        assert 0.3 <= coil.min() < coil.max() <= 2.2
