import numpy as np
import pytest

from uteroseg.imaging.geometry import Geometry
from uteroseg.phantom.anatomy import layers
from uteroseg.phantom.pelvis import Coat, Organ
from uteroseg.phantom.septa import Sheets, Threads
from uteroseg.phantom.shapes import Ellipsoid, points_in

GRID = Geometry((80, 80, 80), np.array([[0, 0, 1, -40], [0, 1, 0, -40], [1, 0, 0, -40], [0, 0, 0, 1]], float))
WHOLE = tuple(slice(0, 80) for _ in range(3))
BALL = Ellipsoid(np.zeros(3), np.full(3, 30.0))


def share(streak):
    return (streak.distance(points_in(GRID, WHOLE)) < 0).mean()


def test_sheets_fill_more_of_space_the_thicker_and_closer_they_are():
    def of(length, thickness):
        return share(Sheets.draw(np.random.default_rng(1), "a", length_mm=length, thickness_mm=thickness))

    assert of(20, 4) == pytest.approx(2 * of(20, 2), rel=0.2)
    assert of(20, 2) == pytest.approx(2 * of(40, 2), rel=0.35)


def test_threads_are_thinner_than_the_sheets_that_they_lie_in():
    threads = Threads.draw(np.random.default_rng(1), "a", length_mm=20, radius_mm=1.5)
    first = Sheets("a", threads.waves[0], 20, 3.0)
    points = points_in(GRID, WHOLE)
    inside = threads.distance(points) < 0
    assert 0 < inside.mean() < 0.5 * share(first)
    assert (first.distance(points)[inside] < 0).all()


def test_streaks_stay_inside_their_organ_and_a_coat_around_it():
    streak = Sheets.draw(np.random.default_rng(1), "septum", length_mm=20, thickness_mm=2)
    organ = Organ("fat", BALL, Coat("cortex", 3.0), (streak,))
    found = {layer.tissue: layer for layer in layers([organ], GRID)}
    assert list(found) == ["cortex", "fat", "septum"]
    distance = {name: BALL.distance(points_in(GRID, layer.box)) for name, layer in found.items()}
    assert found["septum"].coverage.any()
    assert not found["septum"].coverage[distance["septum"] > 1].any()
    around = found["cortex"].coverage
    assert around[(distance["cortex"] > 0) & (distance["cortex"] < 2)].min() == 1
    assert not around[(distance["cortex"] < -1) | (distance["cortex"] > 4)].any()
