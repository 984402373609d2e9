from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from surface_distance import lookup_tables, metrics

from tests.evaluation.masks import NAMED, Spacing, ball, box, pairs, random_pairs, spacings
from uteroseg.evaluation import surface
from uteroseg.evaluation.surface import SurfaceDistances
from uteroseg.imaging.geometry import Array

TOLERANCES = (0.0, 0.7, 1.0, 2.0, 5.0)
between = SurfaceDistances.between


def deepmind(prediction: Array, truth: Array, spacing: Spacing) -> dict[str, Array]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # scipy.ndimage.filters
        found: dict[str, Array] = metrics.compute_surface_distances(truth, prediction, spacing)
    return found


def assert_same_as_deepmind(
    prediction: Array, truth: Array, spacing: Spacing, *, rounding: bool = False
) -> None:
    """Compare every measure; with rounding, also where a share or a tolerance is met exactly."""
    measured, expected = between(prediction, truth, spacing), deepmind(prediction, truth, spacing)
    share = 95 - 100 * surface._ROUNDING_SHARE * rounding
    assert measured.hd95_mm == pytest.approx(metrics.compute_robust_hausdorff(expected, share), abs=1e-3)
    for tolerance in TOLERANCES:
        limit = tolerance + surface.ROUNDING_MM * rounding
        assert measured.nsd(tolerance) == pytest.approx(
            metrics.compute_surface_dice_at_tolerance(expected, limit), abs=1e-9
        )
    true_mean, predicted_mean = metrics.compute_average_surface_distance(expected)
    true_area, predicted_area = expected["surfel_areas_gt"].sum(), expected["surfel_areas_pred"].sum()
    assert measured.assd_mm == pytest.approx(
        (true_mean * true_area + predicted_mean * predicted_area) / (true_area + predicted_area), abs=1e-3
    )


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5.0, 0.7, 0.7), (0.3, 4.1, 2.2)])
def test_every_pattern_has_the_area_that_surface_distance_gives_it(spacing: Spacing) -> None:
    reference = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    assert surface._areas(spacing) == pytest.approx(reference, rel=1e-12)


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize("spacing", [(1, 1, 1), (5.0, 0.7, 0.7), (3.0, 1.5, 0.8)])
def test_named_masks_agree_with_surface_distance(case: str, spacing: Spacing) -> None:
    assert_same_as_deepmind(*NAMED[case], spacing)


@pytest.mark.parametrize("number", range(60))
def test_random_masks_agree_with_surface_distance(number: int) -> None:
    assert_same_as_deepmind(*random_pairs(60)[number])


@given(pairs(filled=True), spacings)
@settings(max_examples=100, deadline=None)
def test_small_masks_agree_with_surface_distance(masks: tuple[Array, Array], spacing: Spacing) -> None:
    assert_same_as_deepmind(*masks, spacing, rounding=True)


@pytest.mark.parametrize("case", [c for c in NAMED if c != "everything"])
def test_distances_are_those_between_all_pieces(case: str) -> None:
    """Brute force without a distance transform: the centres of the blocks that hold both kinds of voxels."""
    spacing = (3.0, 1.5, 0.8)

    def centres(mask: Array) -> Array:
        padded, corners = np.pad(mask, 1), []
        for corner in product(*(range(n + 1) for n in mask.shape)):
            block = padded[tuple(slice(i, i + 2) for i in corner)]
            if block.any() and not block.all():
                corners.append(corner)
        return np.array(corners) * spacing

    prediction, truth = NAMED[case]
    distances = cdist(centres(prediction), centres(truth))
    measured = between(prediction, truth, spacing)
    assert np.sort(measured.to_truth) == pytest.approx(np.sort(distances.min(axis=1)))
    assert np.sort(measured.to_prediction) == pytest.approx(np.sort(distances.min(axis=0)))


def test_parallel_planes_have_the_distance_that_lies_between_them() -> None:
    truth, prediction = box((12, 40, 40), (0, 0, 0, 4, 40, 40)), box((12, 40, 40), (0, 0, 0, 7, 40, 40))
    measured = between(prediction, truth, (2.5, 1, 1))
    assert measured.hd95_mm == 7.5
    shared_sides = measured.to_truth == 0
    assert 0 < measured.predicted_areas[shared_sides].sum() < measured.predicted_areas.sum()


def test_concentric_balls_have_the_difference_of_their_radii_and_the_area_of_a_sphere() -> None:
    """Closed forms, met to within a voxel: a surface is a layer of blocks, measured between their centres."""
    spacing, shape = (1.0, 0.8, 1.25), (66, 82, 52)
    measured = between(ball(30, spacing, shape), ball(26, spacing, shape), spacing)
    assert measured.hd95_mm == pytest.approx(4, abs=0.7)
    assert measured.assd_mm == pytest.approx(4, abs=0.7)
    assert measured.nsd(2) == 0
    assert measured.nsd(6) == 1
    assert measured.true_areas.sum() == pytest.approx(4 * np.pi * 26**2, rel=0.12)


