"""Each number of target cases against none, within the same test patients."""

from __future__ import annotations

import pandas as pd

from uteroseg.evaluation.statistics import compare, holm
from uteroseg.results.summary import SETS, curves, in_set, per_patient

COLUMNS = (
    "strategy",
    "target_cases",
    "test_set",
    "patients",
    "difference",
    "difference_low",
    "difference_high",
    "difference_interval",
    "difference_median",
    "effect",
    "p",
    "p_holm",
)


def compare_with_none(cases: pd.DataFrame) -> pd.DataFrame:
    """Compare the DSC with each number of target cases to that without, for each strategy and test set.

    The comparisons on the pooled set are one family, which is tested. Those on the source set (forgetting)
    and on the target set describe, and have no p-value.

    Parameters
    ----------
    cases : DataFrame
        As `read_cases` gives it, of any number of runs.

    Returns
    -------
    DataFrame
        `COLUMNS`: ``difference`` is the mean over patients, with − without, and ``difference_low``,
        ``difference_high``, ``difference_interval`` its interval and that interval's method; ``effect``,
        ``p`` as in `Comparison`; ``p_holm`` adjusted over all pooled comparisons. Empty where no strategy has
        a model without target cases and one with.
    """
    rows = []
    for strategy, curve in curves(per_patient(cases)).items():
        without = curve[curve["target_cases"] == 0]
        for target_cases, given in curve[curve["target_cases"] > 0].groupby("target_cases"):
            pairs = given.merge(without, on=["test_set", "participant"], suffixes=("", "_without"))
            for test_set in SETS:
                members = in_set(pairs, test_set)
                if members.empty:
                    continue
                found = compare(members["dsc"], members["dsc_without"])
                rows.append(
                    {
                        "strategy": strategy,
                        "target_cases": target_cases,
                        "test_set": test_set,
                        "patients": found.patients,
                        "difference": found.difference,
                        "difference_low": found.interval.low,
                        "difference_high": found.interval.high,
                        "difference_interval": found.interval.method,
                        "difference_median": found.median_difference,
                        "effect": found.effect,
                        "p": found.p if test_set == "pooled" else float("nan"),
                    }
                )
    table = pd.DataFrame(rows, columns=COLUMNS)
    tested = table["test_set"] == "pooled"
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy())
    return table


def family(comparisons: pd.DataFrame, target_cohort: str) -> str:
    """Define the family of tests in words.

    Parameters
    ----------
    comparisons : DataFrame
        As `compare_with_none` gives it.
    target_cohort : str

    Returns
    -------
    str
        Empty where nothing is compared.
    """
    tested = comparisons[comparisons["test_set"] == "pooled"]
    if tested.empty:
        return ""
    sizes = ", ".join(map(str, sorted(tested["target_cases"].unique())))
    strategies = sorted(tested["strategy"].unique())
    each = f"each strategy ({', '.join(strategies)}) with " if len(strategies) > 1 else ""
    number = f"{len(tested)} test{'' if len(tested) == 1 else 's'}"
    return (
        f"The family of tests: {each}each number of {target_cohort} cases ({sizes}) against none, on the DSC "
        f"pooled over all {tested['patients'].iloc[0]} test patients; {number}."
    )
