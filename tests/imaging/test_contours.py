import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from tests.grids import ORIENTATIONS, grid
from uteroseg.errors import UserError
from uteroseg.imaging.contours import crossing, fill

GRID = grid(shape=(5, 12, 14))


def contour(geometry, depth, points):
    """A contour in a slice, from its (row, column) indices."""
    return geometry.to_patient([(depth, *point) for point in points])


def square(low, high):
    return [(low, low), (low, high), (high, high), (high, low)]


def star(seed, corners=9, middle=(6.1, 7.3), radius=5.0):
    """A polygon around a middle that never crosses itself, often concave."""
    rng = np.random.default_rng(seed)
    angles = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) * 2 * np.pi / corners
    radii = rng.uniform(0.3, 1, corners) * radius
    return np.column_stack([np.sin(angles), np.cos(angles)]) * radii[:, None] + middle


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(ORIENTATIONS)))
def test_a_voxel_belongs_where_its_centre_lies_inside_on_every_plane(seed, name):
    geometry = grid(name, (3, 12, 14), (4.0, 2.0, 1.5), (-123.4, 56.7, 8.9))
    polygon = star(seed)
    centres = np.argwhere(np.ones((12, 14), bool))
    mask = fill([contour(geometry, 1, polygon)], geometry, what="test")
    expected = points_in_poly(centres, polygon).reshape(12, 14)
    np.testing.assert_array_equal(mask.data[1], expected)
    assert not mask.data[[0, 2]].any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8))
def test_neither_direction_nor_first_point_matter(seed, roll):
    polygon = star(seed)
    one = fill([contour(GRID, 2, polygon)], GRID, what="test")
    other = fill([contour(GRID, 2, np.roll(polygon, roll, axis=0)[::-1])], GRID, what="test")
    np.testing.assert_array_equal(one.data, other.data)


def test_regions_that_share_an_edge_through_pixel_centres_neither_overlap_nor_leave_a_gap():
    left = fill([contour(GRID, 0, [(1, 1), (1, 5), (9, 5), (9, 1)])], GRID, what="test").data
    right = fill([contour(GRID, 0, [(1, 5), (1, 10), (9, 10), (9, 5)])], GRID, what="test").data
    assert not (left & right).any()
    assert (left | right).sum() == 8 * 9


def test_a_contour_inside_another_is_a_hole_on_its_own_slice_only():
    outer, hole = square(0.5, 10.5), square(3.5, 6.5)
    contours = [contour(GRID, 1, outer), contour(GRID, 2, outer), contour(GRID, 2, hole)]
    mask = fill(contours, GRID, what="test").data
    assert mask.sum(axis=(1, 2)).tolist() == [0, 100, 91, 0, 0]
    assert not mask[2, 5, 5]
    assert mask[1, 5, 5]


def test_a_channel_to_a_hole_and_back_is_a_hole():
    keyhole = [(0.5, 0.5), (0.5, 10.5), (10.5, 10.5), (10.5, 0.5), (5.5, 0.5), (5.5, 3.5)]
    keyhole += [(6.5, 3.5), (6.5, 6.5), (3.5, 6.5), (3.5, 3.5), (5.5, 3.5), (5.5, 0.5)]
    mask = fill([contour(GRID, 1, keyhole)], GRID, what="test").data
    assert mask[1].sum() == 91


def test_what_leaves_the_image_is_cut_off():
    mask = fill([contour(GRID, 1, [(-5, -5), (-5, 40), (40, 40), (40, -5)])], GRID, what="test").data
    assert mask[1].all()


def test_a_contour_between_slices_goes_to_the_nearer_one_and_the_nearest_plane_counts():
    near, far = square(0.5, 4.5), square(0.5, 8.5)
    contours = [contour(GRID, 1.1, near), contour(GRID, 1.4, far), contour(GRID, 2.7, near)]
    mask = fill(contours, GRID, what="test").data
    assert mask.sum(axis=(1, 2)).tolist() == [0, 16, 0, 16, 0]


def test_planes_half_way_between_slices_stay_as_many_as_they_are():
    contours = [contour(GRID, depth, square(0.5, 4.5)) for depth in (0.5, 1.4999, 2.5, 3.5001)]
    assert fill(contours, GRID, what="test").data.any(axis=(1, 2)).sum() == 4


@pytest.mark.parametrize(
    ("depth", "points", "found"),
    [
        (1, [(1, 1), (4, 4)], "contour 2 has 2 points"),
        (1, [(1, 1)], "has 1 point"),
        (1, [(1, 1), (4, 4), (1, 1)], "has 3 points"),
        (9, square(1, 4), r"contour 2 at \(.*\) mm lies off every slice"),
        (-0.7, square(1, 4), "lies off every slice"),
        (1, [(1, 1), (8, 8), (8, 1), (1, 8)], r"contour 2 crosses itself near"),
    ],
)
def test_a_contour_that_encloses_nothing_certain_is_refused_by_name(depth, points, found):
    good = contour(GRID, 2, square(1, 4))
    with pytest.raises(UserError, match=found) as caught:
        fill([good, contour(GRID, depth, points)], GRID, what="rt.dcm, ROI 'GTV'")
    assert caught.value.found.startswith("rt.dcm, ROI 'GTV'")


def test_a_tilted_contour_is_refused():
    points = GRID.to_patient([(0, 1, 1), (1, 1, 8), (2, 8, 8), (1, 8, 1)])
    with pytest.raises(UserError, match="off every slice"):
        fill([points], GRID, what="test")


def test_a_slip_of_the_pen_is_no_crossing():
    slip = [(0, 0), (0, 10), (10, 10), (10, 0), (0.3, 0.4), (0.3, -0.4)]
    assert crossing(np.array(slip, float)) is None
    eight = np.array([(0, 0), (10, 10), (10, 0), (0, 10)], float)
    np.testing.assert_allclose(crossing(eight), (5, 5))


def test_a_long_contour_is_searched_whole():
    turn = np.linspace(0, 2 * np.pi, 1500, endpoint=False) + 0.001
    circle = np.column_stack([np.sin(turn), np.cos(turn)]) * 40
    assert crossing(circle) is None
    assert crossing(np.column_stack([np.sin(turn), np.sin(2 * turn)]) * 40) is not None


@pytest.mark.parametrize("mm", [0.01, 1, 8])
def test_contours_of_one_plane_that_overlap_in_part_are_refused(mm):
    geometry = grid("axial", (5, 60, 60), (4.0, 1.0, 1.0))
    outline = star(0, 60, (30, 30), 15)
    first, second = contour(geometry, 2, outline), contour(geometry, 2, np.array(outline) + mm)
    with pytest.raises(UserError, match="test: contours 1 and 2, in one plane, overlap in part"):
        fill([first, second], geometry, what="test")
    fill([first, contour(geometry, 3, np.array(outline) + mm)], geometry, what="test")
