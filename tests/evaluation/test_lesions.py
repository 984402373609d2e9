from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from tests.evaluation.masks import NAMED, box, pairs
from uteroseg.evaluation.lesions import MINIMUM_IOU, Detection, detect
from uteroseg.imaging.geometry import Array

SHAPE = (6, 12, 12)


def by_sets(prediction: Array, truth: Array) -> Detection:
    """The rule, with scikit-image's components and sets of voxels."""
    components, lesions = (
        [set(map(tuple, region.coords)) for region in regionprops(label(mask, connectivity=3))]
        for mask in (prediction, truth)
    )
    return Detection(
        lesions=len(lesions),
        detected_lesions=sum(
            any(len(lesion & part) >= MINIMUM_IOU * len(lesion | part) for part in components)
            for lesion in lesions
        ),
        false_positive_components=sum(
            all(part.isdisjoint(lesion) for lesion in lesions) for part in components
        ),
    )


@given(pairs())
@settings(max_examples=150, deadline=None)
def test_counts_agree_with_scikit_image_and_sets(masks: tuple[Array, Array]) -> None:
    assert detect(*masks) == by_sets(*masks)


def test_counts_of_named_and_sparse_masks_agree_with_scikit_image_and_sets() -> None:
    random = np.random.default_rng(3)
    sparse = [tuple(random.random((2, 8, 10, 9)) < share) for share in (0.01, 0.03, 0.05, 0.1, 0.15)]
    for masks in (*NAMED.values(), *sparse):
        assert detect(*masks) == by_sets(*masks)


@given(pairs(), st.integers(1, 2), st.permutations(range(3)))
@settings(max_examples=40, deadline=None)
def test_padding_flips_and_axis_order_change_nothing(
    masks: tuple[Array, Array], width: int, order: list[int]
) -> None:
    moved = [np.pad(mask, width)[:, ::-1].transpose(order) for mask in masks]
    assert detect(*moved) == detect(*masks)


def test_voxels_that_share_a_corner_are_one_lesion() -> None:
    truth = box(SHAPE, (1, 1, 1, 2, 2, 2), (2, 2, 2, 3, 3, 3))
    assert detect(truth, truth) == Detection(1, 1, 0)


def test_empty_masks_have_no_lesions() -> None:
    empty, mask = np.zeros(SHAPE, bool), box(SHAPE, (1, 1, 1, 3, 3, 3), (1, 6, 6, 3, 9, 9))
    assert detect(empty, empty) == Detection(0, 0, 0)
    assert detect(empty, mask) == Detection(2, 0, 0)
    assert detect(mask, empty) == Detection(0, 0, 2)
    nothing = np.zeros((0, 0, 0), bool)
    assert detect(nothing, nothing) == Detection(0, 0, 0)


def test_a_lesion_is_detected_from_an_iou_of_a_tenth_on() -> None:
    truth = box(SHAPE, (1, 1, 0, 2, 2, 10))
    assert detect(box(SHAPE, (1, 1, 0, 2, 2, 1)), truth) == Detection(1, 1, 0)
    larger = box(SHAPE, (1, 1, 0, 2, 2, 11))
    assert detect(box(SHAPE, (1, 1, 0, 2, 2, 1)), larger) == Detection(1, 0, 0)


def test_one_component_detects_every_lesion_that_it_covers_and_a_stray_one_is_false() -> None:
    truth = box(SHAPE, (1, 1, 1, 3, 4, 4), (1, 6, 1, 3, 9, 4))
    prediction = box(SHAPE, (1, 1, 1, 3, 9, 4), (4, 10, 10, 6, 12, 12))
    assert detect(prediction, truth) == Detection(2, 2, 1)
