from dataclasses import replace

import numpy as np
import pytest

from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT
from uteroseg.phantom.patient import simulate_patient
from uteroseg.phantom.presets import PRESETS, acquisition_named

SMALL = {"matrix": (64, 64), "spacing_mm": 4.0, "slices": 16, "slice_mm": 6.0}


def test_the_scanners_of_the_paper_and_two_other_vendors_are_there():
    assert {(one.vendor, one.field_t) for one in PRESETS.values()} == {
        ("siemens", 3),
        ("ge", 1.5),
        ("philips", 3),
    }
    assert {one.model for one in PRESETS.values() if one.vendor == "siemens"} == {"Skyra", "TrioTim"}
    assert acquisition_named("siemens-skyra-3t") is DEFAULT
    assert (DEFAULT.plane, DEFAULT.matrix, DEFAULT.slices, DEFAULT.b_values) == (
        "sagittal",
        (128, 128),
        24,
        (0, 1000),
    )


def test_an_unknown_scanner_is_refused_with_the_known_ones():
    with pytest.raises(UserError) as refused:
        acquisition_named("hitachi")
    for name in PRESETS:
        assert name in refused.value.expected


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("plane", ["sagittal", "axial"])
def test_every_scanner_images_the_same_patient_in_either_plane(name, plane):
    acquisition = replace(acquisition_named(name), plane=plane, **SMALL)
    patient = simulate_patient("uterine", 1, seed=3, acquisition=acquisition)
    other = simulate_patient("uterine", 1, seed=3, acquisition=replace(DEFAULT, **SMALL))
    assert patient.person.plan == other.person.plan
    np.testing.assert_array_equal(patient.person.anatomy.uterus.axes, other.person.anatomy.uterus.axes)
    assert patient.study.geometry.plane == plane
    assert patient.study.acquisition["MagneticFieldStrength"] == acquisition.field_t
    assert patient.study.acquisition["simulated_scanner"] == name
    assert patient.mask.data.any()


def test_t2_is_longer_at_a_lower_field():
    high = simulate_patient("cervical", 1, seed=3, acquisition=replace(DEFAULT, snr=1000, **SMALL))
    low = simulate_patient(
        "cervical", 1, seed=3, acquisition=replace(DEFAULT, snr=1000, field_t=1.5, **SMALL)
    )
    ratio = np.median(low.study.signal[0][low.mask.data]) / np.median(high.study.signal[0][high.mask.data])
    # T2 of about 90 ms, 1.19 times as long at 1.5 T, at an echo time of 70 ms
    assert ratio == pytest.approx(np.exp(-70 / (90 * 1.19) + 70 / 90), rel=0.1)
