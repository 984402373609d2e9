from itertools import pairwise

import numpy as np
import pytest

from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.confounders import CONFOUNDERS
from uteroseg.phantom.person import draw_person, tumour_free
from uteroseg.phantom.uterus import ENDOMETRIUM_MM, draw_phase


def person(cohort, index, **options):
    streams = np.random.SeedSequence([9, len(cohort), index]).spawn(3)
    return draw_person(cohort, *map(np.random.default_rng, streams), **options)


@pytest.mark.parametrize("cohort", ["cervical", "uterine"])
def test_every_confounder_occurs_in_a_cohort(cohort):
    missing = set(CONFOUNDERS)
    for index in range(1, 257):
        missing -= {organ.tissue for organ in person(cohort, index).anatomy.organs}
        if not missing:
            break
    assert not missing


def test_a_phase_follows_from_age_and_each_has_its_endometrium():
    rng = np.random.default_rng(0)
    assert {draw_phase(rng, 70) for _ in range(20)} == {"postmenopausal"}
    assert {draw_phase(rng, 30) for _ in range(100)} == {"menstrual", "proliferative", "secretory"}
    for index in range(1, 30):
        one = person("cervical", index)
        low, high = ENDOMETRIUM_MM[one.phase]
        thickness = 2 * one.anatomy.uterus.cavity.shape.radii[1]
        assert low <= thickness <= high


def test_a_patient_without_a_tumour_is_somebody_else():
    ill, well = person("cervical", 3), person("cervical", 3, with_tumour=False)
    assert well.plan is None
    assert well.tumour == ()
    assert well.invasion is None
    assert not np.allclose(ill.anatomy.uterus.external_os, well.anatomy.uterus.external_os)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.33])
@pytest.mark.parametrize("seed", [1, 2, 77])
def test_tumour_free_patients_are_the_stated_share_of_any_cohort(share, seed):
    free = np.array([tumour_free(index, seed=seed, share=share) for index in range(1, 301)])
    for made in (10, 144, 256, 300):
        assert abs(free[:made].sum() - share * made) <= 1
    assert not any(tumour_free(index, seed=seed, share=0.0) for index in range(1, 50))


def test_seeds_choose_other_tumour_free_patients():
    chosen = [[tumour_free(i, seed=seed, share=0.1) for i in range(1, 11)] for seed in range(1, 6)]
    assert any(a != b for a, b in pairwise(chosen))


def test_a_scan_is_planned_around_a_large_tumour_and_tells_what_it_cuts():
    large = max((person("uterine", i) for i in range(1, 60)), key=lambda p: p.plan.volume_ml)
    whole = Acquisition().geometry(large.centre.tolist())
    assert large.plan.volume_ml > 80
    assert large.share_within(whole) > 0.98
    thin = Acquisition(slices=6).geometry(large.centre.tolist())
    assert 0.1 < large.share_within(thin) < 0.9
    assert person("uterine", 1, with_tumour=False).share_within(thin) == 1
