from dataclasses import replace

import numpy as np
import pytest

from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.patient import simulate_patient
from uteroseg.phantom.randomise import random_scan, random_tissues
from uteroseg.phantom.tissue import TISSUES

SMALL = Acquisition(name="small", matrix=(64, 64), spacing_mm=4.0, slices=16, slice_mm=6.0)


def test_contrasts_go_beyond_the_realistic():
    rng = np.random.default_rng(0)
    draws = [random_tissues(rng) for _ in range(200)]
    assert set(draws[0]) == set(TISSUES)
    for name in ("cervical carcinoma", "myometrium", "urine"):
        adc = [one[name].adc for one in draws]
        assert min(adc) < 0.3
        assert max(adc) > 2.5
    brighter = [one["cervical carcinoma"].adc < one["myometrium"].adc for one in draws]
    assert np.mean(brighter) == pytest.approx(0.5, abs=0.12)
    assert all(one["gas"].density == 0 for one in draws)


def test_a_random_scan_keeps_the_grid_and_b_values():
    scan = random_scan(np.random.default_rng(0), DEFAULT)
    assert scan.snr != DEFAULT.snr
    same = replace(
        scan, **{n: getattr(DEFAULT, n) for n in ("snr", "blur_pixels", "noise_pixels", "artefacts")}
    )
    assert same == DEFAULT


def test_a_randomised_patient_is_the_same_person_and_says_so():
    plain = simulate_patient("uterine", 3, seed=7, acquisition=SMALL)
    random, again = (
        simulate_patient("uterine", 3, seed=7, acquisition=SMALL, randomise=True) for _ in range(2)
    )
    np.testing.assert_array_equal(random.study.signal, again.study.signal)
    assert random.person.plan == plain.person.plan
    assert not random.study.geometry.difference(plain.study.geometry)
    assert (random.randomised, plain.randomised) == (True, False)
    assert random.study.acquisition["simulated_contrast"] == "randomised"
    assert random.study.signal.max() <= 4095
    overlap = (random.mask.data & plain.mask.data).sum() / plain.mask.data.sum()
    assert overlap > 0.5  # distortion differs
