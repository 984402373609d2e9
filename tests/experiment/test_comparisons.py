from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from uteroseg.evaluation.statistics import mean_interval
from uteroseg.experiment.comparisons import (
    COMPARISON_COLUMNS,
    added_cases,
    against_none,
    between,
    clear,
    family,
    forgetting,
)
from uteroseg.experiment.grid import Resampling, grid

from .rows import model

COHORTS = {"source_cohort": "cervical", "target_cohort": "uterine"}
SOURCE = [0.9, 0.8, 0.85, 0.7]
TARGET = [0.1, 0.2, 0.0, 0.3, 0.25, 0.4]


def families(*models: pd.DataFrame) -> Resampling:
    return Resampling(grid(pd.concat(models)))


def of(table: pd.DataFrame, strategy: str, target_cases: int, test_set: str = "pooled") -> dict[str, Any]:
    chosen = (table["strategy"] == strategy) & (table["target_cases"] == target_cases)
    (found,) = table[chosen & (table["test_set"] == test_set)].to_dict("records")
    return {str(key): value for key, value in found.items()}


NONE = model("none", 0, SOURCE, TARGET)
FIVE = model("a", 5, np.subtract(SOURCE, [0.1, 0.05, 0.02, 0.2]), np.add(TARGET, 0.3))
MANY = model("a", 13, np.subtract(SOURCE, 0.3), np.add(TARGET, [0.5, 0.4, 0.0, 0.3, 0.35, 0.2]))
OTHER = model("b", 5, SOURCE, np.add(TARGET, [0.1, -0.1, 0.05, 0, 0.02, 0.2]))


def test_each_number_of_cases_is_compared_with_none_within_the_patients() -> None:
    found = of(against_none(families(NONE, FIVE, MANY, OTHER)), "a", 5)
    differences = np.array([-0.1, -0.05, -0.02, -0.2] + [0.3] * 6)
    interval = mean_interval(differences)
    assert found["patients"] == 10
    assert found["difference"] == pytest.approx(differences.mean())
    assert found["difference_median"] == pytest.approx(0.3)
    assert (found["difference_low"], found["difference_high"]) == pytest.approx((interval.low, interval.high))
    assert found["difference_interval"] == "BCa"
    assert found["effect"] == pytest.approx((55 - 2 * 10) / 55)  # four lose, with the ranks 1 to 4
    assert found["p"] == pytest.approx(scipy.stats.wilcoxon(differences).pvalue)


def test_holm_is_over_all_strategies_and_numbers_of_cases_on_the_pooled_set() -> None:
    table = against_none(families(NONE, FIVE, MANY, OTHER))
    tested = table[table["test_set"] == "pooled"]
    assert len(tested) == 3
    assert tested["p_holm"].tolist() == pytest.approx(multipletests(tested["p"], method="holm")[1])
    assert (tested["p_holm"] > tested["p"]).any()
    assert table.loc[table["test_set"] != "pooled", ["p", "p_holm"]].isna().all(axis=None)


def test_forgetting_stands_beside_the_pooled_gain() -> None:
    table = against_none(families(NONE, MANY))
    assert of(table, "a", 13)["difference"] > 0
    source = of(table, "a", 13, "source")
    assert source["difference"] == pytest.approx(-0.3)
    assert (source["patients"], source["other"], source["other_cases"]) == (4, "a", 0)
    assert of(table, "a", 13, "target")["difference"] == pytest.approx(1.75 / 6)


def test_seeds_are_averaged_before_patients_are_compared() -> None:
    seeds = pd.concat(
        [
            model("a", 5, np.subtract(SOURCE, 0.1), TARGET),
            model("a", 5, np.add(SOURCE, 0.1), TARGET, seed=1),
        ]
    )
    found = of(against_none(families(NONE, seeds)), "a", 5)
    assert (found["patients"], found["difference"]) == (10, pytest.approx(0))
    assert found["p"] == 1


def test_patients_are_paired_by_name_not_by_order() -> None:
    shuffled = NONE.sample(frac=1, random_state=1)
    found = of(against_none(families(shuffled, NONE.assign(target_cases=5, strategy="a"))), "a", 5)
    assert (found["difference_low"], found["difference_high"], found["p"]) == (0, 0, 1)
    assert found["difference_interval"] == "percentile"


