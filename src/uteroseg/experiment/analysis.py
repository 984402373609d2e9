"""Everything that an experiment's tables say, for the report and for machines (`summary.json`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg import RESEARCH_USE
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT
from uteroseg.evaluation.statistics import COMPARISON_RULE, HOLM_RULE
from uteroseg.experiment import comparisons
from uteroseg.experiment.comparisons import family
from uteroseg.experiment.grid import Resampling, grid
from uteroseg.experiment.outlook import (
    CROSSOVER_RULE,
    EFFICIENCY_RULE,
    FORECAST_RULE,
    check_forecasts,
    crossovers,
    forecasts,
    label_efficiency,
)
from uteroseg.experiment.results import Experiment
from uteroseg.experiment.summary import stratify, summarise, volume_cuts_ml

SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, eq=False)
class Family:
    """One family of tests: its differences, as `comparisons` gives them, and its definition.

    ``rule`` is empty where nothing is tested.
    """

    table: pd.DataFrame
    rule: str


@dataclass(frozen=True, eq=False)
class Analysis:
    """The statistics of an experiment.

    Each table's columns are described where it is made. Tables are empty, with all their columns, where an
    experiment has nothing to fill them with.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it: the learning curves.
    intervals : str
        How intervals were found, in words.
    seeds : int
        Number of different seeds. With one nothing is known of the spread between trainings.
    against_none, added_cases, between, forgetting : Family
    strata : DataFrame
        As `stratify` gives it.
    volume_tertiles_ml : tuple of float, optional
        Cut points; None with too few tumours.
    crossovers, label_efficiency, forecasts, forecast_checks : DataFrame
        As the functions of these names (`check_forecasts`) give them.
    """

    summary: pd.DataFrame
    intervals: str
    seeds: int
    against_none: Family
    added_cases: Family
    between: Family
    forgetting: Family
    strata: pd.DataFrame
    volume_tertiles_ml: tuple[float, float] | None
    crossovers: pd.DataFrame
    label_efficiency: pd.DataFrame
    forecasts: pd.DataFrame
    forecast_checks: pd.DataFrame

    @property
    def comparison_rule(self) -> str:
        """How models are compared, in words."""
        seeds = f" {comparisons.SEEDS_RULE}" if self.seeds > 1 else ""
        return f"{COMPARISON_RULE} {HOLM_RULE}{seeds}"


def analyse(experiment: Experiment) -> Analysis:
    """Everything that an experiment's tables say."""
    cases, source, target = experiment.cases, experiment.source_cohort, experiment.target_cohort
    resampling = Resampling(grid(cases))

    def tested(table: pd.DataFrame, against: str = "") -> Family:
        return Family(table, family(table, against, source_cohort=source, target_cohort=target))

    return Analysis(
        summary=summarise(cases, resampling),
        intervals=resampling.rule,
        seeds=resampling.grid.seeds,
        against_none=tested(comparisons.against_none(resampling), "against none"),
        added_cases=tested(comparisons.added_cases(resampling), "against the next smaller number"),
        between=tested(comparisons.between(resampling)),
        forgetting=tested(comparisons.forgetting(resampling), "against none"),
        strata=stratify(cases),
        volume_tertiles_ml=volume_cuts_ml(cases),
        crossovers=crossovers(resampling),
        label_efficiency=label_efficiency(resampling, experiment.target_patients),
        forecasts=forecasts(resampling),
        forecast_checks=check_forecasts(resampling),
    )


def document(experiment: Experiment, analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain values, with the rules that it follows.

    What is not a number is None; a number of cases that is infinite is "never".
    """
    return {
        "notice": RESEARCH_USE,
        "virtual_patients": experiment.virtual,
        "source_cohort": experiment.source_cohort,
        "target_cohort": experiment.target_cohort,
        "unit": UNIT,
        "empty_masks": EMPTY_RULE,
        "intervals": analysis.intervals,
        "dsc": _records(analysis.summary),
        "comparisons": {
            "family": analysis.against_none.rule,
            "method": analysis.comparison_rule,
            "dsc": _records(analysis.against_none.table),
        },
        "added_cases": _family(analysis.added_cases),
        "between_strategies": _family(analysis.between),
        "forgetting": _family(analysis.forgetting),
        "strata": {
            "volume_tertiles_ml": analysis.volume_tertiles_ml,
            "dsc": _records(analysis.strata),
        },
        "crossovers": {"rule": CROSSOVER_RULE, "cases": _records(analysis.crossovers)},
        "label_efficiency": {"rule": EFFICIENCY_RULE, "cases": _records(analysis.label_efficiency)},
        "forecasts": {
            "rule": FORECAST_RULE,
            "cases": _records(analysis.forecasts),
            "checks": _records(analysis.forecast_checks),
        },
    }


def _family(found: Family) -> dict[str, Any]:
    return {"family": found.rule, "dsc": _records(found.table)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else "never"
