import numpy as np
import pytest
from hypothesis import given, settings

from tests import tiny
from tests.grids import ORIENTATIONS, grid, grids
from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.model.prepare import (
    PreparedStudy,
    SliceGrid,
    mask_from_output,
    network_input,
    network_target,
    normalise,
)
from uteroseg.model.spec import ModelSpec

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


def raw_channels(study, spec):
    return PreparedStudy(study).on_matrix(SliceGrid.between(study.geometry, spec))


def denormalised(slices):
    mean, std = (np.array(v)[:, None, None] for v in (SPEC.channel_mean, SPEC.channel_std))
    return slices * std + mean


def test_on_the_networks_own_grid_the_channels_are_the_study_itself():
    study, _ = tiny.study()
    b0, b1000, adc = np.moveaxis(denormalised(network_input(study, SPEC)), 1, 0)
    body = study.signal[0] > 0.1 * np.percentile(study.signal[0], 99)
    np.testing.assert_allclose(b0, study.signal[0] / np.median(study.signal[0][body]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(b1000 / b0, study.signal[1] / study.signal[0], rtol=1e-3)
    expected = -np.log(study.signal[1] / study.signal[0])[body]
    np.testing.assert_allclose(adc[body], expected.clip(0, 4), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(adc[~body], 0, atol=1e-5)


def test_the_signals_unit_does_not_matter():
    study, _ = tiny.study()
    louder = DwiStudy(study.signal * 37.5, study.b_values, study.geometry)
    np.testing.assert_allclose(network_input(study, SPEC), network_input(louder, SPEC), atol=1e-4)


@pytest.mark.parametrize("name", [n for n in ORIENTATIONS if n not in ("oblique",)])
def test_the_network_sees_the_same_however_the_scanner_stored_the_slices(name):
    """Store one study with other row and column directions: the network's input must not change."""
    geometry = grid(name, (6, 48, 48), (5.0, 4.0, 4.0))
    study, _ = tiny.study(geometry=geometry)
    flipped = geometry.affine.copy()
    flipped[:3, 3] = geometry.to_patient((0, 0, 47))
    flipped[:3, 2] *= -1
    mirrored = DwiStudy(study.signal[..., ::-1], study.b_values, Geometry(geometry.shape, flipped))
    swapped_affine = geometry.affine[:, [0, 2, 1, 3]]
    swapped = DwiStudy(
        np.swapaxes(study.signal, -1, -2), study.b_values, Geometry(geometry.shape, swapped_affine)
    )
    for other in (mirrored, swapped):
        np.testing.assert_allclose(network_input(study, SPEC), network_input(other, SPEC), atol=1e-5)


@settings(max_examples=50)
@given(grids)
def test_a_constant_stays_constant_inside_and_is_nothing_outside(geometry):
    spec = ModelSpec(spacing_mm=2.0, matrix=(24, 20))
    there = SliceGrid.between(geometry, spec)
    slices = there.to_matrix(np.ones(geometry.shape, np.float32))
    assert slices.shape == (geometry.shape[0], 24, 20)
    assert (np.isclose(slices, 1, atol=1e-5) | (slices == 0)).all()


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("spacing", [1.3, 2.0, 3.1])
def test_a_mask_survives_the_way_to_the_network_and_back(name, spacing):
    geometry = grid(name, (6, 120, 110), (5.0, spacing, spacing))
    points = np.moveaxis(np.indices(geometry.shape), 0, -1) * (5.0, spacing, spacing)
    centre = np.array([15.0, 60 * spacing + 7, 55 * spacing - 9])
    mask = Mask(np.linalg.norm(points - centre, axis=-1) < 18, geometry)
    spec = ModelSpec(spacing_mm=2.5, matrix=(96, 96))
    there = SliceGrid.between(geometry, spec)
    back, _ = mask_from_output(network_target(mask, there).astype(np.float32), there)
    overlap = 2 * (back.data & mask.data).sum() / (back.data.sum() + mask.data.sum())
    assert overlap > 0.93


def test_small_components_are_dropped_by_the_models_rule():
    geometry = grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0))
    output = np.zeros((6, 48, 48), np.float32)
    output[2:4, 10:14, 10:14] = 0.9
    output[5, 40, 40] = 0.9
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    keep_all, large = (
        mask_from_output(
            output, SliceGrid.between(geometry, SPEC.model_copy(update={"min_component_ml": least}))
        )[0]
        for least in (0.0, voxel_ml * 2)
    )
    assert (keep_all.data.sum(), large.data.sum()) == (33, 32)


def test_a_missing_b1000_is_computed_from_the_fit():
    study, _ = tiny.study(b_values=(0.0, 400.0, 800.0))
    fit = fit_adc(study.signal, study.b_values)
    tissue = (study.signal[0] > 100) & (fit.adc > 0.2)
    expected = np.exp(fit.log_s0 - 1000 * fit.adc * 1e-3)
    np.testing.assert_allclose(PreparedStudy(study).high_b[tissue], expected[tissue], rtol=1e-4)
    measured, _ = tiny.study(b_values=(0.0, 990.0))
    np.testing.assert_array_equal(PreparedStudy(measured).high_b, measured.signal[1])


def test_a_study_without_signal_is_refused():
    study = DwiStudy(np.zeros((2, *tiny.GRID.shape), np.float32), (0, 1000), tiny.GRID)
    with pytest.raises(UserError, match="no signal"):
        network_input(study, SPEC)


def test_a_network_sees_the_channels_that_its_model_names():
    study, _ = tiny.study()
    whole, raw = network_input(study, SPEC), raw_channels(study, SPEC)
    assert (raw.shape, raw.dtype) == ((6, 3, 48, 48), np.float32)
    np.testing.assert_array_equal(normalise(raw, SPEC), whole)
    for channels, columns in ((("b0",), [0]), (("adc",), [2]), (("b0", "adc"), [0, 2])):
        spec = ModelSpec(spacing_mm=4.0, matrix=(48, 48), channels=channels)
        seen = network_input(study, spec)
        assert (seen.shape, seen.dtype) == ((6, len(channels), 48, 48), np.float32)
        np.testing.assert_array_equal(seen, whole[:, columns])


def test_raw_channels_are_in_units_of_b0_and_of_adc():
    study, _ = tiny.study()
    b0, b1000, adc = np.moveaxis(raw_channels(study, SPEC), 1, 0)
    body = study.signal[0] > 0.1 * np.percentile(study.signal[0], 99)
    assert np.median(b0[body]) == pytest.approx(1, rel=1e-4)
    assert np.median(b1000[body]) == pytest.approx(np.exp(-1.6), rel=0.05)
    assert np.median(adc[body]) == pytest.approx(1.6, rel=0.05)
    assert not adc[~body].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("image", [0, 1])
def test_a_study_with_values_that_are_no_numbers_never_reaches_the_network(value, image):
    study, _ = tiny.study()
    signal = study.signal.copy()
    signal[image, 2, 24, 24] = value
    with pytest.raises(UserError, match="not finite"):
        network_input(DwiStudy(signal, study.b_values, study.geometry), SPEC)
