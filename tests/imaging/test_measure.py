from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist
from scipy.stats import kurtosis, scoreatpercentile, skew

from tests.grids import grid, grids
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import (
    AdcStatistics,
    adc_statistics,
    bounding_box,
    maximum_diameter_mm,
    mean_adc,
    volume_ml,
)
from uteroseg.imaging.study import Mask

SPACING = (4.0, 1.5, 2.0)

# The digital phantom of IBSI (arXiv:1612.07003, section 5.1): its intensities, -1 outside the region.
IBSI_PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [-1, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, -1, -1], [1, 1, 1, 1, 1], [1, 1, -1, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, -1, -1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ],
    float,
)


def boxes(data: Array, geometry: Geometry) -> Array:
    """All corners of all voxels of a mask, mm."""
    offsets = np.indices((2, 2, 2)).reshape(3, 8).T - 0.5
    return geometry.to_patient((np.argwhere(data)[:, None] + offsets).reshape(-1, 3))


def mask_of(data: Array, spacing: tuple[float, float, float] = SPACING) -> Mask:
    return Mask(data, Geometry(data.shape, np.diag([*spacing, 1.0])))


@given(grids, st.floats(0.02, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_diameter_is_the_largest_distance_of_all_corners_on_every_grid(
    geometry: Geometry, share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    data = random.random(geometry.shape) < share
    data[tuple(random.integers(geometry.shape))] = True
    corners = np.unique(np.round(boxes(data, geometry), 9), axis=0)
    assert maximum_diameter_mm(Mask(data, geometry)) == pytest.approx(pdist(corners).max(), abs=1e-6)


@pytest.mark.parametrize(
    "size", [(1, 1, 1), (3, 1, 1), (1, 4, 1), (1, 1, 5), (1, 4, 5), (3, 4, 1), (3, 4, 5)]
)
def test_the_diameter_of_a_box_is_its_diagonal(size: tuple[int, int, int]) -> None:
    data = np.zeros((6, 7, 8), bool)
    data[1 : 1 + size[0], 2 : 2 + size[1], 3 : 3 + size[2]] = True
    expected = np.linalg.norm(np.array(size) * SPACING)
    assert maximum_diameter_mm(mask_of(data)) == pytest.approx(expected, abs=1e-9)


def test_the_diameter_is_exact_on_a_sheared_grid_and_between_separate_parts() -> None:
    affine = np.array([[4.0, 0, 0, 1], [1.0, 1.5, 0, 2], [0, 0.3, 2.0, 3], [0, 0, 0, 1]])
    geometry = Geometry((4, 5, 6), affine)
    data = np.zeros(geometry.shape, bool)
    data[0, 1, 1] = data[3, 4, 5] = data[2, 0, 3] = True
    assert maximum_diameter_mm(Mask(data, geometry)) == pytest.approx(pdist(boxes(data, geometry)).max())


def test_a_large_ball_has_its_diameter_and_agrees_with_simpleitk_to_a_voxel() -> None:
    radius = 30.0
    z, y, x = (s * (np.arange(n) - n // 2) for s, n in zip(SPACING, (24, 61, 41), strict=True))
    data = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= radius**2
    mask = mask_of(data)
    image = sitk.GetImageFromArray(data.astype(np.uint8))
    image.SetSpacing(SPACING[::-1])
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputeFeretDiameterOn()
    statistics.Execute(image)
    centres, voxel = statistics.GetFeretDiameter(1), np.linalg.norm(SPACING)
    assert centres < maximum_diameter_mm(mask) <= centres + voxel + 1e-6
    assert maximum_diameter_mm(mask) == pytest.approx(2 * radius, abs=voxel)
    assert volume_ml(mask) == pytest.approx(statistics.GetPhysicalSize(1) / 1000)


def test_an_empty_mask_has_no_extent() -> None:
    empty = np.zeros((3, 4, 5), bool)
    assert maximum_diameter_mm(mask_of(empty)) == 0
    assert volume_ml(mask_of(empty)) == 0
    assert not empty[bounding_box(empty)].size


@given(hnp.arrays(np.bool_, (3, 4, 5)).filter(np.any))
@settings(deadline=None)
def test_the_bounding_box_holds_the_mask_and_touches_it_on_every_side(data: Array) -> None:
    inside = data[bounding_box(data)]
    assert inside.sum() == data.sum()
    for axis in range(3):
        assert inside.take(0, axis).any()
        assert inside.take(-1, axis).any()


def test_adc_statistics_are_those_of_the_ibsi_phantom() -> None:
    """Reference values: IBSI manual, section 5.1, intensity-based statistics of the digital phantom."""
    measured = adc_statistics(mask_of(IBSI_PHANTOM > 0), IBSI_PHANTOM)
    assert (measured.voxels, measured.undefined_voxels) == (74, 0)
    assert measured.mean == pytest.approx(2.15, abs=0.005)
    assert measured.skewness == pytest.approx(1.08, abs=0.005)
    assert measured.kurtosis == pytest.approx(-0.355, abs=0.0005)
    assert (measured.median, measured.p10, measured.p90) == (1, 1, 4)


@given(
    hnp.arrays(np.float64, (3, 4, 5), elements=st.floats(-1, 4, width=32)), hnp.arrays(np.bool_, (3, 4, 5))
)
@settings(max_examples=60, deadline=None)
def test_adc_statistics_agree_with_scipy(adc: Array, data: Array) -> None:
    values = adc[data & (adc != 0)]
    measured = adc_statistics(mask_of(data), adc)
    assert measured.voxels == values.size
    assert measured.undefined_voxels == data.sum() - values.size
    assert measured.mean == mean_adc(mask_of(data), adc)
    if not values.size:
        assert measured.median is None
        return
    assert measured.mean == pytest.approx(values.mean())
    ranks = [scoreatpercentile(values, p) for p in (10, 50, 90)]
    assert [measured.p10, measured.median, measured.p90] == pytest.approx(ranks)
    if values.std() > 1e-3:
        assert measured.skewness == pytest.approx(skew(values), abs=1e-9)
        assert measured.kurtosis == pytest.approx(kurtosis(values), abs=1e-9)


def test_voxels_without_an_adc_are_left_out_and_counted() -> None:
    data, adc = np.ones((1, 2, 3), bool), np.array([[[1.0, 0.0, np.nan], [2.0, np.inf, 3.0]]])
    measured = adc_statistics(mask_of(data), adc)
    assert (measured.voxels, measured.undefined_voxels, measured.mean) == (3, 3, 2.0)
    assert mean_adc(mask_of(data), adc) == 2.0
    assert adc_statistics(mask_of(data), np.zeros_like(adc)) == AdcStatistics(voxels=0, undefined_voxels=6)
    assert mean_adc(mask_of(data), np.zeros_like(adc)) is None


@pytest.mark.parametrize("value", [0.1, 0.9, 1.1])
def test_equal_values_have_no_skewness_and_no_kurtosis(value: float) -> None:
    data = np.ones((1, 3, 7), bool)
    measured = adc_statistics(mask_of(data), np.full(data.shape, value))
    assert (measured.skewness, measured.kurtosis) == (0, 0)


def test_a_map_on_another_grid_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        adc_statistics(Mask(np.zeros((5, 7, 9), bool), grid()), np.zeros((5, 7, 8)))
