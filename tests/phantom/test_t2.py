from dataclasses import replace

import numpy as np
import pytest

from uteroseg.imaging.resample import resample_mask
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.patient import simulate_patient
from uteroseg.phantom.t2 import FINER, simulate_t2, t2_grid

SMALL = Acquisition(matrix=(64, 64), spacing_mm=3.5, slices=12, slice_mm=6)


def dsc(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def scanned():
    """A cervical patient, whose tumour has 25 mL, on DWI without artefacts and on T2."""
    patient = simulate_patient("cervical", 3, seed=1, acquisition=SMALL)
    return patient, simulate_t2("cervical", 3, seed=1, dwi=patient.study.geometry)


@pytest.mark.parametrize("plane", ["sagittal", "axial"])
def test_the_grid_has_the_slices_and_the_field_of_view_of_the_dwi(plane):
    dwi = replace(SMALL, plane=plane).geometry((3, -20, 10))
    grid = t2_grid(dwi)
    assert grid.shape == (12, 64 * FINER, 64 * FINER)
    assert grid.spacing == pytest.approx((6, 1.75, 1.75))
    for corner in ((-0.5, -0.5, -0.5), (11.5, 63.5, 63.5)):
        slice_, row, column = corner
        finer = (slice_, row * FINER + (FINER - 1) / 2, column * FINER + (FINER - 1) / 2)
        np.testing.assert_allclose(dwi.to_patient(corner), grid.to_patient(finer), atol=1e-9)


def test_the_tumour_is_where_it_is_on_the_dwi(scanned):
    patient, t2 = scanned
    assert dsc(resample_mask(t2.mask, patient.study.geometry).data, patient.mask.data) > 0.95


def test_contrast_is_that_of_t2(scanned):
    """Urine is brighter than fat, which is not suppressed, and muscle is darkest."""
    _, t2 = scanned
    tumour = float(np.median(t2.signal[t2.mask.data]))
    body = t2.signal[t2.signal > 100]
    assert body.max() > 2 * tumour
    assert 500 < np.percentile(body, 75) < body.max() / 2
    assert tumour < 0.5 * 3000


def test_the_same_patient_has_the_same_bits_and_another_seed_another(scanned):
    patient, t2 = scanned
    grid = patient.study.geometry
    np.testing.assert_array_equal(simulate_t2("cervical", 3, seed=1, dwi=grid).signal, t2.signal)
    assert (simulate_t2("cervical", 3, seed=2, dwi=grid).signal != t2.signal).any()
    assert not simulate_t2("cervical", 3, seed=1, dwi=grid, with_tumour=False).mask.data.any()
