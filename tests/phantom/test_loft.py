import numpy as np
import pytest

from uteroseg.imaging.geometry import Geometry
from uteroseg.phantom.loft import Level, Loft
from uteroseg.phantom.shapes import points_in

GRID = Geometry((60, 80, 80), np.array([[0, 0, 1, -40], [0, 1, 0, -40], [1, 0, 0, -30], [0, 0, 0, 1]], float))
WHOLE = (slice(0, 60), slice(0, 80), slice(0, 80))


def inside(loft):
    """Points of the loft, mm."""
    return GRID.to_patient(np.argwhere(loft.distance(points_in(GRID, WHOLE)) < 0))


def bar(**changes):
    level = Level(0, 5, 0, 20, 6)._replace(**changes)
    return Loft.of([level._replace(z=-15), level._replace(z=15)])


def test_a_straight_bar_has_its_length_and_thickness():
    low, high = inside(bar()).min(axis=0), inside(bar()).max(axis=0)
    np.testing.assert_allclose(low, (-15, -6, -15), atol=1.5)
    np.testing.assert_allclose(high, (25, 6, 15), atol=1.5)


def test_a_negative_angle_points_to_side_and_front():
    points = inside(bar(angle=-45.0)) - (5, 0, 0)
    assert np.corrcoef(points[:, 0], points[:, 1])[0, 1] < -0.8


def test_a_bend_curves_the_ends_to_the_back():
    points = inside(bar(bend=0.03)) - (5, 0, 0)
    ends = np.abs(points[:, 0]) > 15
    middle = np.abs(points[:, 0]) < 5
    assert points[ends, 1].mean() - points[middle, 1].mean() == pytest.approx(0.03 * 17**2, rel=0.25)


def test_a_taper_thickens_the_end_that_the_angle_points_to():
    points = inside(bar(taper=0.5)) - (5, 0, 0)
    near, far = (np.ptp(points[np.abs(points[:, 0] - x) < 1, 1]) for x in (-12, 12))
    assert far > 1.5 * near


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_bounds_hold_the_loft_on_either_side(side):
    levels = [Level(-20, 6, 3, 12, 4, -50, 0.01, 0.4), Level(18, 14, -8, 15, 5, 70, -0.01)]
    loft = Loft.of(levels, side)
    points = inside(loft)
    low, high = loft.bounds()
    assert np.sign(points[:, 0].mean()) == side
    assert (points > low - 1).all()
    assert (points < high + 1).all()


def test_levels_between_are_interpolated():
    loft = Loft.of([Level(-20, 0, 0, 10, 4), Level(20, 0, 0, 30, 4)])
    points = inside(loft)
    assert points[np.abs(points[:, 2]) < 1, 0].max() == pytest.approx(20, abs=1.5)
