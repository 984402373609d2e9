from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.experiment.rows import model
from uteroseg.experiment.analysis import analyse
from uteroseg.experiment.report.answer import Answer
from uteroseg.experiment.report.context import Context

SIZES = (5, 13, 26)
NOISE = (0.0, 0.01, -0.01, 0.005)


def answered(gains: dict[str, tuple[float, ...]], seeds: int = 3) -> list[str]:
    """The answer to an experiment in which a strategy gains so much with each of `SIZES` cases."""
    level = [0.3 + 0.005 * number for number in range(24)]
    runs = [model("source", 0, [0.8] * 8, level, seed) for seed in range(seeds)]
    for strategy, gain in gains.items():
        for size, more in zip(SIZES, gain, strict=False):
            for seed in range(seeds):
                dsc = [value + more + NOISE[(number + seed) % 4] for number, value in enumerate(level)]
                runs.append(model(strategy, size, [0.79] * 8, dsc, seed))
    experiment: Any = _Made(pd.concat(runs))
    answer = Answer(Context(experiment, analyse(experiment)))
    return [sentence.text for sentence in answer.sentences()]


class _Made:
    """What an analysis needs of an experiment."""

    source_cohort, target_cohort, virtual, target_patients, runs = "cervical", "uterine", True, None, ()

    def __init__(self, cases: pd.DataFrame) -> None:
        self.cases = cases


def test_the_fewest_cases_near_the_best_are_named() -> None:
    cases, layers, together = answered({"all": (0.1, 0.39, 0.4)})
    assert cases.startswith(
        "With 13 uterine cases the pooled DSC of 32 test patients rises from 0.47 to 0.76 (95 % "
    )
    assert "within 0.02 of the best found (0.77 with 26)" in cases
    assert "that of the 24 uterine patients rises from 0.36 to 0.75" in cases
    assert "the 8 cervical patients falls from 0.80 to 0.79" in cases
    assert cases.endswith(
        "; clearly better than none with as few as 5 (+0.07, p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001 "
        "after Holm)."
    )
    assert layers == "This experiment does not say: only “all” (every layer) was tuned."
    assert together.startswith("This experiment does not say: no model was trained on both cohorts")


def test_no_gain_is_no_gain() -> None:
    cases = answered({"all": (-0.2, -0.2, -0.1)})[0]
    assert cases.startswith("With no uterine cases at all the pooled DSC of 32 test patients is 0.47")
    assert cases.endswith("; no number of cases is clearly better than none.")


def test_the_best_layers_are_named_beside_the_paper_s() -> None:
    early = answered({"all": (0.1, 0.2, 0.3), "encoder-early": (0.2, 0.3, 0.2), "head": (0.0, 0.0, 0.0)})[1]
    assert early == (
        "Tuning “encoder-early” (stem and first two encoder stages) is ahead of tuning “all” (mean "
        "pooled DSC 0.64 "
        "over 3 numbers of cases, “all” 0.62), as the paper found; it is clearly ahead of “all” "
        "with 5 and 13 and "
        "behind it with 26 cases."
    )
    other = answered({"all": (0.2, 0.3, 0.4), "encoder-early": (0.1, 0.2, 0.2), "head": (0.15, 0.25, 0.3)})[1]
    assert "“all” (every layer) is ahead of tuning “head” and “encoder-early”" in other
    assert (
        "; the paper found the early encoder best; it is clearly ahead of “encoder-early” with 5, 13 and 26"
        in other
    )
    level = answered({"all": (0.2, 0.3, 0.4), "encoder-early": (0.2, 0.3, 0.4)})[1]
    assert "is level with tuning" in level
    assert "differs clearly with no number of cases" in level
    assert "was not among them" in answered({"all": (0.2, 0.3, 0.4), "head": (0.1, 0.2, 0.2)})[1]


@pytest.mark.parametrize(
    ("joint", "said"),
    [
        (
            (0.0, 0.2, 0.5),
            "overtakes “all”, the best adaptation here, with 26 uterine cases (95 % interval 26 to 26;",
        ),
        (
            (0.2, 0.3, 0.5),
            "is ahead of “all”, the best adaptation here, with every number of cases that was tried",
        ),
        ((0.2, 0.3, 0.2), "does not overtake “all”, the best adaptation here, up to 26 cases (pooled DSC"),
    ],
)
def test_training_together_overtakes_or_does_not(joint: tuple[float, ...], said: str) -> None:
    assert said in answered({"all": (0.1, 0.25, 0.4), "joint": joint})[2]


def test_tuning_layers_alone_is_told_apart_from_the_best_adaptation() -> None:
    said = answered({"all": (0.1, 0.2, 0.3), "replay": (0.3, 0.4, 0.5), "joint": (0.0, 0.25, 0.4)})[2]
    assert "does not overtake “replay”" in said
    assert (
        "; it overtakes “all”, the best of tuning layers alone, as the paper did, with 13 uterine cases"
        in said
    )


def test_one_training_is_no_claim() -> None:
    for sentence in answered(
        {"all": (0.1, 0.2, 0.3), "head": (0.0, 0.1, 0.1), "joint": (0.0, 0.1, 0.5)}, seeds=1
    ):
        assert sentence.startswith("In one training of each model, ")
        assert "clear" not in sentence
        assert " p" + "\N{NO-BREAK SPACE}" not in sentence
