import numpy as np

from uteroseg.evaluation.strata import volume_names, volume_places, volume_tertiles_ml


def test_tertiles_are_of_patients_with_a_tumour():
    volumes = [0.0, 0.0, *range(1, 10)]
    cuts = volume_tertiles_ml(volumes)
    assert cuts == tuple(np.quantile(range(1, 10), [1 / 3, 2 / 3]))
    places = volume_places(volumes, cuts)
    assert places == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert volume_names(cuts) == ("no tumour", "up to 3.7 mL", "3.7 to 6.3 mL", "over 6.3 mL")


def test_a_volume_at_a_cut_is_below_it():
    assert volume_places([2.0, 2.1, 4.0, 4.1], (2.0, 4.0)) == [1, 2, 2, 3]


def test_fewer_than_three_tumours_have_no_tertiles():
    assert volume_tertiles_ml([0.0, 0.0, 1.0, 2.0]) is None
    assert volume_tertiles_ml([]) is None
    assert volume_tertiles_ml([1.0, 2.0, 3.0]) is not None
