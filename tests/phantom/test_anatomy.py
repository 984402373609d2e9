import numpy as np
import pytest

from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.anatomy import draw_anatomy, layers
from uteroseg.phantom.plan import TumourPlan
from uteroseg.phantom.shapes import points_in
from uteroseg.phantom.viscera import bladder, bladder_ml

PHASES = ("secretory", "menstrual", "postmenopausal", "postmenopausal")
GRID = Acquisition(plane="axial", matrix=(90, 110), spacing_mm=4, slices=40, slice_mm=6).geometry((0, 0, 15))


@pytest.mark.parametrize("seed", range(4))
def test_every_organ_lies_inside_the_body(seed):
    anatomy = draw_anatomy(np.random.default_rng(seed), age=40 + 10 * seed, phase=PHASES[seed])
    skin = anatomy.organs[0].shape
    for layer in layers(anatomy.organs[1:], GRID):
        outside = skin.distance(points_in(GRID, layer.box)) > 2
        assert not (outside & (layer.coverage > 0.5)).any(), layer.tissue


def test_confounders_are_there_in_every_patient():
    anatomy = draw_anatomy(np.random.default_rng(5), age=45, phase="proliferative")
    wanted = {"endometrium", "lymph node", "bowel wall", "ovary", "nerve", "urine", "junctional zone"}
    assert wanted <= {layer.tissue for layer in layers(anatomy.organs, GRID)}


def test_a_corpus_holds_the_tumour_it_must_hold():
    for volume in (5.0, 200.0):
        rng = np.random.default_rng(1)
        plan = TumourPlan("sarcoma", "corpus", volume, invasion=0.8)
        uterus = draw_anatomy(rng, age=65, phase="postmenopausal", plan=plan).uterus
        assert 4 / 3 * np.pi * np.prod(uterus.corpus_radii) / 1000 > 1.8 * volume


@pytest.mark.parametrize("volume", [20.0, 350.0])
def test_a_bladder_holds_its_urine_but_for_what_the_uterus_indents(volume):
    rng = np.random.default_rng(2)
    uterus = draw_anatomy(rng, age=60, phase="postmenopausal").uterus
    held = []
    for _ in range(5):
        (urine,) = (organ for organ in bladder(rng, volume, uterus) if organ.tissue == "urine")
        (layer,) = layers([urine], GRID)
        held.append((layer.coverage > 0.5).sum() * 4 * 4 * 6 / 1000)
    assert 0.5 * volume < np.median(held) < 1.15 * volume


def test_bladders_are_empty_to_full():
    rng = np.random.default_rng(0)
    volumes = [bladder_ml(rng) for _ in range(300)]
    assert min(volumes) < 20
    assert max(volumes) > 350
