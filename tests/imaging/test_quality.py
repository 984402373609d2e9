"""Noise and ghost are measured as they were put in."""

import numpy as np
import pytest

from uteroseg.imaging.quality import body_in, ghost_level, noise_sd


def disc(level=0.0, sigma=2.0, axis=2):
    rows, columns = np.mgrid[:80, :80]
    image = np.where(np.hypot(rows - 38, columns - 41) < 18, 200.0, 0.0)[None].repeat(6, axis=0)
    image = image + level * np.roll(image, 40, axis=axis)
    rng = np.random.default_rng(4)
    return np.hypot(image + rng.normal(0, sigma, image.shape), rng.normal(0, sigma, image.shape))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("level", [0.0, 0.05, 0.2])
def test_the_ghost_is_measured_along_either_axis(level, axis):
    image = disc(level, axis=axis)
    assert ghost_level(image, body_in(disc())) == pytest.approx(level, abs=0.02)


def test_no_background_tells_no_ghost():
    assert ghost_level(np.ones((2, 20, 20)), np.ones((2, 20, 20), bool)) is None


@pytest.mark.parametrize("sigma", [1.0, 8.0])
def test_noise_is_measured_inside_the_body(sigma):
    image = disc(sigma=sigma)
    assert noise_sd(image, disc(sigma=0.1) > 100) == pytest.approx(sigma, rel=0.1)
    assert noise_sd(image, np.zeros(image.shape, bool)) == 0
