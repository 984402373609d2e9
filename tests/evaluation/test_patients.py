from __future__ import annotations

import pytest

from uteroseg.evaluation.patients import patient_means


def test_cases_are_averaged_within_the_seed_and_seeds_within_the_patient() -> None:
    values = [("a", 0, 0.2), ("b", 0, 0.5), ("a", 0, 0.4), ("a", 1, 0.9)]
    assert patient_means(values) == {"a": pytest.approx((0.3 + 0.9) / 2), "b": 0.5}
    assert patient_means(values)["a"] != pytest.approx((0.2 + 0.4 + 0.9) / 3), "each case weighs the same"


def test_nobody_has_no_mean() -> None:
    assert patient_means([]) == {}
