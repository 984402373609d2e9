from __future__ import annotations

import math
from typing import Any

import pandas as pd

from uteroseg.experiment.outlook import NEVER, OVERTAKES, THROUGHOUT
from uteroseg.experiment.report.strategies import StrategySet
from uteroseg.experiment.report.tables import crossover_rows, efficiency_rows, forecast_error, forecast_rows

STRATEGIES = StrategySet(("all", "head", "joint"))


def crossovers(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        rows, columns=["strategy", "other", "test_set", "outcome", "target_cases", "low", "high"]
    )


def test_training_together_is_what_crossovers_are_about() -> None:
    table = crossovers(
        ("joint", "all", "pooled", OVERTAKES, 128.0, 51.0, math.inf),
        ("joint", "all", "source", THROUGHOUT, 5.0, 5.0, 5.0),
        ("joint", "head", "pooled", NEVER, math.inf, math.inf, math.inf),
        ("all", "joint", "pooled", NEVER, math.inf, math.inf, math.inf),
        ("head", "all", "pooled", OVERTAKES, 13.0, 13.0, 13.0),
    )
    rows = crossover_rows(table, STRATEGIES, ("pooled", "source"))
    assert [(row.strategy, row.other, row.cells) for row in rows] == [
        ("joint", "all", (("from 128 on", "51 to never"), ("throughout, from 5 on", "5 to 5"))),
        ("joint", "head", (("never", "never"), None)),
    ]


def test_without_training_together_every_pair_that_crosses_is_shown() -> None:
    table = crossovers(
        ("head", "all", "pooled", OVERTAKES, 13.0, math.nan, math.nan),
        ("all", "head", "pooled", NEVER, math.inf, math.nan, math.nan),
    )
    (row,) = crossover_rows(table, StrategySet(("all", "head")), ("pooled",))
    assert (row.strategy, row.other, row.cells) == ("head", "all", (("from 13 on", ""),))


def test_cases_needed_are_listed_the_fewest_first() -> None:
    table = pd.DataFrame(
        [("all", 128.0, 100.0, 128.0), ("b", math.inf, 200.0, math.inf), ("a", 38.7, 33.0, 45.0)],
        columns=["strategy", "target_cases", "low", "high"],
    )
    assert [(row.strategy, row.cases, row.interval) for row in efficiency_rows(table)] == [
        ("a", "39", "33 to 45"), ("all", "128", "the level"), ("b", "not reached", "200 to never")
    ]  # fmt: skip


def test_forecasts_stand_beside_their_errors() -> None:
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
    heads, (first, second) = forecast_rows(forecasts, checks)
    assert heads == ["256 from up to 128", "256 from up to 51"]
    assert (first.more, first.interval) == ("120", "100 to never")
    assert first.checks == (("+0.02", "0.72 for 0.70"), ("−0.04", "0.66 for 0.70"))
    assert (second.more, second.interval, second.checks) == ("never", "over 2,304 to never", (None, None))
    said = forecast_error(checks)
    assert "0.023 in the mean (absolute, 3 forecasts), 0.040 at most" in said
    assert "as a direction" in said
    assert "as a direction" not in forecast_error(checks.assign(error=0.001))
    assert forecast_error(checks.head(0)) == ""
