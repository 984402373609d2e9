from dataclasses import replace

import numpy as np
import pytest

from uteroseg.phantom.acquisition import DEFAULT, Acquisition, Artefacts
from uteroseg.phantom.artefacts import (
    GAS_PPM,
    Drawn,
    PixelMotion,
    draw_artefacts,
    gas_field,
    moved,
    pushed,
    with_artefacts,
    with_ghost,
)
from uteroseg.phantom.patient import simulate_patient
from uteroseg.phantom.pelvis import Organ
from uteroseg.phantom.shapes import Ellipsoid
from uteroseg.phantom.signal import Painted

GRID = Acquisition(plane="axial", matrix=(64, 64), spacing_mm=4, slices=60, slice_mm=3).geometry((0, 0, 0))
BALL = Organ("gas", Ellipsoid(np.zeros(3), np.full(3, 16.0)))
STILL = (PixelMotion(0, 0, 0), PixelMotion(0, 0, 0))


def at(field, point):
    return field[tuple(np.rint(GRID.to_index(point)).astype(int))]


def test_a_ball_of_gas_has_the_field_of_a_dipole():
    field = gas_field([BALL], GRID)
    along, across = (
        at(field, (0, 0, 30)) - at(field, (0, 0, 75)),
        at(field, (30, 0, 0)) - at(field, (75, 0, 0)),
    )
    share = (16 / 30) ** 3 - (16 / 75) ** 3
    assert along == pytest.approx(2 / 3 * GAS_PPM * share, rel=0.2)
    assert across == pytest.approx(-1 / 3 * GAS_PPM * share, rel=0.2)


def test_what_lies_over_gas_takes_its_place():
    covered = [BALL, Organ("urine", Ellipsoid(np.zeros(3), np.full(3, 20.0)))]
    assert np.abs(gas_field(covered, GRID)).max() < 0.05 * np.abs(gas_field([BALL], GRID)).max()
    assert not gas_field([], GRID).any()


def test_a_shift_of_whole_pixels_moves_the_image_and_none_leaves_it():
    image = np.random.default_rng(0).uniform(1, 2, (2, 3, 5, 20)).astype(np.float32)
    np.testing.assert_array_equal(pushed(image, np.zeros((3, 5, 20), np.float32)), image)
    there = pushed(image, np.full((3, 5, 20), 3, np.float32))
    np.testing.assert_allclose(there[..., 3:], image[..., :-3], rtol=1e-5)
    assert not there[..., :3].any()


@pytest.mark.parametrize("strength", [0.5, 6.0])
def test_distortion_keeps_the_signal_and_brightens_where_it_piles_up(strength):
    x = np.arange(128, dtype=np.float32)
    shift = np.broadcast_to(strength * np.exp(-(((x - 64) / 10) ** 2)), (2, 4, 128)).astype(np.float32)
    image = pushed(np.ones((1, 2, 4, 128), np.float32), shift)[0]
    np.testing.assert_allclose(image.sum(axis=-1), 128, rtol=1e-5)
    where = x + shift[0, 0]
    jacobian = np.interp(x, where, 1 / np.gradient(where))
    np.testing.assert_allclose(image[0, 0], jacobian, atol=0.12)
    assert image.max() > 1 + 0.05 * strength


def test_the_shift_in_pixels_is_the_one_of_the_echo_train():
    acquisition = Acquisition(echo_spacing_ms=0.6, acceleration=2, matrix=(96, 128))
    ppm_of_100_hz = 100 / (42.577 * 3)
    assert acquisition.pixels_per_ppm * ppm_of_100_hz == pytest.approx(3.84)
    assert replace(acquisition, field_t=1.5).pixels_per_ppm * 2 == acquisition.pixels_per_ppm


def test_the_mask_moves_with_the_image():
    tumour = np.zeros((2, 6, 64), np.float32)
    tumour[:, :, 20:30] = 1
    clean = Painted(np.stack([tumour, tumour]) + 0.1, np.zeros_like(tumour))
    shift = np.full(tumour.shape, 7, np.float32)
    image, covered = with_artefacts(clean, tumour, shift, Acquisition(), Drawn(0, 0, 0, STILL))
    np.testing.assert_allclose(covered[..., 27:37], 1, rtol=1e-4)
    assert covered.sum() == pytest.approx(tumour.sum(), rel=1e-4)
    assert ((image[0] > 0.6) == (covered > 0.5)).all()


