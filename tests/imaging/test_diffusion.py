import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import fit_adc, residual

adcs = st.floats(0.1, 3.0)


@given(adcs, st.floats(10, 4000), st.sampled_from([(0, 1000), (50, 400, 800), (0, 100, 500, 1000)]))
def test_noise_free_signal_gives_its_adc_and_every_image_back(adc, s0, b_values):
    signal = s0 * np.exp(-np.array(b_values) * adc * 1e-3)[:, None]
    fit = fit_adc(signal, b_values)
    np.testing.assert_allclose(fit.adc, adc, rtol=1e-3, atol=1e-4)
    for b in (*b_values, 1400):
        np.testing.assert_allclose(fit.image_at(b), s0 * np.exp(-b * adc * 1e-3), rtol=1e-3)


def test_the_fit_is_the_least_squares_line_through_the_logarithms():
    rng = np.random.default_rng(1)
    b_values, signal = (0.0, 400.0, 800.0), rng.uniform(50, 500, (3, 20))
    slope, intercept = np.polyfit(b_values, np.log(signal), 1)
    fit = fit_adc(signal, b_values)
    np.testing.assert_allclose(fit.adc, -slope * 1e3, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fit.log_s0, intercept, rtol=1e-5)


def test_where_a_signal_is_not_positive_the_fit_is_undefined():
    fit = fit_adc(np.array([[100.0, 0.0], [40.0, 10.0]]), (0, 1000))
    assert fit.adc[1] == 0
    assert fit.image_at(1000)[1] == 0
    assert fit.adc[0] > 0


def test_one_b_value_is_refused():
    with pytest.raises(UserError, match="one b-value only"):
        fit_adc(np.ones((1, 2)), (1000,))


b_lists = st.lists(st.integers(0, 40), min_size=3, max_size=6, unique=True).map(
    lambda steps: tuple(50.0 * step for step in steps)
)
seeds = st.integers(0, 2**32 - 1)


def by_lstsq(signal, b_values, b_min):
    """ADC, ln S0 and root mean square residual of each voxel by itself."""
    b = np.array(b_values)
    design = np.stack([-b[b >= b_min] * 1e-3, np.ones((b >= b_min).sum())], axis=-1)
    found = []
    for voxel in signal[b >= b_min].T:
        solution, *_ = np.linalg.lstsq(design, np.log(voxel), rcond=None)
        deviation = np.log(voxel) - design @ solution
        found.append((*solution, np.sqrt((deviation**2).mean())))
    return np.array(found).T


@given(b_lists, seeds, st.data())
def test_fit_and_residual_are_those_of_an_independent_solver(b_values, seed, data):
    b_min = data.draw(st.floats(0, sorted(b_values)[-2]))
    signal = np.random.default_rng(seed).uniform(20, 2000, (len(b_values), 8))
    fit = fit_adc(signal, b_values, b_min=b_min)
    adc, log_s0, deviation = by_lstsq(signal, b_values, b_min)
    scale = 1e3 / (max(b_values) - sorted(b_values)[-2])  # of the ADC that one unit of ln S makes
    np.testing.assert_allclose(fit.adc, adc, rtol=1e-3, atol=1e-5 * scale)
    np.testing.assert_allclose(fit.log_s0, log_s0, rtol=1e-3, atol=1e-4 * scale)
    np.testing.assert_allclose(
        residual(fit, signal, b_values, b_min=b_min), deviation, rtol=1e-3, atol=1e-4 * scale
    )


@given(adcs, st.floats(10, 4000), st.sampled_from([(0, 500, 1000), (0, 50, 100, 400, 800)]))
def test_noise_free_decay_leaves_no_residual(adc, s0, b_values):
    signal = s0 * np.exp(-np.array(b_values) * adc * 1e-3)[:, None]
    assert residual(fit_adc(signal, b_values), signal, b_values)[0] < 1e-5


def test_without_low_b_perfusion_neither_raises_the_adc_nor_leaves_a_residual():
    b_values = (0.0, 50.0, 400.0, 800.0)
    b = np.array(b_values)[:, None]
    signal = 1000 * (0.1 * np.exp(-b * 0.05) + 0.9 * np.exp(-b * 1.2e-3))  # perfusion fraction 10 %
    everything, diffusion = (fit_adc(signal, b_values, b_min=b_min) for b_min in (0, 200))
    assert everything.adc[0] > 1.25
    assert diffusion.adc[0] == pytest.approx(1.2, abs=1e-3)
    assert residual(everything, signal, b_values)[0] > 0.01
    assert residual(diffusion, signal, b_values, b_min=200)[0] == 0


def test_whether_a_fit_is_defined_depends_on_the_fitted_images_alone():
    signal = np.array([[0.0, 100, 100, 0], [80, 0, 80, 80], [40, 40, 0, 40], [20, 20, 20, 20]])
    fit = fit_adc(signal, (0, 100, 500, 1000), b_min=100)
    assert (fit.adc != 0).tolist() == [True, False, False, True]
    deviation = residual(fit, signal, (0, 100, 500, 1000), b_min=100)
    assert (deviation > 0).tolist() == [True, False, False, True]
    assert deviation.dtype == fit.adc.dtype == np.float32


@given(seeds)
def test_two_b_values_leave_no_residual(seed):
    signal = np.random.default_rng(seed).uniform(1, 2000, (2, 3, 4))
    deviation = residual(fit_adc(signal, (0, 1000)), signal, (0, 1000))
    assert deviation.shape == (3, 4)
    assert not deviation.any()


def test_a_b_value_equal_to_the_least_takes_part_and_too_few_are_refused():
    signal = np.array([[500.0], [300], [100]])
    assert fit_adc(signal, (0, 100, 800), b_min=100).adc == pytest.approx(np.log(3) / 0.7, rel=1e-5)
    with pytest.raises(UserError, match=r"Fewer than two .* \(0, 100, 800 s/mm²\) reach 200") as refused:
        fit_adc(signal, (0, 100, 800), b_min=200)
    assert "lower `adc_b_min` to 100" in str(refused.value.fix)


def test_no_copy_in_double_precision_is_made_of_the_signal():
    signal = np.full((4, 8, 128, 128), 100, np.float32)
    tracemalloc.start()
    residual(fit_adc(signal, (0, 100, 500, 1000)), signal, (0, 100, 500, 1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * signal.nbytes
