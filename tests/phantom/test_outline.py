import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from tests.polygons import inside
from uteroseg.phantom.outline import outlines, signed_area

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=9)


@settings(deadline=None, max_examples=30)
@given(arrays(bool, SHAPES))
def test_a_centre_is_inside_exactly_where_the_mask_is(mask):
    np.testing.assert_array_equal(inside(outlines(mask), mask.shape), mask)


@settings(deadline=None, max_examples=30)
@given(arrays("float32", SHAPES, elements={"min_value": 0, "max_value": 1}))
def test_a_centre_is_inside_exactly_where_at_least_half_is_covered(coverage):
    np.testing.assert_array_equal(inside(outlines(coverage), coverage.shape), coverage >= 0.5)


def test_the_outline_lies_where_the_coverage_crosses_one_half():
    coverage = np.array([[1.0, 1, 1, 0.75, 0.25, 0]] * 5)
    (outline,) = outlines(coverage)
    middle = outline[(outline[:, 0] == 2) & (outline[:, 1] > 1)]
    assert middle[:, 1] == pytest.approx([3.5])
    (soft,) = outlines(np.array([[1.0, 1, 1, 0.6, 0.35, 0]] * 5))
    assert soft[(soft[:, 0] == 2) & (soft[:, 1] > 1), 1] == pytest.approx([3.4])


def test_holes_run_the_other_way_and_corners_that_touch_stay_apart():
    ring = np.ones((3, 3))
    ring[1, 1] = 0
    assert sorted(signed_area(outline) > 0 for outline in outlines(ring)) == [False, True]
    assert [signed_area(outline) for outline in outlines(np.eye(2))] == [0.5, 0.5]
    assert outlines(np.zeros((4, 4))) == []
