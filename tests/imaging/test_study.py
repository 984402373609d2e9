import numpy as np
import pytest

from tests.grids import grid
from uteroseg.errors import UserError
from uteroseg.imaging.measure import mean_adc, volume_ml
from uteroseg.imaging.study import DwiStudy, Mask


def test_signal_and_b_values_must_fit():
    with pytest.raises(ValueError, match="does not fit"):
        DwiStudy(np.ones((3, 5, 7, 9), np.float32), (0, 1000), grid())
    with pytest.raises(ValueError, match="ascend"):
        DwiStudy(np.ones((2, 5, 7, 9), np.float32), (1000, 0), grid())
    with pytest.raises(ValueError, match="scanner ADC"):
        DwiStudy(np.ones((2, 5, 7, 9)), (0, 1000), grid(), scanner_adc=np.ones((5, 7, 8)))


def test_values_that_are_not_finite_are_refused():
    signal = np.ones((2, 5, 7, 9), np.float32)
    signal[1, 2, 3, 4] = np.nan
    with pytest.raises(UserError, match="not finite"):
        DwiStudy(signal, (0, 1000), grid())


def test_a_mask_is_boolean_on_its_grid():
    with pytest.raises(ValueError, match="boolean"):
        Mask(np.zeros((5, 7, 9), np.uint8), grid())


def test_volume_and_mean_adc_of_a_mask():
    data = np.zeros((5, 7, 9), bool)
    data[1:3, 2, 3] = True
    mask = Mask(data, grid(spacing=(4, 2, 1.5)))
    adc = np.arange(data.size, dtype=float).reshape(data.shape)
    assert volume_ml(mask) == pytest.approx(2 * 12 / 1000)
    assert mean_adc(mask, adc) == adc[1:3, 2, 3].mean()
    assert mean_adc(Mask(np.zeros_like(data), grid()), adc) is None
