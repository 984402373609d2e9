import numpy as np
import pytest

from tests.annotations.drawn import anatomy
from tests.grids import grid
from uteroseg.imaging.align import Motion
from uteroseg.imaging.register import Registration, register

DWI = grid("sagittal", (6, 28, 28), (6.0, 3.0, 3.0), (15.0, -40.0, 40.0))
T2 = grid("axial", (18, 48, 48), (5.0, 1.8, 1.8), (-42.0, -42.0, -42.0))


def test_motion_in_the_plane_of_the_dwi_is_found_across_planes_and_contrasts():
    shift = (0.0, 5.0, 4.0)
    found = register(anatomy(DWI, t2=False, shift=shift), DWI, anatomy(T2, t2=True), T2)
    assert found.applied
    np.testing.assert_allclose(found.undoing @ (3, 4, 5, 1), (3, 9, 9, 1), atol=1.2)


@pytest.mark.parametrize("other", ["noise", "nothing"])
def test_images_that_have_nothing_in_common_are_left_where_they_are(other):
    noise = np.random.default_rng(5).uniform(100, 200, T2.shape)
    assert not register(anatomy(DWI, t2=False), DWI, noise * (other == "noise"), T2).applied


@pytest.mark.parametrize("name", ["axial", "oblique", "negated columns"])
def test_undoing_takes_a_point_back_to_where_the_reference_has_it(name):
    geometry = grid(name, (5, 20, 30))
    found = Registration(Motion(2.0, -3.0, 30.0), 0.0, True, geometry)
    _, row_mm, column_mm = geometry.spacing
    at = np.array([4.0, -6.0])  # mm from the slice's centre
    centre = np.array([9.5, 14.5])
    before = geometry.to_patient([2, *(centre + at / (row_mm, column_mm))])
    after = geometry.to_patient([2, *(centre + found.motion.moved(at) / (row_mm, column_mm))])
    np.testing.assert_allclose((found.undoing @ [*after, 1])[:3], before, atol=1e-6)
