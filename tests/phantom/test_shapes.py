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
