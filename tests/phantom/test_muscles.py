"""Muscles and bones: where an atlas has them, each by itself, parted by fat."""

import numpy as np
import pytest
from scipy import ndimage

from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.anatomy import layers
from uteroseg.phantom.bones import HEAD_MM, hip_bones
from uteroseg.phantom.muscles import MUSCLES, muscles
from uteroseg.phantom.pelvis import frame
from uteroseg.phantom.shapes import Ellipsoid, points_in

GRID = Acquisition(plane="axial", matrix=(140, 160), spacing_mm=2, slices=60, slice_mm=4).geometry((0, 0, 0))
WHOLE = tuple(slice(0, n) for n in GRID.shape)


@pytest.fixture(scope="module")
def drawn():
    """Every muscle of one patient by its name: right and left, as points in mm."""
    found = {}
    for name, shape in muscles(np.random.default_rng(3), 1.0):
        inside = np.argwhere(shape.distance(points_in(GRID, WHOLE)) < 0)
        found.setdefault(name, []).append(GRID.to_patient(inside))
    return found


def middle_at(points, height):
    """Mean of a muscle's points in the slice nearest to a height; None where it is not."""
    near = points[np.abs(points[:, 2] - height) <= 2]
    return near.mean(axis=0) if len(near) else None


def test_every_muscle_is_drawn_on_either_side(drawn):
    assert drawn.keys() == MUSCLES.keys()
    for name, (right, left) in drawn.items():
        assert right[:, 0].mean() < -5 < 5 < left[:, 0].mean(), name
        assert len(left) == pytest.approx(len(right), rel=0.5), name


@pytest.mark.parametrize(
    ("height", "from_front_to_back"),
    [
        (-22, ("sartorius", "psoas", "obturator internus", "gluteus maximus")),
        (-48, ("pectineus", "obturator externus", "obturator internus", "gluteus maximus")),
        (-55, ("adductor longus", "quadratus femoris", "gluteus maximus")),
        (40, ("rectus abdominis", "psoas", "piriformis", "gluteus maximus")),
    ],
)  # fmt: skip
def test_muscles_lie_behind_each_other_as_in_an_atlas(drawn, height, from_front_to_back):
    for side in (0, 1):
        depths = [middle_at(drawn[name][side], height)[1] for name in from_front_to_back]
        assert depths == sorted(depths)


@pytest.mark.parametrize(
    ("height", "from_the_middle"),
    [
        (40, ("psoas", "iliacus", "gluteus minimus", "gluteus medius")),
        (-22, ("levator ani", "obturator internus", "gluteus minimus")),
        (85, ("rectus abdominis", "internal oblique", "external oblique")),
    ],
)
def test_muscles_lie_beside_each_other_as_in_an_atlas(drawn, height, from_the_middle):
    for side in (0, 1):
        aside = [abs(middle_at(drawn[name][side], height)[0]) for name in from_the_middle]
        assert aside == sorted(aside)


def test_muscles_end_where_they_end(drawn):
    for name, low, high in (("piriformis", -20, 60), ("quadratus femoris", -80, -30), ("gemelli", -45, 0)):
        heights = np.vstack(drawn[name])[:, 2]
        assert low < heights.min() < heights.max() < high, name


@pytest.mark.parametrize("seed", range(3))
def test_fat_parts_the_muscles(seed):
    """Painted over each other, they stay many pieces; without the fat around each they would run together."""
    image = {True: np.zeros(GRID.shape, bool), False: np.zeros(GRID.shape, bool)}
    for organ in frame(np.random.default_rng(seed)):
        for layer in layers([organ], GRID):
            solid = layer.coverage > 0.5
            image[True][layer.box][solid] = layer.tissue == "muscle"
            image[False][layer.box][solid & (layer.tissue == "muscle")] = True
    for height in (-40, -10, 40):
        index = round((height - GRID.affine[2, 3]) / GRID.affine[2, 0])
        pieces = {parted: ndimage.label(one[index])[1] for parted, one in image.items()}
        assert pieces[True] >= 10
        assert pieces[True] > pieces[False]


def test_outlines_are_irregular_and_differ_from_side_to_side(drawn):
    right, left = drawn["gluteus maximus"]
    mirrored = {tuple(p) for p in np.round(right * [-1, 1, 1]).astype(int)}
    kept = {tuple(p) for p in np.round(left).astype(int)}
    overlap = 2 * len(mirrored & kept) / (len(mirrored) + len(kept))
    assert 0.7 < overlap < 0.97


def test_the_same_seed_draws_the_same_muscles_and_another_one_others():
    def first(seed):
        _, shape = next(iter(muscles(np.random.default_rng(seed), 1.0)))
        return shape.distance(points_in(GRID, WHOLE))

    np.testing.assert_array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


def test_heads_of_the_femurs_lie_in_the_hip_bones_and_not_in_the_pelvis():
    heads = [b.shape for b in hip_bones(np.random.default_rng(0), 1.0) if isinstance(b.shape, Ellipsoid)]
    assert [np.sign(head.centre[0]) for head in heads] == [-1, 1]
    for head in heads:
        assert abs(head.centre[0]) - HEAD_MM > 60
        assert head.centre[2] == pytest.approx(-22, abs=3)


def test_a_tilt_lifts_the_left_side():
    def height(tilt):
        found = [s for name, s in muscles(np.random.default_rng(0), 1.0, tilt) if name == "psoas"]
        return [shape.bounds()[1][2] for shape in found]

    (right, left), (right_tilted, left_tilted) = height(0.0), height(5.0)
    assert left_tilted - left == pytest.approx(5)
    assert right_tilted - right == pytest.approx(-5)
