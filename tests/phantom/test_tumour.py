import numpy as np
import pytest

from uteroseg.phantom.person import draw_person
from uteroseg.phantom.plan import PATTERNS, VOLUMES, plan_tumour
from uteroseg.phantom.shapes import Ellipsoid, points_in
from uteroseg.phantom.tumour import GRID_MM, grid_around, whole


def person(cohort, index):
    streams = np.random.SeedSequence([4, len(cohort), index]).spawn(3)
    return draw_person(cohort, *map(np.random.default_rng, streams))


def inside(shape):
    """Where a shape is on a grid of 2 mm, as points in mm."""
    grid = grid_around(shape.bounds())
    return grid.to_patient(np.argwhere(shape.distance(points_in(grid, whole(grid))) < 0))


def dice_with_its_ellipsoid(points):
    """DSC with the ellipsoid that has the same second moments."""
    values, vectors = np.linalg.eigh(np.cov(points.T))
    along = (points - points.mean(axis=0)) @ vectors
    both = ((along**2 / (5 * values)).sum(axis=1) < 1).sum()
    return 2 * both / (len(points) + 4 / 3 * np.pi * np.sqrt(np.prod(5 * values)) / GRID_MM**3)


@pytest.fixture(scope="module")
def people():
    return {cohort: [person(cohort, i) for i in range(1, 31)] for cohort in ("cervical", "uterine")}


def quantile_limits(draws, shares, limit, *, spread):
    """Quantiles agree with a log-normal's to four standard errors of their logarithm."""
    from scipy.stats import norm

    for share, expected in zip(shares, limit, strict=True):
        z = norm.ppf(share)
        error = spread * np.sqrt(share * (1 - share) / len(draws)) / norm.pdf(z)
        assert np.log(np.quantile(draws, share) / expected) == pytest.approx(0, abs=4 * error + 0.03)


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_planned_volumes_follow_the_stated_distributions(seed):
    rng = np.random.default_rng(seed)
    cervical = [plan_tumour(rng, "cervical").volume_ml for _ in range(200)]
    quantile_limits(
        cervical, (0.25, 0.5, 0.75), 25 * np.exp(0.75 * np.array([-0.674, 0, 0.674])), spread=0.75
    )
    assert 20 <= np.median(cervical) <= 33
    uterine = [plan_tumour(rng, "uterine") for _ in range(260)]
    carcinoma = [p.volume_ml for p in uterine if p.histology == "endometrial carcinoma"]
    quantile_limits(
        carcinoma, (0.25, 0.5, 0.75), 9.5 * np.exp(0.75 * np.array([-0.674, 0, 0.674])), spread=0.75
    )
    assert min(carcinoma) >= 2
    assert max(carcinoma) <= 94


def test_volumes_are_drawn_again_beyond_the_range_and_not_piled_up_at_its_ends():
    rng = np.random.default_rng(0)
    limits = VOLUMES["endometrial carcinoma"]
    draws = np.array([limits.draw(rng) for _ in range(20_000)])
    assert limits.lowest_ml < draws.min() < 2.1
    assert 60 < draws.max() < limits.highest_ml
    assert len(np.unique(draws)) == len(draws)


def test_every_kind_of_tumour_is_planned():
    rng = np.random.default_rng(1)
    assert {plan_tumour(rng, "cervical").pattern for _ in range(200)} == set(PATTERNS)
    uterine = [plan_tumour(rng, "uterine").histology for _ in range(1000)]
    assert set(uterine) == {"endometrial carcinoma", "carcinosarcoma", "sarcoma"}
    assert uterine.count("endometrial carcinoma") / 1000 == pytest.approx(0.82, abs=0.05)


def test_a_tumour_has_its_planned_volume_whatever_its_shape(people):
    for one in (*people["cervical"], *people["uterine"]):
        volume = len(inside(one.tumour[0].shape)) * GRID_MM**3 / 1000
        assert volume == pytest.approx(one.plan.volume_ml, rel=0.01, abs=0.02)


def test_tumours_are_no_ellipsoids(people):
    ball = Ellipsoid(np.zeros(3), np.array([14.0, 18, 22]))
    assert dice_with_its_ellipsoid(inside(ball)) > 0.96
    for cohort, median in (("cervical", 0.88), ("uterine", 0.93)):
        fits = [dice_with_its_ellipsoid(inside(p.tumour[0].shape)) for p in people[cohort]]
        assert np.median(fits) < median
        assert max(fits) < 0.96


def test_invasion_takes_every_depth_and_deep_plans_reach_deeper(people):
    depths = ["cavity", "inner half", "outer half", "serosa"]
    found = {p.invasion for p in people["uterine"]}
    assert found == set(depths)
    places = [depths.index(p.invasion) for p in people["uterine"]]
    planned = [p.plan.invasion for p in people["uterine"]]
    assert np.corrcoef(places, planned)[0, 1] > 0.5


def test_cervical_tumours_grow_the_way_of_their_pattern(people):
    away = {pattern: [] for pattern in PATTERNS}
    for one in people["cervical"]:
        uterus = one.anatomy.uterus
        middle = inside(one.tumour[0].shape).mean(axis=0) - uterus.cervix_centre
        away[one.plan.pattern].append(middle @ uterus.cervix_axis)
    assert np.mean(away["vaginal"]) < np.mean(away["stromal"]) - 5
    assert np.mean(away["exophytic"]) < np.mean(away["stromal"]) - 5
    assert np.mean(away["corporal"]) > np.mean(away["stromal"]) + 3


def test_sarcomas_are_large_and_necrotic(people):
    drawn = [p for p in people["uterine"] if p.plan.histology in ("carcinosarcoma", "sarcoma")]
    assert drawn
    for one in drawn:
        assert {organ.tissue for organ in one.tumour[1:]} & {"necrosis", "blood"}
        assert one.plan.volume_ml >= 4
