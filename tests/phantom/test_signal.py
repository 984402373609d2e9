import numpy as np
import pytest

from uteroseg.imaging.diffusion import fit_adc
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.anatomy import Layer
from uteroseg.phantom.signal import FAT_DENSITY, draw_texture, paint, tissue_signal
from uteroseg.phantom.tissue import Tissue

GEOMETRY = Acquisition(matrix=(40, 40), slices=12).geometry((0, 0, 0))
WHOLE = tuple(slice(0, n) for n in GEOMETRY.shape)


def painted(layers, tissues, b_values=(0, 1000)):
    texture = draw_texture(np.random.default_rng(2), GEOMETRY)
    return paint(layers, tissues, texture=texture, b_values=b_values, echo_time_ms=70).signal


def test_the_signal_equation():
    signal = tissue_signal(Tissue(0.8, 90, 1.2), b_value=800, echo_time_ms=60)
    assert signal == pytest.approx(0.8 * np.exp(-60 / 90) * np.exp(-0.96))
    tissue = Tissue(0.8, 90, 1.2, perfusion=0.1)
    diffusion = 0.9 * np.exp(-0.2 * tissue.diffusion) + 0.1 * np.exp(-0.2 * 15)
    signal = tissue_signal(tissue, b_value=200, echo_time_ms=60)
    assert signal == pytest.approx(0.8 * np.exp(-60 / 90) * diffusion)


def test_perfusion_steepens_the_decay_at_low_b_and_no_more_from_200_on():
    tissue = Tissue(0.8, 90, 0.8, texture=0, perfusion=0.09)
    image = painted(
        [Layer("a", WHOLE, np.ones(GEOMETRY.shape, np.float32))], {"a": tissue}, (0, 50, 200, 1000)
    )
    assert np.median(fit_adc(image[:2], (0, 50)).adc) > 1.3
    np.testing.assert_allclose(fit_adc(image[2:], (200, 1000)).adc, tissue.diffusion, rtol=0.02)
    np.testing.assert_allclose(fit_adc(image[[0, 3]], (0, 1000)).adc, tissue.adc, rtol=1e-3)


def test_fat_is_kept_apart_as_it_would_be_without_suppression():
    half = np.full(GEOMETRY.shape, 0.5, np.float32)
    layers = [Layer("fat", WHOLE, np.ones_like(half)), Layer("water", WHOLE, half)]
    tissues = {"fat": Tissue(0.08, 100, 0.15, 0, fat=1.0), "water": Tissue(0.8, 90, 1.2, 0)}
    texture = draw_texture(np.random.default_rng(2), GEOMETRY)
    fat = paint(layers, tissues, texture=texture, b_values=(0, 1000), echo_time_ms=70).fat
    np.testing.assert_allclose(fat, 0.5 * FAT_DENSITY * np.exp(-0.7), rtol=1e-5)


def test_a_tissue_without_texture_has_its_signal_and_adc_exactly():
    tissue = Tissue(0.8, 90, 1.2, texture=0)
    image = painted([Layer("a", WHOLE, np.ones(GEOMETRY.shape, np.float32))], {"a": tissue}, (0, 400, 800))
    assert image[1] == pytest.approx(tissue_signal(tissue, b_value=400, echo_time_ms=70), rel=1e-5)
    np.testing.assert_allclose(fit_adc(image, (0, 400, 800)).adc, 1.2, rtol=1e-4)


@pytest.mark.parametrize("adc", [0.5, 0.8, 1.6, 3.0])
def test_the_mean_adc_of_a_textured_tissue_is_the_drawn_one(adc):
    tissue = Tissue(0.8, 90, adc, texture=0.2)
    image = painted([Layer("a", WHOLE, np.ones(GEOMETRY.shape, np.float32))], {"a": tissue})
    fitted = fit_adc(image, (0, 1000)).adc
    assert fitted.mean() == pytest.approx(adc, rel=0.05)
    assert fitted.std() == pytest.approx(0.2 * adc, rel=0.3)


def test_a_later_tissue_covers_an_earlier_one_and_borders_mix():
    tissues = {"a": Tissue(0.8, 90, 1.0, 0), "b": Tissue(0.4, 90, 1.0, 0)}
    layers = [Layer(n, WHOLE, np.full(GEOMETRY.shape, c, np.float32)) for n, c in (("a", 1.0), ("b", 0.5))]
    expected = 0.6 * np.exp(-70 / 90)
    np.testing.assert_allclose(painted(layers, tissues)[0], expected, rtol=1e-5)


def test_texture_belongs_to_the_patient_not_to_the_grid():
    shifted = Acquisition(matrix=(40, 40), slices=12).geometry((4.5, 4, -2))
    one, other = (draw_texture(np.random.default_rng(2), g).diffusion for g in (GEOMETRY, shifted))
    np.testing.assert_allclose(one[:-1, 1:, 2:], other[1:, :-1, :-2], atol=1e-3)
