from __future__ import annotations

import math
from typing import Any

import pandas as pd

from uteroseg.experiment.outlook import NEVER, OVERTAKES, THROUGHOUT
from uteroseg.experiment.report import outlook
from uteroseg.experiment.report.context import Context

from .sections import heads_of, note_of, rows_of, small_of, table_of, with_analysis


def crossovers(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        rows, columns=["strategy", "other", "test_set", "outcome", "target_cases", "low", "high"]
    )


def test_training_together_is_what_crossovers_are_about(several: Context) -> None:
    table = crossovers(
        ("joint", "all", "pooled", OVERTAKES, 128.0, 51.0, math.inf),
        ("joint", "all", "source", THROUGHOUT, 5.0, 5.0, 5.0),
        ("joint", "head", "pooled", NEVER, math.inf, math.inf, math.inf),
        ("all", "joint", "pooled", NEVER, math.inf, math.inf, math.inf),
        ("head", "all", "pooled", OVERTAKES, 13.0, 13.0, 13.0),
    )
    section = outlook.crossovers(with_analysis(several, crossovers=table))
    assert section.title == "When to train together"
    (group,) = table_of(section).groups
    assert heads_of(table_of(section)) == [["Strategy", "overtakes", "Pooled", "Uterine", "Cervical"]]
    assert [[small_of(cell) for cell in row] for row in group.rows] == [
        [
            ("joint", ()),
            ("all", ()),
            ("from 128 on", ("51 to never",)),
            ("–", ()),
            ("throughout, from 5 on", ("5 to 5",)),
        ],
        [("joint", ()), ("head", ()), ("never", ("never",)), ("–", ()), ("–", ())],
    ]


def test_without_training_together_every_pair_that_crosses_is_shown(several: Context) -> None:
    table = crossovers(
        ("head", "all", "pooled", OVERTAKES, 13.0, math.nan, math.nan),
        ("all", "head", "pooled", NEVER, math.inf, math.nan, math.nan),
    )
    apart = several.summary[several.summary["strategy"] != "joint"]
    section = outlook.crossovers(with_analysis(several, summary=apart, crossovers=table))
    assert section.title == "Where one strategy overtakes another"
    assert rows_of(section) == [["head", "all", "from 13 on", "–", "–"]]


def test_cases_needed_are_listed_the_fewest_first(several: Context) -> None:
    table = pd.DataFrame(
        [
            ("all", 128.0, 0.7, 128.0, 100.0, 128.0),
            ("b", 128.0, 0.7, math.inf, 200.0, math.inf),
            ("a", 128.0, 0.7, 38.7, 33.0, 45.0),
        ],
        columns=["strategy", "reference_cases", "reference_dsc", "target_cases", "low", "high"],
    )
    section = outlook.label_efficiency(with_analysis(several, label_efficiency=table))
    assert rows_of(section) == [
        ["a", "39", "33 to 45"], ["all", "128", "the level"], ["b", "not reached", "200 to never"]
    ]  # fmt: skip
    assert note_of(section).startswith(
        "For the uterine DSC of 0.70, which tuning every layer reaches with 128."
    )


def test_forecasts_stand_beside_their_errors(several: Context) -> None:
    columns = ["strategy", "target_cases", "dsc", "a", "more_cases", "low", "high"]
    forecasts = pd.DataFrame(
        [("a", 256, 0.7, 0.8, 120.4, 100.0, math.inf), ("b", 256, 0.7, 0.7, math.inf, 9999.0, math.inf)],
        columns=columns,
    )
    checks = pd.DataFrame(
        [
            ("a", 1, 128, 256, 0.7, 0.72, 0.02),
            ("a", 2, 51, 128, 0.6, 0.61, 0.01),
            ("a", 2, 51, 256, 0.7, 0.66, -0.04),
        ],
        columns=["strategy", "hidden", "fitted_to", "target_cases", "dsc", "predicted", "error"],
    )

    def told(checks: pd.DataFrame) -> str:
        return note_of(outlook.forecasts(with_analysis(several, forecasts=forecasts, forecast_checks=checks)))

    section = outlook.forecasts(with_analysis(several, forecasts=forecasts, forecast_checks=checks))
    table = table_of(section)
    assert [head.small for head in table.heads[0][-2:]] == ["256 from up to 128", "256 from up to 51"]
    assert [[small_of(cell) for cell in row[3:]] for row in table.groups[0].rows] == [
        [("120", ()), ("100 to never", ()), ("+0.02", ("0.72 for 0.70",)), ("−0.04", ("0.66 for 0.70",))],
        [("never", ()), ("over 2,304 to never", ()), ("–", ()), ("–", ())],
    ]
    assert "0.023 in the mean (absolute, 3 forecasts), 0.040 at most" in told(checks)
    assert "as a direction" in told(checks)
    assert "as a direction" not in told(checks.assign(error=0.001))
    assert "Error:" not in told(checks.head(0))
