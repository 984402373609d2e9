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
from uteroseg.evaluation.surface import SurfaceDistances
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
    for part in ("both empty", "counts as 0 in every mean", "image's diagonal", "NSD", "volume error"):
        assert part in EMPTY_RULE


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [(np.zeros(3, bool), np.zeros((3, 1), bool)), (np.zeros(3, np.uint8), np.zeros(3, bool))],
)
def test_arrays_that_are_not_boolean_or_not_alike_are_a_programming_error(
    prediction: Array, truth: Array
) -> None:
    with pytest.raises(ValueError, match="two boolean arrays of one shape"):
        dice(prediction, truth)


def small_case() -> tuple[Mask, Mask]:
    """Truth of 1 × 2 × 2 voxels, prediction of 1 × 2 × 3 that holds it."""
    truth, prediction = np.zeros((2, *SHAPE), bool)
    truth[1, 1:3, 1:3] = True
    prediction[1, 1:3, 1:4] = True
    return Mask(prediction, geometry()), Mask(truth, geometry())


def test_a_case_is_measured_in_ml_and_mm() -> None:
    prediction, truth = small_case()
    measured = measure_case(prediction, truth)
    surfaces = SurfaceDistances.between(prediction.data, truth.data, geometry().spacing)
    diameter, predicted_diameter = np.hypot(5, 4), np.hypot(5, 6)
    assert measured == pytest.approx(
        {
            "volume_ml": 4 * 12 / 1000,
            "predicted_volume_ml": 6 * 12 / 1000,
            "dsc": 2 * 4 / 10,
            "sensitivity": 1,
            "ppv": 4 / 6,
            "nsd_2mm": 1,
            "hd95_mm": 2,
            "assd_mm": surfaces.assd_mm,
            "volume_error_ml": 2 * 12 / 1000,
            "volume_error_percent": 50,
            "diameter_mm": diameter,
            "predicted_diameter_mm": predicted_diameter,
            "diameter_error_mm": predicted_diameter - diameter,
            "lesions": 1,
            "detected_lesions": 1,
            "false_positive_components": 0,
        }
    )


@pytest.mark.parametrize(("tolerance", "name"), [(2.0, "nsd_2mm"), (1.5, "nsd_1.5mm"), (0, "nsd_0mm")])
def test_nsd_is_named_after_its_tolerance(tolerance: float, name: str) -> None:
    prediction, truth = small_case()
    surfaces = SurfaceDistances.between(prediction.data, truth.data, geometry().spacing)
    measured = measure_case(prediction, truth, tolerance_mm=tolerance)
    assert measured[name] == pytest.approx(surfaces.nsd(tolerance))
    assert len([key for key in measured if key.startswith("nsd")]) == 1


def test_an_adc_map_adds_the_statistics_of_both_masks() -> None:
    prediction, truth = small_case()
    adc = np.random.default_rng(1).uniform(0.5, 2, SHAPE)
    adc[1, 1, 1] = 0
    measured = measure_case(prediction, truth, adc=adc)
    values = adc[truth.data & (adc > 0)]
    assert measured["adc_voxels"] == 3
    assert measured["adc_undefined_voxels"] == measured["predicted_adc_undefined_voxels"] == 1
    assert measured["adc_mean"] == pytest.approx(values.mean())
    assert measured["predicted_adc_median"] == pytest.approx(np.median(adc[prediction.data & (adc > 0)]))
    nothing = measure_case(Mask(np.zeros(SHAPE, bool), geometry()), truth, adc=adc)
    assert nothing["predicted_adc_mean"] is None
    assert nothing["adc_p90"] == pytest.approx(np.percentile(values, 90))
    with pytest.raises(ValueError, match="does not fit"):
        measure_case(prediction, truth, adc=adc[:2])


@given(filled)
@settings(max_examples=30, deadline=None)
def test_empty_masks_get_the_best_or_the_worst_value_of_a_case(mask: Array) -> None:
    filled_, empty = Mask(mask, geometry()), Mask(np.zeros(SHAPE, bool), geometry())
    diagonal = np.linalg.norm([3 * 4, 5 * 1.5, 4 * 2])
    both, missed, invented = (
        measure_case(prediction, truth)
        for prediction, truth in ((empty, empty), (empty, filled_), (filled_, empty))
    )
    for measured in (missed, invented):
        assert [measured[k] for k in ("dsc", "sensitivity", "ppv", "nsd_2mm", "detected_lesions")] == [0] * 5
        assert measured["hd95_mm"] == measured["assd_mm"] == pytest.approx(diagonal)
    assert [both[k] for k in ("dsc", "sensitivity", "ppv", "nsd_2mm")] == [1] * 4
    assert [both[k] for k in ("hd95_mm", "assd_mm", "volume_error_ml", "diameter_error_mm")] == [0] * 4
    assert missed["volume_error_percent"] == -100
    assert both["volume_error_percent"] is invented["volume_error_percent"] is None
    assert missed["diameter_error_mm"] == -invented["diameter_error_mm"] == -(missed["diameter_mm"] or 0)
    assert missed["lesions"] == invented["false_positive_components"] >= 1


@given(filled, filled, st.integers(0, 3), st.permutations(range(3)))
@settings(max_examples=40, deadline=None)
def test_where_the_masks_lie_on_the_grid_changes_no_measure_of_a_case(
    prediction: Array, truth: Array, width: int, order: list[int]
) -> None:
    spacing = geometry().spacing
    turned = (spacing[order[0]], spacing[order[1]], spacing[order[2]])

    def moved(mask: Array) -> Mask:
        data = np.pad(mask, width)[:, ::-1].transpose(order)
        return Mask(data, geometry(data.shape, turned))

    measured = measure_case(Mask(prediction, geometry()), Mask(truth, geometry()))
    assert measure_case(moved(prediction), moved(truth)) == pytest.approx(measured, abs=1e-9)


@given(masks, masks)
@settings(max_examples=30, deadline=None)
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
