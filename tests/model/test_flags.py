from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.imaging.derived import study_of_map
from uteroseg.imaging.study import Mask
from uteroseg.model.calibration import Calibration
from uteroseg.model.flags import CERTAIN, quality_flags
from uteroseg.model.prepare import PreparedStudy
from uteroseg.model.spec import ModelCard, ModelSpec, TrainingRecord
from uteroseg.model.study_statistics import describe_study, summarise_studies

SURE = 0.95


def described(seed):
    study, mask = tiny.study(seed)
    return describe_study(PreparedStudy(study), mask)


@pytest.fixture(scope="module")
def card():
    """Of a model that saw twelve tiny studies; its masks are as good as its probabilities say."""
    record = TrainingRecord(
        strategy="all",
        cases={"cervical": 12},
        virtual=True,
        data_fingerprint="x",
        seed=1,
        steps=1,
        batch_size=2,
        seconds=1.0,
        final_loss=0.1,
        b_values=[0.0, 1000.0],
        slice_spacing_mm=[5.0],
        seen=summarise_studies([described(seed) for seed in range(1, 13)]),
        software={},
        expected_dsc=Calibration(intercept=0.0, slope=1.0, cases=12, mean_absolute_error=0.05),
    )
    return ModelCard(id="x", spec=ModelSpec(spacing_mm=4.0, matrix=(48, 48)), training=record)


def flagged(card, study, mask, soft=SURE):
    flags = quality_flags(PreparedStudy(study), mask, soft, card)
    assert all(flag.severity > 1 for flag in flags)
    assert [flag.severity for flag in flags] == sorted((flag.severity for flag in flags), reverse=True)
    return {flag.name: flag.why for flag in flags}


def ball(geometry, centre, radius_mm):
    """A mask of a ball around a voxel."""
    index = np.moveaxis(np.indices(geometry.shape), 0, -1)
    distance = np.linalg.norm((index - np.array(centre)) * geometry.spacing, axis=-1)
    return distance <= radius_mm


@pytest.mark.parametrize("seed", range(21, 29))
def test_a_study_like_those_of_training_with_its_own_tumour_has_no_flag(card, seed):
    assert flagged(card, *tiny.study(seed)) == {}


def test_images_in_the_wrong_order_are_seen_in_intensity_and_adc(card):
    study, mask = tiny.study(21)
    found = flagged(card, replace(study, signal=study.signal[::-1].copy()), mask)
    assert {"other-intensity", "other-adc", "implausible-adc"} <= set(found)
    assert "median ADC in the mask is -0.7" in found["implausible-adc"]
    assert "12 training studies" in found["implausible-adc"]


@pytest.mark.parametrize("factor", [0.25, 3])
def test_a_high_b_image_on_another_scale_is_seen(card, factor):
    study, mask = tiny.study(21)
    signal = study.signal * np.array([1, factor], np.float32)[:, None, None, None]
    assert {"other-intensity", "other-adc"} <= set(flagged(card, replace(study, signal=signal), mask))


def test_a_scale_of_all_images_makes_no_difference(card):
    study, mask = tiny.study(21)
    assert flagged(card, replace(study, signal=study.signal * np.float32(7)), mask) == {}


def test_noise_is_said_as_a_number_beside_trainings(card):
    study, mask = tiny.study(21)
    noise = np.random.default_rng(1).normal(0, 60, study.signal.shape)
    found = flagged(card, replace(study, signal=np.abs(study.signal + noise).astype(np.float32) + 1), mask)
    low, high = (card.training.seen["snr"].quantiles[i] for i in (0, -1))
    assert found["other-snr"].endswith(f"it was {low:.3g} to {high:.3g} in 12 training studies.")


def test_another_plane_spacing_and_b_values_are_named(card):
    found = flagged(
        card, *tiny.study(21, geometry=grid("axial", (6, 48, 48), (5.0, 4.0, 4.0), (-94, -94, 0)))
    )
    assert found["other-plane"] == "The study is axial; the model was trained on sagittal slices."
    fine = grid("sagittal", (6, 96, 96), (5.0, 2.0, 2.0), (12.5, -94.0, 94.0))
    found = flagged(card, *tiny.study(21, geometry=fine))
    assert "spacing of pixels is 2 mm; it was 4 in 12 training studies" in found["other-spacing"]
    found = flagged(card, *tiny.study(21, b_values=(0.0, 400.0)))
    assert "b-values 0, 400 s/mm²; the model was trained on 0, 1000" in found["other-b-values"]
    assert "other-b-values" in flagged(card, *tiny.study(21, b_values=(200.0, 1000.0)))
    assert "other-b-values" not in flagged(card, *tiny.study(21, b_values=(50.0, 400.0, 800.0)))


def test_no_tumour_is_a_flag_of_its_own(card):
    study, mask = tiny.study(21)
    flags = quality_flags(PreparedStudy(study), Mask(np.zeros_like(mask.data), mask.geometry), SURE, card)
    assert [(flag.name, flag.severity) for flag in flags] == [("no-tumour", CERTAIN)]


