from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uteroseg.errors import UserError
from uteroseg.evaluation.metrics import (
    EMPTY_RULE,
    dice,
    measure_case,
    positive_predictive_value,
    sensitivity,
)
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.study import Mask

MEASURES = (dice, sensitivity, positive_predictive_value)
SHAPE = (3, 5, 4)
masks = hnp.arrays(np.bool_, SHAPE)
filled = masks.filter(np.any)


def geometry(
    shape: tuple[int, int, int] = SHAPE, spacing: tuple[float, float, float] = (4.0, 1.5, 2.0)
) -> Geometry:
    return Geometry(shape, np.diag([*spacing, 1.0]))


@given(filled, filled)
def test_dice_agrees_with_simpleitk_and_with_the_confusion_matrix(prediction: Array, truth: Array) -> None:
    itk = sitk.LabelOverlapMeasuresImageFilter()
    itk.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (prediction, truth)))
    assert dice(prediction, truth) == pytest.approx(itk.GetDiceCoefficient())
    hits = sum(p and t for p, t in zip(prediction.flat, truth.flat, strict=True))
    misses = sum(t and not p for p, t in zip(prediction.flat, truth.flat, strict=True))
    alarms = sum(p and not t for p, t in zip(prediction.flat, truth.flat, strict=True))
    assert dice(prediction, truth) == pytest.approx(2 * hits / (2 * hits + misses + alarms))
    assert sensitivity(prediction, truth) == pytest.approx(hits / (hits + misses))
    assert positive_predictive_value(prediction, truth) == pytest.approx(hits / (hits + alarms))
    assert sensitivity(prediction, truth) == pytest.approx(1 - itk.GetFalseNegativeError())


@given(masks, masks)
def test_measures_lie_between_0_and_1(prediction: Array, truth: Array) -> None:
    assert all(0 <= measure(prediction, truth) <= 1 for measure in MEASURES)


@given(masks, masks)
def test_dice_is_symmetric_and_sensitivity_mirrors_ppv(prediction: Array, truth: Array) -> None:
    assert dice(prediction, truth) == dice(truth, prediction)
    assert sensitivity(prediction, truth) == positive_predictive_value(truth, prediction)


@given(masks)
def test_a_mask_agrees_perfectly_with_itself(mask: Array) -> None:
    assert all(measure(mask, mask) == 1 for measure in MEASURES)


@given(masks, masks, st.integers(0, 3), st.permutations(range(3)))
@settings(max_examples=50)
def test_padding_flips_and_axis_order_change_nothing(
    prediction: Array, truth: Array, width: int, order: list[int]
) -> None:
    def moved(mask: Array) -> Array:
        return np.pad(mask, width)[::-1].transpose(order)

    assert [measure(moved(prediction), moved(truth)) for measure in MEASURES] == [
        measure(prediction, truth) for measure in MEASURES
    ]


@given(filled)
def test_the_empty_rule_holds_for_every_measure(mask: Array) -> None:
    empty = np.zeros(SHAPE, bool)
    for measure in MEASURES:
        assert measure(empty, empty) == 1
        assert measure(empty, mask) == 0
        assert measure(mask, empty) == 0


def test_the_empty_rule_is_said_in_words() -> None:
    assert "both empty" in EMPTY_RULE
    assert "counts as 0 in every mean" in EMPTY_RULE


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [(np.zeros(3, bool), np.zeros((3, 1), bool)), (np.zeros(3, np.uint8), np.zeros(3, bool))],
)
def test_arrays_that_are_not_boolean_or_not_alike_are_a_programming_error(
    prediction: Array, truth: Array
) -> None:
    with pytest.raises(ValueError, match="two boolean arrays of one shape"):
        dice(prediction, truth)


def test_a_case_is_measured_with_volumes_in_ml() -> None:
    truth, prediction = np.zeros((2, 2, *SHAPE), bool)[0]
    truth[1, 1:3, 1:3] = True
    prediction[1, 1:3, 1:4] = True
    measured = measure_case(Mask(prediction, geometry()), Mask(truth, geometry()))
    assert measured == pytest.approx(
        {
            "volume_ml": 4 * 12 / 1000,
            "predicted_volume_ml": 6 * 12 / 1000,
            "dsc": 2 * 4 / 10,
            "sensitivity": 1,
            "ppv": 4 / 6,
            "volume_error_ml": 2 * 12 / 1000,
        }
    )


@given(masks, masks)
@settings(max_examples=30)
def test_a_case_carries_the_same_measures_as_the_functions(prediction: Array, truth: Array) -> None:
    measured = measure_case(Mask(prediction, geometry()), Mask(truth, geometry()))
    assert measured["dsc"] == dice(prediction, truth)
    assert measured["sensitivity"] == sensitivity(prediction, truth)
    assert measured["ppv"] == positive_predictive_value(prediction, truth)
    assert measured["volume_error_ml"] == measured["predicted_volume_ml"] - measured["volume_ml"]


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (geometry((3, 5, 5)), "3×5×4 against 3×5×5"),
        (geometry(spacing=(4.0, 1.5, 2.2)), "corners up to 0.6 mm"),
    ],
)
def test_masks_on_different_grids_are_refused_and_the_difference_named(
    other: Geometry, difference: str
) -> None:
    with pytest.raises(UserError, match=difference):
        measure_case(Mask(np.zeros(other.shape, bool), other), Mask(np.zeros(SHAPE, bool), geometry()))
