import numpy as np
import pytest

from tests.grids import ORIENTATIONS, grid
from uteroseg.imaging.overlay import PREDICTION_COLOUR, TRUTH_COLOUR, overlay
from uteroseg.imaging.study import Mask


def has(picture, colour):
    return (np.asarray(picture) == colour).all(axis=-1).any()


def test_outlines_are_drawn_on_the_slices_with_most_mask():
    data = np.zeros((9, 40, 40), bool)
    data[4, 10:20, 10:20] = data[6, 12:15, 12:15] = True
    geometry = grid("sagittal", (9, 40, 40))
    image = np.random.default_rng(1).random(data.shape)
    picture = overlay(
        image, Mask(data, geometry), truth=Mask(np.roll(data, 3, axis=2), geometry), caption="x", tiles=2
    )
    assert picture.size[0] == 600
    assert has(picture, PREDICTION_COLOUR)
    assert has(picture, TRUTH_COLOUR)
    alone = overlay(image, Mask(data, geometry), caption="x")
    assert alone.size[0] == 600
    assert not has(alone, TRUTH_COLOUR)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_an_empty_mask_and_an_empty_image_still_make_a_picture(name):
    geometry = grid(name)
    picture = overlay(
        np.zeros(geometry.shape), Mask(np.zeros(geometry.shape, bool), geometry), caption="none"
    )
    assert not has(picture, PREDICTION_COLOUR)


def test_the_picture_shows_anterior_left_in_a_sagittal_slice():
    geometry = grid("sagittal", (1, 40, 40), position=(0, 0, 0))
    data = np.zeros(geometry.shape, bool)
    data[0, 5:12, 3:9] = True  # superior, anterior
    flipped = grid("rows and columns exchanged", (1, 40, 40), position=(0, 0, 0))
    for g, mask in ((geometry, data), (flipped, np.swapaxes(data, 1, 2))):
        pixels = np.asarray(overlay(np.zeros(g.shape), Mask(mask, g), caption=""))[:300, :300]
        rows, columns = np.nonzero((pixels == PREDICTION_COLOUR).all(axis=-1))
        assert columns.max() < 150
        assert rows.max() < 150
