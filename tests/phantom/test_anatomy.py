import numpy as np
import pytest

from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.anatomy import draw_anatomy, layers
from uteroseg.phantom.shapes import points_in

GRID = Acquisition(plane="axial", matrix=(90, 110), spacing_mm=4, slices=40, slice_mm=6).geometry((0, 0, 15))


@pytest.mark.parametrize("seed", range(4))
def test_every_organ_lies_inside_the_body(seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), age=40 + 10 * seed, corpus_tumour_ml=0, filling=0)
    skin = anatomy.organs[0].shape
    for layer in layers(anatomy.organs[1:], GRID):
        outside = skin.distance(points_in(GRID, layer.box)) > 2
        assert not (outside & (layer.coverage > 0.5)).any(), layer.tissue


def test_confounders_are_there_in_every_patient():
    anatomy = draw_anatomy(np.random.default_rng(5), age=45, corpus_tumour_ml=0, filling=0)
    wanted = {"endometrium", "lymph node", "bowel wall", "ovary", "nerve", "urine", "junctional zone"}
    assert wanted <= {layer.tissue for layer in layers(anatomy.organs, GRID)}


def test_a_corpus_holds_the_tumour_it_must_hold():
    for volume in (5.0, 200.0):
        rng = np.random.default_rng(1)
        uterus = draw_anatomy(rng, age=65, corpus_tumour_ml=volume, filling=0.2).uterus
        assert 4 / 3 * np.pi * np.prod(uterus.corpus_radii) / 1000 > 1.8 * volume
