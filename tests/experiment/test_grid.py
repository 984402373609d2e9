from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from uteroseg.experiment.grid import grid

from .rows import model, row

CASES = pd.concat(
    [
        model("source", 0, [0.8], [0.2, 0.3]),
        model("source", 0, [0.9], [0.4, 0.5], seed=1),
        model("b", 13, [0.7], [0.6, 0.7]),
        model("b", 5, [0.6], [0.5, 0.6]),
        model("a", 5, [0.5], [0.4, 0.5]),
    ]
)


def test_every_model_has_a_row_for_each_seed_and_a_column_for_each_patient() -> None:
    found = grid(CASES)
    assert found.models == (("a", 5), ("b", 5), ("b", 13), ("source", 0))
    assert found.dsc.shape == (4, 2, 3)
    assert found.dsc[3].tolist() == [[0.8, 0.2, 0.3], [0.9, 0.4, 0.5]]
    assert np.isnan(found.dsc[0, 1]).all(), "this seed was not run"
    assert found.by_patient[3] == pytest.approx([0.85, 0.3, 0.4])
    assert found.by_patient[0] == pytest.approx([0.5, 0.4, 0.5])


def test_curves_begin_with_the_source_model() -> None:
    assert grid(CASES).curves == {"a": {0: 3, 5: 0}, "b": {0: 3, 5: 1, 13: 2}}


def test_test_sets_know_their_patients() -> None:
    found = grid(CASES)
    assert [found.members(name).tolist() for name in ("source", "target", "pooled")] == [
        [0],
        [1, 2],
        [0, 1, 2],
    ]
    assert found.sets == ("source", "target", "pooled")
    assert grid(CASES[CASES["test_set"] == "target"]).sets == ("target", "pooled")


def test_the_order_of_rows_changes_nothing() -> None:
    again = grid(CASES.sample(frac=1, random_state=5))
    np.testing.assert_array_equal(again.dsc, grid(CASES).dsc)
    assert (again.models, again.curves) == (grid(CASES).models, grid(CASES).curves)


def test_cases_of_a_patient_are_averaged() -> None:
    two = [row(participant="p", case="p_ses-01", dsc=0.2), row(participant="p", case="p_ses-02", dsc=0.6)]
    assert grid(pd.DataFrame(two)).dsc.tolist() == [[[0.4]]]


def test_runs_on_other_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="same test patients"):
        grid(pd.concat([CASES, model("c", 5, [0.5], [0.4])]))