def test_the_largest_distance_agrees_with_simpleitk_to_a_voxel() -> None:
    """SimpleITK measures between voxels, not between surfaces: at most a voxel's diagonal apart."""
    filter_ = sitk.HausdorffDistanceImageFilter()
    for prediction, truth, spacing in random_pairs(30):
        images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (prediction, truth)]
        for image in images:
            image.SetSpacing(spacing[::-1])
        filter_.Execute(*images)
        measured = between(prediction, truth, spacing)
        largest = max(measured.to_truth.max(), measured.to_prediction.max())
        assert abs(largest - filter_.GetHausdorffDistance()) <= np.linalg.norm(spacing) + 1e-6


def measures(prediction: Array, truth: Array, spacing: Spacing) -> list[float]:
    measured = between(prediction, truth, spacing)
    return [measured.hd95_mm, measured.assd_mm, *(measured.nsd(t) for t in TOLERANCES)]


@given(pairs(filled=True), spacings)
@settings(max_examples=40, deadline=None)
def test_surface_measures_are_symmetric(masks: tuple[Array, Array], spacing: Spacing) -> None:
    prediction, truth = masks
    assert measures(prediction, truth, spacing) == pytest.approx(measures(truth, prediction, spacing))


@given(
    pairs(filled=True),
    spacings,
    st.integers(0, 3),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
)
@settings(max_examples=60, deadline=None)
def test_padding_flips_and_axis_order_change_nothing(
    masks: tuple[Array, Array], spacing: Spacing, width: int, order: list[int], flips: tuple[bool, bool, bool]
) -> None:
    def moved(mask: Array) -> Array:
        return np.flip(np.pad(mask, width), [axis for axis in range(3) if flips[axis]]).transpose(order)

    turned = (spacing[order[0]], spacing[order[1]], spacing[order[2]])
    assert measures(*map(moved, masks), turned) == pytest.approx(measures(*masks, spacing), abs=1e-9)


@given(pairs(filled=True), spacings, st.lists(st.floats(0, 50), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_nsd_rises_with_the_tolerance_up_to_1(
    masks: tuple[Array, Array], spacing: Spacing, tolerances: list[float]
) -> None:
    measured = between(*masks, spacing)
    scores = [measured.nsd(tolerance) for tolerance in sorted(tolerances)]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert measured.nsd(1000) == 1


@given(pairs(filled=True), spacings)
@settings(max_examples=30, deadline=None)
def test_a_mask_has_no_distance_from_itself(masks: tuple[Array, Array], spacing: Spacing) -> None:
    assert measures(masks[0], masks[0], spacing) == [0, 0, *[1] * len(TOLERANCES)]


def test_rounding_in_a_header_decides_nothing() -> None:
    truth, prediction = box((8, 6, 6), (1, 1, 1, 4, 5, 5)), box((8, 6, 6), (2, 1, 1, 5, 5, 5))
    exact, rounded = ((2.0, 1, 1), (2.0000001, 1, 1))
    assert between(prediction, truth, rounded).nsd(2) == between(prediction, truth, exact).nsd(2) == 1
    assert between(prediction, truth, exact).nsd(1.99) < 1


def test_hd95_is_the_smallest_distance_that_95_percent_of_the_area_reaches() -> None:
    equal = np.full(20, 0.1)
    nineteen_of_20 = SurfaceDistances(np.r_[np.zeros(19), 8.0], equal, np.zeros(20), equal)
    assert nineteen_of_20.hd95_mm == 0
    eighteen_of_20 = SurfaceDistances(np.r_[np.zeros(18), 8.0, 9.0], equal, np.zeros(20), equal)
    assert eighteen_of_20.hd95_mm == 8
    assert SurfaceDistances(np.zeros(20), equal, np.r_[np.zeros(18), 8.0, 9.0], equal).hd95_mm == 8


def test_a_mask_without_a_surface_and_a_negative_tolerance_are_programming_errors() -> None:
    mask = box((3, 3, 3), (1, 1, 1, 2, 2, 2))
    for prediction, truth in ((mask, ~mask & mask), (~mask & mask, mask)):
        with pytest.raises(ValueError, match="an empty mask has no surface"):
            between(prediction, truth, (1, 1, 1))
    for tolerance in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="a tolerance is a distance"):
            between(mask, mask, (1, 1, 1)).nsd(tolerance)
