import numpy as np
import pytest
from scipy import ndimage

from uteroseg.imaging.geometry import Geometry
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.grids import sampled

SOURCE = Geometry((9, 10, 11), np.array([[0, 0, 4, -20], [0, 4, 0, -15], [4, 0, 0, -17], [0, 0, 0, 1.0]]))
FIELD = np.random.default_rng(0).normal(size=SOURCE.shape).astype(np.float32)


@pytest.mark.parametrize("plane", ["sagittal", "axial"])
@pytest.mark.parametrize(("periodic", "mode"), [(True, "grid-wrap"), (False, "nearest")])
def test_sampling_is_linear_interpolation(plane, periodic, mode):
    target = Acquisition(plane=plane, matrix=(32, 36), slices=5, slice_mm=3.3).geometry((1.3, -2, 0.7))
    to_source = np.linalg.inv(SOURCE.affine) @ target.affine
    expected = ndimage.affine_transform(
        FIELD, to_source[:3, :3], to_source[:3, 3], target.shape, order=1, mode=mode
    )
    np.testing.assert_allclose(sampled(FIELD, SOURCE, target, periodic=periodic), expected, atol=1e-4)


def test_oblique_grids_are_refused():
    affine = SOURCE.affine.copy()
    affine[0, 0] = 2
    with pytest.raises(ValueError, match="parallel"):
        sampled(FIELD, SOURCE, Geometry((3, 3, 3), affine))
