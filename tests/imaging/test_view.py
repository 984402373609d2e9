import numpy as np
import pytest
from hypothesis import given

from tests.grids import ORIENTATIONS, grid, grids
from uteroseg.imaging.view import View

DIRECTIONS = {
    "sagittal": ((0, 0, -1), (0, 1, 0)),
    "axial": ((0, 1, 0), (1, 0, 0)),
    "coronal": ((0, 0, -1), (1, 0, 0)),
}


@given(grids)
def test_turning_back_undoes_turning(geometry):
    slices = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    view = View.of(geometry)
    assert view.turn(slices).shape[1:] == view.shape
    np.testing.assert_array_equal(view.turn_back(view.turn(slices)), slices)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_turned_slices_show_the_plane_as_a_radiologist_sees_it(name):
    geometry = grid(name)
    points = geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1))
    turned = np.stack([View.of(geometry).turn(points[..., axis]) for axis in range(3)], axis=-1)
    down, right = (np.array(direction) for direction in DIRECTIONS[geometry.plane])
    assert ((turned[:, 1:] - turned[:, :-1]) @ down > 0).all()
    assert ((turned[:, :, 1:] - turned[:, :, :-1]) @ right > 0).all()
