"""The same questions, asked of studies and masks that are in no dataset yet."""

from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.check.finding import error, refuse_errors, warning
from uteroseg.dataset.check.images import study_problems
from uteroseg.dataset.check.masks import mask_problems
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy, Mask


def errors(findings):
    return [finding.check for finding in findings if finding.severity == "error"]


def study_of(images, b_values, geometry=tiny.GRID, **options):
    return DwiStudy(np.asarray(images, np.float32), tuple(map(float, b_values)), geometry, **options)


@pytest.mark.parametrize("b_values", [(0, 1000), (0, 50, 400, 800), (0, 10, 20, 30, 1000), (0, 1500, 2000)])
def test_a_study_as_it_should_be_has_no_problem(b_values):
    study, mask = tiny.study(4, b_values=b_values)
    assert [finding.check for finding in study_problems(study)] == []
    assert errors(mask_problems(mask, study)) == []


def scaled(step):
    points = grid("axial", (4, 48, 48), (step, step, step))
    return study_of(tiny.study()[0].signal[:, :4], (0, 1000), points)


SOUND = tiny.study(1, b_values=(0.0, 500.0, 1000.0))[0]
ERRORS = {
    "voxels of a tenth of a millimetre": ("spacing", scaled(0.1)),
    "voxels of metres": ("spacing", scaled(40)),
    "a negative b-value": ("b-values", study_of(SOUND.signal[:2], (-5, 1000))),
    "an impossible b-value": ("b-values", study_of(SOUND.signal[:2], (0, 10_000))),
    "one b-value": ("b-values", study_of(SOUND.signal[:1], (0,))),
    "no signal": ("empty-image", study_of(SOUND.signal[:2] * [[[[1]]], [[[0]]]], (0, 1000))),
    "one image at two of three b-values": ("same-image", study_of(SOUND.signal[[0, 2, 2]], (0, 500, 1000))),
    "the first image again as the last": ("same-image", study_of(SOUND.signal[[0, 1, 0]], (0, 500, 1000))),
    "images in reverse": ("b-value-order", study_of(SOUND.signal[::-1], (0, 500, 1000))),
    "two images swapped": ("b-value-order", study_of(SOUND.signal[[0, 2, 1]], (0, 500, 1000))),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_wrong_is_an_error_once_and_refused_by_its_name(name):
    check, study = ERRORS[name]
    found = list(study_problems(study, "series 7"))
    assert errors(found) == [check]
    with pytest.raises(UserError, match="series 7: ") as refusal:
        refuse_errors(found)
    assert check in refusal.value.expected


def test_warnings_alone_are_not_refused():
    refuse_errors([warning("slices", "x", "only 2 slices", "ingest the whole series")])
    with pytest.raises(UserError, match=r"^y: broken\."):
        refuse_errors([warning("slices", "x", "few", "more"), error("spacing", "y", "broken", "mend it")])


def test_near_b_values_may_differ_by_noise_and_far_ones_reach_its_floor():
    """As in the real prostates with 13 b-values: 23 at b 1500, 22 at b 2000."""
    signal = tiny.study(1, b_values=(0.0, 25.0, 800.0, 1500.0, 2000.0))[0].signal.copy()
    signal[1] *= 1.04
    signal[4] = signal[3] * 1.01 + np.random.default_rng(0).normal(0, 5, signal[3].shape)
    assert errors(study_problems(study_of(signal, (0, 25, 800, 1500, 2000)))) == []


def test_an_image_that_was_computed_falls_by_construction():
    study = replace(SOUND, signal=SOUND.signal[::-1])
    derived = replace(study, acquisition={"derived_images": {"0": "computed from the ADC map"}}, adc_b_min=0)
    assert errors(study_problems(study)) == ["b-value-order"]
    assert errors(study_problems(derived)) == []


def test_a_mask_in_air_is_an_error_and_a_fifth_of_it_is_not():
    study, mask = tiny.study(3)
    air = ~(study.signal[0] > 0.1 * np.percentile(study.signal[0], 99))
    flat = np.flatnonzero(air.ravel())
    for share, expected in ((0.15, []), (0.3, ["mask-outside"]), (1.0, ["mask-outside"])):
        inside = mask.data.copy() if share < 1 else np.zeros_like(mask.data)
        number = int(mask.data.sum() * share / (1 - share)) if share < 1 else 100
        inside.ravel()[flat[:number]] = True
        assert errors(mask_problems(Mask(inside, mask.geometry), study)) == expected


def test_an_empty_mask_is_no_error():
    study, mask = tiny.study(3)
    empty = Mask(np.zeros_like(mask.data), mask.geometry)
    assert [finding.check for finding in mask_problems(empty, study)] == ["mask-empty"]
    assert list(mask_problems(empty, study, tumour=False)) == []


def test_the_real_prostates_with_13_b_values_pass(real_data):
    from uteroseg.dataset.study_files import read_study
    from uteroseg.imaging.nifti import read_image

    for folder in sorted((real_data / "prostate_13b").iterdir()):
        study = read_study(folder / "ivim13b.nii.gz")
        assert len(study.b_values) == 13
        assert list(study_problems(study)) == []
        image, geometry = read_image(folder / "tumor_roi.nii.gz")
        assert errors(mask_problems(Mask(image != 0, geometry), study)) == []
