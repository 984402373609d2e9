from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grids import grid
from uteroseg.errors import UserError
from uteroseg.imaging.derived import MOST_ADC, adc_factor, marks_of, study_of_map
from uteroseg.imaging.study import DERIVED

GRID = grid(shape=(2, 6, 5))
TRUTH = np.linspace(-0.3, 3.0, 60, dtype=np.float32).reshape(GRID.shape)  # 10⁻³ mm²/s


def derived(image, adc, b=1400.0):
    return study_of_map(image, b, adc, GRID, {"EchoTime": 0.06}, what="the two")


@given(st.integers(0, 2**32 - 1), st.floats(800, 5000), st.floats(1, 4000))
def test_the_fit_of_the_derived_image_gives_the_map_back(seed, b, level):
    rng = np.random.default_rng(seed)
    adc = rng.uniform(-1, 4, GRID.shape).astype(np.float32)
    image = rng.uniform(0.1, 1, GRID.shape).astype(np.float32) * np.float32(level)
    study = derived(image, adc, b)
    np.testing.assert_allclose(study.fit().adc, np.maximum(adc, 0), atol=1e-5)
    expected = image * np.exp(b * 1e-3 * np.maximum(adc, 0).astype(np.float64))
    np.testing.assert_allclose(study.signal[0], expected, rtol=1e-4)
    np.testing.assert_array_equal(study.signal[1], image)
    assert study.scanner_adc is adc


def test_what_was_computed_is_said_and_the_rest_kept():
    study = derived(np.ones(GRID.shape, np.float32), TRUTH)
    assert study.b_values == (0, 1400)
    assert study.acquisition == {
        "EchoTime": 0.06,
        DERIVED: {"0": "signal at b 1400 · exp(b · ADC), with the scanner's ADC"},
    }
    assert study.derived


def test_without_signal_or_adc_nothing_is_made_up():
    image = np.full(GRID.shape, 7, np.float32)
    image[0] = 0
    adc = np.full(GRID.shape, 1.5, np.float32)
    adc[1, :3] = 0
    study = derived(image, adc)
    assert not study.signal[0, 0].any()
    assert (study.signal[0, 1, :3] == 7).all()
    assert not study.fit().adc[0].any()


def test_an_adc_that_nothing_has_is_capped_and_counted():
    adc = TRUTH.copy()
    adc[0, 0, :2] = 65.535  # a map of 16 bits at its end, in 10⁻⁶
    study = derived(np.full(GRID.shape, 4000, np.float32), adc, 5000.0)
    assert np.isfinite(study.signal).all()
    assert study.fit().adc.max() == pytest.approx(MOST_ADC, abs=1e-3)
    assert study.acquisition[DERIVED]["0"].endswith("taken as that, in 2 voxels")


@pytest.mark.parametrize("b", [0, 50, 799, 5001, 1e9])
def test_a_b_value_that_is_not_high_or_no_patients_is_refused(b):
    with pytest.raises(UserError, match=rf"one image with a b-value, {b:g} s/mm²".replace("+", r"\+")):
        derived(np.ones(GRID.shape, np.float32), TRUTH, b)


@pytest.mark.parametrize(
    ("value", "told"), [(np.nan, "not finite"), (np.inf, "not finite"), (-1, "no ADC above 0")]
)
def test_a_map_that_is_damaged_or_empty_is_refused(value, told):
    adc = np.where((0 if value == -1 else 2) < TRUTH, value, TRUTH).astype(np.float32)
    with pytest.raises(UserError, match=told):
        derived(np.ones(GRID.shape, np.float32), adc)


def test_images_of_low_b_cannot_be_left_out_of_the_fit_of_a_derived_study():
    study = replace(derived(np.ones(GRID.shape, np.float32), TRUTH), adc_b_min=200.0)
    assert study.adc_b_min == 0
    assert study.fit().adc.any()


@pytest.mark.parametrize(
    ("per_unit", "stated"),
    [
        *((1000, text) for text in ("", "10^-6 mm2/s", "10⁻⁶ mm²/s", "1e-6 mm^2/s", "x10-6 mm2/s")),
        *(
            (1000, text) for text in ("*10^-6mm^2/s", "µm²/s", "10E-06 mm2/s", "US", "10^-3 mm2/s")
        ),  # the last is wrong
        *(
            (1, text)
            for text in ("", "10^-3 mm^2/s", "10⁻³ mm²/s", "1e-3 mm²/s", "um2/ms", "µm²/ms", "mm2/s")
        ),
        *((1e-3, text) for text in ("", "mm2/s", "mm²/s", "[mm^2/s]")),
        *((10, text) for text in ("10^-4 mm2/s", "1e-04 mm²/s")),
        *((100, text) for text in ("10^-5 mm2/s", "10⁻⁵ mm²/s")),
    ],
)
def test_the_unit_of_a_map_is_recognised(per_unit, stated):
    factor = adc_factor(TRUTH * per_unit, stated=stated, what="x")
    assert factor * per_unit == pytest.approx(1)


@pytest.mark.parametrize("per_unit", [10, 100, 1e4, 1e5, 1e-2, 1e-1, 1e-5])
def test_a_unit_that_is_neither_stated_nor_usual_is_refused(per_unit):
    with pytest.raises(UserError, match=r"unit of the ADC map x cannot be told \(stated: none"):
        adc_factor(TRUTH * per_unit, stated="", what="x")


def test_an_empty_map_has_any_unit():
    assert adc_factor(np.zeros(4), stated="", what="x") == 1
    assert adc_factor(np.zeros(4), stated="10^-6 mm2/s", what="x") == 1e-3


def test_of_anybodys_sidecar_the_mark_is_kept_and_no_word():
    said = marks_of({DERIVED: {"0": "by Dr Doe", "400": "Doe"}}, (0.0, 1400.0))
    assert said == {DERIVED: {"0": "said to be derived by the file beside it"}}
    assert marks_of({DERIVED: "Doe"}, (0.0,)) == marks_of({}, (0.0,)) == {}
