import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from uteroseg.imaging.components import label_components


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)))
@settings(max_examples=150, deadline=None)
def test_components_are_those_of_scipy(mask):
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)))
    labels, found = label_components(mask)
    assert found == count
    np.testing.assert_array_equal(labels, expected)


@given(st.floats(0.02, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_components_of_a_large_noisy_mask_are_those_of_scipy(share, seed):
    mask = np.random.default_rng(seed).random((9, 40, 50)) < share
    expected, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    np.testing.assert_array_equal(label_components(mask)[0], expected)


@pytest.mark.parametrize("turns", range(4))
def test_a_spiral_is_one_component(turns):
    """Its ends lie far apart along the only way between them."""
    mask = np.zeros((1, 41, 41), bool)
    for inset in range(0, 20, 4):
        mask[0, inset, inset : -1 - inset] = mask[0, inset : -1 - inset, -1 - inset] = True
        mask[0, -1 - inset, inset : -1 - inset] = mask[0, inset + 4 : -1 - inset, inset] = True
        mask[0, inset + 4, inset : inset + 4] = True
    mask = np.rot90(mask, turns, axes=(1, 2))
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == label_components(mask)[1]


def test_an_empty_and_a_full_mask_have_none_and_one():
    assert label_components(np.zeros((2, 3, 4), bool))[1] == 0
    labels, count = label_components(np.ones((24, 256, 256), bool))
    assert count == 1
    assert (labels == 1).all()