@pytest.mark.parametrize(
    ("parts", "name", "told"),
    [
        ([((3, 24, 24), 5)], "tiny-mask", "0.56 mL"),
        ([((3, 20, 20), 13), ((3, 34, 30), 13)], "scattered-mask", "50% of the mask lies outside"),
        ([((0, 24, 24), 13)], "cut-mask", "still has 100% of its largest area"),
        ([((3, 24, 1), 13)], "mask-at-the-edge", "touches the edge"),
    ],
)
def test_a_mask_that_is_no_tumours_says_why(card, parts, name, told):
    study, _ = tiny.study(21)
    data = np.any([ball(study.geometry, *part) for part in parts], axis=0)
    assert told in flagged(card, study, Mask(data, study.geometry))[name]


def test_a_mask_inside_in_one_piece_has_no_flag_of_its_shape(card):
    study, _ = tiny.study(21)
    found = flagged(card, study, Mask(ball(study.geometry, (3, 24, 24), 13), study.geometry))
    assert not {"tiny-mask", "scattered-mask", "cut-mask", "mask-at-the-edge"} & set(found)


def test_the_edge_of_what_the_network_sees_is_an_edge(card):
    small = card.model_copy(update={"spec": ModelSpec(spacing_mm=4.0, matrix=(24, 40))})
    study, _ = tiny.study(21)
    for row, column, at_edge in ((12, 24, True), (16, 24, False), (24, 4, True), (24, 8, False)):
        mask = Mask(ball(study.geometry, (3, row, column), 10), study.geometry)
        assert ("mask-at-the-edge" in flagged(small, study, mask)) == at_edge, (row, column)


def test_a_low_expected_dsc_is_said_after_the_models_calibration(card):
    study, mask = tiny.study(21)
    assert "DSC of 0.30;" in flagged(card, study, mask, soft=0.3)["low-expected-dsc"]
    half = Calibration(intercept=0.0, slope=0.5, cases=12, mean_absolute_error=0.05)
    strict = card.model_copy(update={"training": card.training.model_copy(update={"expected_dsc": half})})
    assert "DSC of 0.40;" in flagged(strict, study, mask, soft=0.8)["low-expected-dsc"]
    assert "low-expected-dsc" not in flagged(card, study, mask, soft=0.8)


def test_a_model_without_a_record_is_compared_with_what_there_is(card):
    bare = card.training.model_copy(update={"seen": {}, "b_values": [], "expected_dsc": None})
    old = card.model_copy(update={"training": bare})
    study, mask = tiny.study(21)
    swapped = replace(study, signal=study.signal[::-1].copy())
    assert flagged(old, study, mask) == {}
    assert set(flagged(old, swapped, mask)) == {"implausible-adc"}
    assert "not calibrated" in flagged(old, study, mask, soft=0.3)["low-expected-dsc"]


def test_an_adc_that_no_tumour_has_is_implausible(card):
    bare = card.training.model_copy(update={"seen": {}})
    old = card.model_copy(update={"training": bare})
    study, mask = tiny.study(21)
    signal = study.signal.copy()
    signal[1][mask.data] = study.signal[0][mask.data] * np.exp(-2.9)
    assert "2.9 10⁻³ mm²/s" in flagged(old, replace(study, signal=signal), mask)["implausible-adc"]


@pytest.mark.parametrize(("adc", "plausible"), [(0.35, False), (0.45, True), (1.75, True), (1.9, False)])
def test_check_and_flags_agree_on_the_adc_that_tumours_have(card, adc, plausible, tmp_path):
    bare = card.model_copy(update={"training": card.training.model_copy(update={"seen": {}})})
    study, mask = tiny.study(21)
    signal = study.signal.copy()
    signal[1][mask.data] = study.signal[0][mask.data] * np.exp(-adc)
    study = replace(study, signal=signal)
    who = Participant("", "uterine", source="virtual", source_key="p")
    Dataset.open_or_create(tmp_path / "d").add(NewCase(study, who, "s", mask))
    checked = {finding.check for finding in check_dataset(tmp_path / "d", workers=1).findings}
    assert ("mask-adc" in checked) == ("implausible-adc" in flagged(bare, study, mask)) == (not plausible)


def test_a_derived_image_is_a_flag_and_nothing_that_follows_from_it(card):
    study, mask = tiny.study(21, b_values=(0.0, 1000.0), scanner_adc=True)
    derived = study_of_map(study.signal[1], 1000.0, study.scanner_adc, study.geometry, {}, what="the two")
    found = flagged(card, derived, mask)
    assert set(found) <= {"derived-image", "other-adc", "implausible-signal"}
    assert "The image at b 0 was not measured: it was computed from b 1000" in found["derived-image"]
    statistics = describe_study(PreparedStudy(derived), mask)
    assert (statistics.snr, statistics.high_b_ratio) == (None, None)
    assert set(summarise_studies([statistics])).isdisjoint({"snr", "high_b_ratio"})


def test_a_derived_study_of_a_tumour_that_nothing_has_is_still_implausible(card):
    study, mask = tiny.study(21, scanner_adc=True)
    adc = np.where(mask.data, 2.6, study.scanner_adc).astype(np.float32)
    derived = study_of_map(study.signal[1], 1000.0, adc, study.geometry, {}, what="the two")
    assert "implausible-adc" in flagged(card, derived, mask)
