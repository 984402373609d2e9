import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import fit_adc

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
