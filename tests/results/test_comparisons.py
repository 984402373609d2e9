from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from uteroseg.evaluation.statistics import mean_interval
from uteroseg.results.comparisons import COLUMNS, compare_with_none, family

from .rows import row

SOURCE = [0.9, 0.8, 0.85, 0.7]
TARGET = [0.1, 0.2, 0.0, 0.3, 0.25, 0.4]


def model(strategy: str, target_cases: int, source: Any, target: Any, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        [
            row(
                strategy=strategy,
                target_cases=target_cases,
                seed=seed,
                test_set=test_set,
                participant=f"{test_set}{number}",
                case=f"{test_set}{number}",
                dsc=dsc,
            )
            for test_set, values in (("source", source), ("target", target))
            for number, dsc in enumerate(values)
        ]
    )


def of(table: pd.DataFrame, strategy: str, target_cases: int, test_set: str = "pooled") -> dict[str, Any]:
    chosen = (table["strategy"] == strategy) & (table["target_cases"] == target_cases)
    (found,) = table[chosen & (table["test_set"] == test_set)].to_dict("records")
    return {str(key): value for key, value in found.items()}


NONE = model("none", 0, SOURCE, TARGET)
FIVE = model("a", 5, np.subtract(SOURCE, [0.1, 0.05, 0.02, 0.2]), np.add(TARGET, 0.3))
MANY = model("a", 13, np.subtract(SOURCE, 0.3), np.add(TARGET, [0.5, 0.4, 0.0, 0.3, 0.35, 0.2]))
OTHER = model("b", 5, SOURCE, np.add(TARGET, [0.1, -0.1, 0.05, 0, 0.02, 0.2]))


def test_each_number_of_cases_is_compared_with_none_within_the_patients() -> None:
    found = of(compare_with_none(pd.concat([NONE, FIVE, MANY, OTHER])), "a", 5)
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
    table = compare_with_none(pd.concat([NONE, FIVE, MANY, OTHER]))
    tested = table[table["test_set"] == "pooled"]
    assert len(tested) == 3
    assert tested["p_holm"].tolist() == pytest.approx(multipletests(tested["p"], method="holm")[1])
    assert (tested["p_holm"] > tested["p"]).any()
    assert table.loc[table["test_set"] != "pooled", ["p", "p_holm"]].isna().all(axis=None)


def test_forgetting_stands_beside_the_pooled_gain() -> None:
    table = compare_with_none(pd.concat([NONE, MANY]))
    assert of(table, "a", 13)["difference"] > 0
    source = of(table, "a", 13, "source")
    assert source["difference"] == pytest.approx(-0.3)
    assert (source["patients"], source["effect"]) == (4, -1)
    assert of(table, "a", 13, "target")["difference"] == pytest.approx(1.75 / 6)


def test_seeds_are_averaged_before_patients_are_compared() -> None:
    seeds = pd.concat(
        [
            model("a", 5, np.subtract(SOURCE, 0.1), TARGET),
            model("a", 5, np.add(SOURCE, 0.1), TARGET, seed=1),
        ]
    )
    found = of(compare_with_none(pd.concat([NONE, seeds])), "a", 5)
    assert (found["patients"], found["difference"]) == (10, pytest.approx(0))
    assert found["p"] == 1


def test_patients_are_paired_by_name_not_by_order() -> None:
    shuffled = NONE.sample(frac=1, random_state=1)
    found = of(compare_with_none(pd.concat([shuffled, NONE.assign(target_cases=5, strategy="a")])), "a", 5)
    assert (found["difference_low"], found["difference_high"], found["p"]) == (0, 0, 1)
    assert found["difference_interval"] == "percentile"


def test_the_same_participant_id_in_both_test_sets_means_two_patients() -> None:
    both = pd.concat([NONE, FIVE])
    both["participant"] = both["participant"].str.replace("source", "target")
    assert of(compare_with_none(both), "a", 5)["patients"] == 10


@pytest.mark.parametrize("cases", [NONE, FIVE, pd.concat([FIVE, MANY])])
def test_without_both_ends_nothing_is_compared(cases: pd.DataFrame) -> None:
    table = compare_with_none(cases)
    assert table.empty
    assert tuple(table.columns) == COLUMNS
    assert family(table, "uterine") == ""


def test_the_family_is_named() -> None:
    one = compare_with_none(pd.concat([NONE, FIVE]))
    assert family(one, "uterine") == (
        "The family of tests: each number of uterine cases (5) against none, on the DSC pooled over all 10 "
        "test patients; 1 test."
    )
    several = compare_with_none(pd.concat([NONE, FIVE, MANY, OTHER]))
    assert family(several, "uterine") == (
        "The family of tests: each strategy (a, b) with each number of uterine cases (5, 13) against none, "
        "on the DSC pooled over all 10 test patients; 3 tests."
    )
