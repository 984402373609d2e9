import numpy as np
import pytest

from uteroseg.imaging.geometry import Geometry
from uteroseg.phantom.shapes import Ellipsoid, Grown, Tube, Union, Waves, box_of, points_in

GRID = Geometry((60, 60, 60), np.array([[0, 0, 1, -30], [0, 1, 0, -30], [1, 0, 0, -30], [0, 0, 0, 1]], float))
WHOLE = (slice(0, 60), slice(0, 60), slice(0, 60))


def volume(shape):
    return (shape.distance(points_in(GRID, WHOLE)) < 0).sum()


def test_an_ellipsoid_has_its_volume():
    assert volume(Ellipsoid(np.zeros(3), np.array([10.0, 15, 20]))) == pytest.approx(
        4 / 3 * np.pi * 3000, rel=0.02
    )


def test_a_tube_has_its_volume():
    tube = Tube(np.array([[0.3, 0.4, -15], [0.3, 0.4, 15.0]]), np.array([6.0, 6.0]))
    assert volume(tube) == pytest.approx(np.pi * 36 * 30 + 4 / 3 * np.pi * 216, rel=0.03)


def test_growing_moves_the_surface_by_its_margin():
    ball = Ellipsoid(np.zeros(3), np.full(3, 10.0))
    assert volume(Grown(ball, 3)) == pytest.approx(4 / 3 * np.pi * 13**3, rel=0.02)


def test_a_flat_ellipsoid_grows_no_further_than_its_margin():
    flat = Ellipsoid(np.zeros(3), np.array([12.0, 1.0, 15.0]))
    inside = GRID.to_patient(np.argwhere(Grown(flat, 8).distance(points_in(GRID, WHOLE)) < 0))
    assert np.abs(inside).max(axis=0) == pytest.approx((20, 9, 23), abs=1.01)


@pytest.mark.parametrize("taper", [0.0, 0.4, 0.75])
def test_bounds_hold_the_whole_shape(taper):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    shapes = (
        Ellipsoid(np.array([2.0, 1, 0]), np.array([8.0, 5, 14]), turn, taper),
        Ellipsoid(np.zeros(3), np.full(3, 6.0)),
    )
    union = Union(shapes)
    inside = np.argwhere(union.distance(points_in(GRID, WHOLE)) < 0)
    box = box_of(GRID, union.bounds(), margin_mm=1)
    assert all(
        part.start <= low and high < part.stop
        for part, low, high in zip(box, inside.min(0), inside.max(0), strict=True)
    )


def test_a_shape_outside_the_grid_has_no_box():
    assert box_of(GRID, (np.full(3, 100.0), np.full(3, 120.0))) is None


def test_thin_coordinates_agree_with_the_geometry():
    oblique = Geometry((4, 5, 6), np.array([[0.5, 2, 0, -9], [1, 0, 2, 3], [4, -1, 0.5, 7], [0, 0, 0, 1]]))
    for geometry in (GRID, oblique):
        box = (slice(1, 3), slice(2, 5), slice(0, 4))
        expected = geometry.to_patient(np.moveaxis(np.mgrid[box], 0, -1))
        for axis, values in enumerate(points_in(geometry, box)):
            np.testing.assert_allclose(np.broadcast_to(values, (2, 3, 4)), expected[..., axis], atol=1e-4)


def test_waves_have_unit_variance():
    values = Waves.draw(np.random.default_rng(3), length_mm=8, count=20).at(points_in(GRID, WHOLE))
    assert abs(values.mean()) < 0.1
    assert values.std() == pytest.approx(1, abs=0.1)


def test_waves_have_the_same_values_on_a_grid_as_at_single_points():
    waves = Waves.draw(np.random.default_rng(3), length_mm=8, count=12)
    on_grid = waves.at(points_in(GRID, WHOLE))
    places = np.random.default_rng(4).integers(0, 60, (200, 3))
    single = waves.at(tuple(GRID.to_patient(places).astype(np.float32).T))
    np.testing.assert_allclose(on_grid[tuple(places.T)], single, atol=1e-4)


@pytest.mark.parametrize("margin", [0.0, 4.0])
def test_the_box_of_a_shape_holds_its_corners_on_an_oblique_grid(margin):
    affine = np.array([[0.5, 2, 0, -60], [1, 0, 2, -60], [4, -1, 0.5, -60], [0, 0, 0, 1]])
    geometry = Geometry((60, 60, 60), affine)
    low, high = np.array([-5.0, -4, -3]), np.array([6.0, 5, 9])
    corners = np.array(np.meshgrid(*zip(low - margin, high + margin, strict=True))).reshape(3, -1).T
    index = geometry.to_index(corners)
    box = box_of(geometry, (low, high), margin_mm=margin)
    np.testing.assert_array_equal([part.start for part in box], np.maximum(np.floor(index.min(axis=0)), 0))
    np.testing.assert_array_equal(
        [part.stop for part in box], np.minimum(np.ceil(index.max(axis=0)) + 1, geometry.shape)
    )
