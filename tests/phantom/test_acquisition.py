import math

import numpy as np
import pytest

from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT, Acquisition, Artefacts


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("snr", -3.0, "2 to 1000"),
        ("snr", math.nan, "2 to 1000"),
        ("matrix", (7, 128), "32 to 512 pixels"),
        ("spacing_mm", 0.0, "0.5 to 6 mm"),
        ("slices", 0, "1 to 128"),
        ("slice_mm", 40.0, "1 to 12 mm"),
        ("echo_time_ms", 0.0, "20 to 200 ms"),
        ("b_values", (0, 9000), "0 to 3000"),
        ("b_values", (1000, 0), "larger than the one before"),
        ("b_values", (0,), "at least two"),
        ("plane", "coronal", "sagittal or axial"),
        ("vendor", "hitachi", "siemens, ge or philips"),
        ("field_t", 7.0, "1 to 3 T"),
        ("blur_pixels", (0.3, -1.0), "0 to 3 pixels"),
        ("noise_pixels", 5.0, "0 to 2 pixels"),
        ("averages", 0, "1 to 64"),
        ("echo_spacing_ms", 0.0, "0.2 to 2 ms"),
        ("acceleration", 0.5, "1 to 4"),
    ],
)
def test_impossible_settings_are_refused_with_the_allowed_range(setting, value, allowed):
    with pytest.raises(UserError) as refused:
        Acquisition(**{setting: value})
    assert allowed in refused.value.expected


@pytest.mark.parametrize("plane", ["sagittal", "axial"])
def test_the_grid_lies_in_its_plane_around_its_centre(plane):
    geometry = Acquisition(plane=plane).geometry((3.0, -5.0, 8.0))
    assert geometry.plane == plane
    assert geometry.spacing == pytest.approx((4.5, 2.0, 2.0))
    np.testing.assert_allclose(geometry.to_patient((np.array(geometry.shape) - 1) / 2), (3, -5, 8))
    np.testing.assert_allclose(geometry.affine[:3, 0] / 4.5, geometry.normal)


def test_sagittal_columns_run_to_posterior_and_rows_to_inferior():
    geometry = DEFAULT.geometry((0, 0, 0))
    np.testing.assert_allclose(geometry.affine[:3, 2], (0, 2, 0))
    np.testing.assert_allclose(geometry.affine[:3, 1], (0, 0, -2))


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("distortion", -1.0, "0 to 2"),
        ("fat_residue", 1.0, "0 to 0.5"),
        ("ghost", 0.5, "0 to 0.2"),
        ("motion_mm", math.inf, "0 to 10 mm"),
        ("motion_deg", 45.0, "0 to 10 degrees"),
    ],
)
def test_impossible_artefacts_are_refused_with_the_allowed_range(setting, value, allowed):
    with pytest.raises(UserError) as refused:
        Artefacts(**{setting: value})
    assert allowed in refused.value.expected