def test_fat_that_escapes_suppression_is_shifted_by_17_pixels_at_3_t():
    fat = np.zeros((1, 4, 64), np.float32)
    fat[..., 40:44] = 1
    clean = Painted(np.zeros((2, *fat.shape), np.float32), fat)
    image, _ = with_artefacts(
        clean, np.zeros_like(fat), np.zeros_like(fat), Acquisition(), Drawn(0, 0.2, 0, STILL)
    )
    centre = (image[0, 0, 0] * np.arange(64)).sum() / image[0, 0, 0].sum()
    assert centre == pytest.approx(41.5 - 16.7, abs=0.1)
    assert image[0].sum() == pytest.approx(0.2 * fat.sum(), rel=1e-4)
    assert image[1].sum() == pytest.approx(0.2 * fat.sum() * np.exp(-0.15), rel=1e-4)


def test_shifted_fat_that_leaves_the_field_of_view_enters_on_the_other_side():
    fat = np.ones((1, 4, 64), np.float32)
    clean = Painted(np.zeros((2, *fat.shape), np.float32), fat)
    image, _ = with_artefacts(
        clean, np.zeros_like(fat), np.zeros_like(fat), Acquisition(), Drawn(0, 0.2, 0, STILL)
    )
    np.testing.assert_allclose(image[0, ..., 1:-1], 0.2, rtol=1e-4)


def test_the_ghost_lies_half_a_field_of_view_away():
    image = np.zeros((1, 1, 4, 64), np.float32)
    image[..., 10] = 1
    np.testing.assert_allclose(np.flatnonzero(with_ghost(image, 0.05)[0, 0, 0]), [10, 42])
    assert with_ghost(image, 0.05)[..., 42] == pytest.approx(0.05)
    assert with_ghost(image, 0) is image


def test_motion_shifts_an_image_and_leaves_the_first():
    image = np.random.default_rng(0).uniform(0, 1, (2, 2, 20, 20)).astype(np.float32)
    shifted = moved(image, (PixelMotion(0, 0, 0), PixelMotion(2, -3, 0)))
    np.testing.assert_array_equal(shifted[0], image[0])
    np.testing.assert_allclose(shifted[1, :, 2:, :-3], image[1, :, :-2, 3:], atol=1e-5)
    turned = moved(image, (PixelMotion(0, 0, 0), PixelMotion(0, 0, np.pi / 2)))[1]
    assert any(np.allclose(turned, np.rot90(image[1], k, (1, 2)), atol=1e-4) for k in (1, 3))


def test_artefacts_are_drawn_within_the_protocol_and_off_without():
    rng = np.random.default_rng(0)
    none = draw_artefacts(rng, Acquisition(b_values=(0, 500, 1000)))
    assert (none.distortion, none.fat_residue, none.ghost) == (0, 0, 0)
    assert set(none.motions) == {PixelMotion(0, 0, 0)}
    many = [draw_artefacts(rng, DEFAULT) for _ in range(300)]
    limits = DEFAULT.artefacts
    assert 0 < min(one.distortion for one in many) < max(one.distortion for one in many) <= limits.distortion
    assert max(one.fat_residue for one in many) <= limits.fat_residue
    assert max(one.ghost for one in many) <= limits.ghost
    assert all(one.motions[0] == PixelMotion(0, 0, 0) for one in many)
    rows_mm = np.std([one.motions[1].rows for one in many]) * DEFAULT.spacing_mm
    assert rows_mm == pytest.approx(limits.motion_mm, rel=0.15)


def test_artefacts_change_the_image_of_a_patient_but_not_the_patient():
    grid = Acquisition(matrix=(64, 64), spacing_mm=4.0, slices=16, slice_mm=6.0)
    strong = Artefacts(distortion=2, fat_residue=0.3, ghost=0.1, motion_mm=2, motion_deg=2)
    plain, worse = (
        simulate_patient("uterine", 2, seed=7, acquisition=one)
        for one in (grid, replace(grid, artefacts=strong))
    )
    assert plain.person.plan == worse.person.plan
    assert not plain.study.geometry.difference(worse.study.geometry)
    assert not np.array_equal(plain.study.signal, worse.study.signal)
    assert np.isfinite(worse.study.signal).all()
    assert worse.study.signal.min() >= 0
    assert worse.study.signal.max() <= 4095
