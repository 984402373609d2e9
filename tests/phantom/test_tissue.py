import numpy as np
import pytest

from uteroseg.phantom.tissue import TISSUES, draw_tissues


def test_draws_centre_on_the_table():
    rng = np.random.default_rng(0)
    draws = [draw_tissues(rng) for _ in range(300)]
    for name, values in TISSUES.items():
        assert np.median([d[name].adc for d in draws]) == pytest.approx(values.adc, rel=0.05)
        assert np.median([d[name].t2_ms for d in draws]) == pytest.approx(values.t2_ms, rel=0.1)
