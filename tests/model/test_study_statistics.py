import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from tests import tiny
from uteroseg.imaging.study import Mask
from uteroseg.model.prepare import PreparedStudy
from uteroseg.model.study_statistics import MAX_SNR, StudyStatistics, describe_study, summarise_studies


def described(seed=1, noise=0.0, **options):
    study, mask = tiny.study(seed, **options)
    if noise:
        rng = np.random.default_rng(1)
        study = replace(
            study, signal=study.signal + rng.normal(0, noise, study.signal.shape).astype(np.float32)
        )
    return describe_study(PreparedStudy(study), mask)


def test_a_study_is_described_by_what_it_was_made_of():
    found = described(b_values=(0.0, 500.0, 1000.0))
    assert (found.plane, found.b_values) == ("sagittal", [0, 500, 1000])
    assert (found.in_plane_mm, found.slice_mm) == (4.0, 5.0)
    assert found.adc_median == pytest.approx(1.6, rel=0.02)
    assert found.tumour_adc == pytest.approx(0.8, rel=0.05)
    assert found.high_b_ratio == pytest.approx(np.exp(-1.6), rel=0.05)
    assert found.tumour_contrast == pytest.approx(500 / 300 * np.exp(0.8), rel=0.1)


def test_snr_is_signal_over_the_noise_that_is_there():
    """tiny studies have a signal of 300 and noise of 5, to which more is added."""
    assert described().snr == pytest.approx(300 / 5, rel=0.15)
    assert described(noise=12.0).snr == pytest.approx(300 / 13, rel=0.15)


def test_a_study_without_noise_has_a_number_too():
    study, _ = tiny.study()
    flat = np.where(study.signal > 100, np.float32(300), np.float32(40))
    found = describe_study(PreparedStudy(replace(study, signal=flat)))
    assert found.snr <= MAX_SNR
    json.dumps(asdict(found), allow_nan=False)


def test_without_a_tumour_nothing_is_said_of_one():
    study, mask = tiny.study()
    empty = Mask(np.zeros_like(mask.data), mask.geometry)
    assert describe_study(PreparedStudy(study), empty).tumour_adc is None
    assert describe_study(PreparedStudy(study)).tumour_contrast is None


def test_distributions_are_those_of_all_studies():
    one = StudyStatistics("axial", [0.0, 1000.0], 2.0, 4.0, 20.0, 0.2, 0.1, 1.5, 3.0, 0.9, 2.0)
    studies = [replace(one, snr=float(snr), tumour_adc=None) for snr in range(100)] + [one]
    seen = summarise_studies(studies)
    assert "plane" not in seen
    assert seen["snr"].studies == 101
    assert seen["snr"].quantiles[::3] == (0.0, 49.0, 99.0)
    assert (seen["tumour_adc"].studies, seen["tumour_adc"].quantiles) == (1, (0.9,) * 7)
    assert seen["b_values"].quantiles == (0.0, 0.0, 0.0, 0.0, 1000.0, 1000.0, 1000.0)
