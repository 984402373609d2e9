import numpy as np
import pytest

from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import dice
from uteroseg.imaging.study import Mask
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.person import draw_person
from uteroseg.phantom.reader import case_dsc, second_reader
from uteroseg.phantom.shapes import points_in
from uteroseg.phantom.tumour import whole


def mask_of(index, cohort="uterine"):
    streams = np.random.SeedSequence([2, len(cohort), index]).spawn(3)
    one = draw_person(cohort, *map(np.random.default_rng, streams))
    grid = Acquisition().geometry(one.centre.tolist())
    return Mask(one.tumour[0].shape.distance(points_in(grid, whole(grid))) < 0, grid)


@pytest.fixture(scope="module")
def masks():
    return [mask_of(index) for index in range(1, 17)]


@pytest.mark.parametrize("wanted", [0.90, 0.75])
def test_the_mean_dsc_over_a_cohort_is_the_wanted_one(masks, wanted):
    reached = []
    for index, mask in enumerate(masks, start=1):
        own = case_dsc(wanted, index, seed=5)
        second = second_reader(mask, np.random.default_rng(index), dsc=own)
        reached.append(dice(second.data, mask.data))
        assert reached[-1] == pytest.approx(own, abs=max(0.01, 1 / mask.data.sum()))
    for cohort in (reached[:6], reached[:9], reached):
        assert np.mean(cohort) == pytest.approx(wanted, abs=0.01)
    assert np.std(reached) > 0.01


def test_readers_differ_at_the_boundary_and_in_end_slices(masks):
    signs, missed = [], 0
    for index, mask in enumerate(3 * masks):
        second = second_reader(mask, np.random.default_rng(index), dsc=0.88).data
        signs.append(np.sign(int(second.sum()) - int(mask.data.sum())))
        missed += second.any(axis=(1, 2)).sum() < mask.data.any(axis=(1, 2)).sum()
        assert second.any()
    assert {-1, 1} <= set(signs)
    assert missed >= 9  # of 48


def test_the_same_numbers_give_the_same_mask(masks):
    one, other = (second_reader(masks[0], np.random.default_rng(3)).data for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_nobody_draws_a_tumour_where_there_is_none(masks):
    empty = Mask(np.zeros_like(masks[0].data), masks[0].geometry)
    assert not second_reader(empty, np.random.default_rng(1)).data.any()


@pytest.mark.parametrize("dsc", [0.0, 1.0, float("nan"), 1.2])
def test_an_impossible_dsc_is_refused_with_the_range(masks, dsc):
    with pytest.raises(UserError) as refused:
        second_reader(masks[0], np.random.default_rng(1), dsc=dsc)
    assert "0.5 to 0.98" in refused.value.expected