def test_the_same_participant_id_in_both_test_sets_means_two_patients() -> None:
    both = pd.concat([NONE, FIVE])
    both["participant"] = both["participant"].str.replace("source", "target")
    assert of(against_none(families(both)), "a", 5)["patients"] == 10


@pytest.mark.parametrize("cases", [NONE, FIVE, pd.concat([FIVE, MANY])])
def test_without_both_ends_nothing_is_compared(cases: pd.DataFrame) -> None:
    table = against_none(families(cases))
    assert table.empty
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert family(table, "against none", **COHORTS) == ""


def test_the_family_is_named() -> None:
    one = against_none(families(NONE, FIVE))
    assert family(one, "against none", **COHORTS) == (
        "The family of tests: each number of uterine cases (5) against none, on the DSC pooled over all 10 "
        "test patients; 1 test."
    )
    several = against_none(families(NONE, FIVE, MANY, OTHER))
    assert family(several, "against none", **COHORTS) == (
        "The family of tests: each strategy (a, b) with each number of uterine cases (5, 13) against none, "
        "on the DSC pooled over all 10 test patients; 3 tests."
    )


def test_each_added_share_is_compared_with_the_next_smaller_number() -> None:
    table = added_cases(families(NONE, FIVE, MANY, OTHER))
    pairs = [
        (row.strategy, row.other_cases, row.target_cases) for row in table[table["p"].notna()].itertuples()
    ]
    assert pairs == [("a", 0, 5), ("a", 5, 13), ("b", 0, 5)]
    last = of(table, "a", 13)
    assert last["difference"] == pytest.approx(
        np.mean([-0.2, -0.25, -0.28, -0.1, 0.2, 0.1, -0.3, 0, 0.05, -0.1])
    )
    assert table["p_holm"].dropna().tolist() == pytest.approx(
        multipletests(table["p"].dropna(), method="holm")[1]
    )


def test_strategies_are_compared_where_both_have_the_same_number_of_cases() -> None:
    found = between(families(NONE, FIVE, MANY, OTHER))
    tested = found[found["p"].notna()]
    assert [(row.strategy, row.other, row.target_cases) for row in tested.itertuples()] == [("a", "b", 5)]
    differences = (FIVE["dsc"].to_numpy() - OTHER["dsc"].to_numpy()).round(12)
    assert tested["difference"].item() == pytest.approx(differences.mean())
    assert tested["p"].item() == pytest.approx(scipy.stats.wilcoxon(differences).pvalue)
    assert "every two strategies (a, b) with each number of uterine cases (5), on" in family(
        found, "", **COHORTS
    )


def test_forgetting_is_tested_on_the_source_set_as_a_family_of_its_own() -> None:
    table = forgetting(families(NONE, FIVE, MANY))
    assert set(table["test_set"]) == {"source"}
    assert table["difference"].tolist() == pytest.approx([-0.0925, -0.3])
    lost = [scipy.stats.wilcoxon(model_["dsc"][:4].to_numpy() - SOURCE).pvalue for model_ in (FIVE, MANY)]
    assert table["p"].tolist() == pytest.approx(lost)
    assert table["p_holm"].tolist() == pytest.approx(multipletests(lost, method="holm")[1])
    assert "of the 4 cervical test patients; 2 tests" in family(table, "against none", **COHORTS)
    assert forgetting(families(NONE[4:], FIVE[4:])).empty, "without source patients"


def test_a_difference_is_clear_where_patients_and_trainings_agree() -> None:
    random = np.random.default_rng(1)
    before = random.uniform(0.3, 0.5, 40)
    gain = np.full(40, 0.1) + random.normal(0, 0.02, 40)
    runs = [model("none", 0, [], before, seed) for seed in range(3)]
    steady = [model("steady", 5, [], before + gain, seed) for seed in range(3)]
    lucky = [model("lucky", 5, [], before + gain * factor, seed) for seed, factor in enumerate((-1, 0, 4))]
    table = against_none(families(*runs, *steady, *lucky))
    table = table[table["test_set"] == "pooled"].set_index("strategy")
    assert (table["p_holm"] < 0.001).all(), "the patients' means over seeds"
    assert clear(table).to_dict() == {"steady": True, "lucky": False}
