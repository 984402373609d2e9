"""Everything that an experiment's tables say, for the report and for machines (`summary.json`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uteroseg import RESEARCH_USE
from uteroseg.evaluation.metrics import EMPTY_RULE
from uteroseg.evaluation.patients import UNIT
from uteroseg.evaluation.statistics import COMPARISON_RULE, HOLM_RULE, INTERVAL_RULE
from uteroseg.results.between import between_family, compare_between
from uteroseg.results.comparisons import compare_with_none, family
from uteroseg.results.crossover import crossovers
from uteroseg.results.efficiency import label_efficiency
from uteroseg.results.experiment import Experiment
from uteroseg.results.forecast import check_forecasts, forecasts
from uteroseg.results.forgetting import forgetting, forgetting_family
from uteroseg.results.grid import grid
from uteroseg.results.steps import compare_steps, steps_family
from uteroseg.results.strata import stratify, volume_cuts_ml
from uteroseg.results.summary import summarise

FILE_NAME = "summary.json"


@dataclass(frozen=True, eq=False)
class Analysis:
    """The statistics of an experiment.

    Each table's columns are described where it is made. Tables are empty, with all their columns, where an
    experiment has nothing to fill them with. Numbers of cases that are infinite mean "never", as described
    there; in `document` they are words.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it: the learning curves, with intervals over patients and seeds.
    intervals : str
        How the intervals of the learning curves were found, in words.
    comparisons : DataFrame
        As `compare_with_none` gives it.
    family : str
        The family of tests in words; empty where nothing is compared.
    strata : DataFrame
        As `stratify` gives it.
    volume_tertiles_ml : tuple of float, optional
        Cut points; None with too few tumours.
    steps, steps_family
        Each number of target cases against the next smaller one, as `compare_steps` gives it; the family.
    between, between_family
        Every two strategies at each number of target cases, as `compare_between` gives it; the family.
    forgetting, forgetting_family
        The change on the source test set, as `forgetting` gives it; the family.
    crossovers : DataFrame
        From which size on a strategy is ahead of another, as `crossovers` gives it.
    label_efficiency : DataFrame
        Cases needed for what `all` reaches with half of the largest size, as `label_efficiency` gives it.
    forecasts : DataFrame
        What more cases would give, as `forecasts` gives it.
    forecast_checks : DataFrame
        The error of forecasts of sizes that were hidden, as `check_forecasts` gives it.
    """

    summary: pd.DataFrame
    intervals: str
    comparisons: pd.DataFrame
    family: str
    strata: pd.DataFrame
    volume_tertiles_ml: tuple[float, float] | None
    steps: pd.DataFrame
    steps_family: str
    between: pd.DataFrame
    between_family: str
    forgetting: pd.DataFrame
    forgetting_family: str
    crossovers: pd.DataFrame
    label_efficiency: pd.DataFrame
    forecasts: pd.DataFrame
    forecast_checks: pd.DataFrame


def analyse(experiment: Experiment) -> Analysis:
    """Everything that an experiment's tables say."""
    cases, source, target = experiment.cases, experiment.source_cohort, experiment.target_cohort
    arranged = grid(cases)
    summary, comparisons = summarise(cases), compare_with_none(cases)
    steps, between, lost = compare_steps(arranged), compare_between(arranged), forgetting(arranged)
    return Analysis(
        summary=summary,
        intervals=INTERVAL_RULE,
        comparisons=comparisons,
        family=family(comparisons, target),
        strata=stratify(cases),
        volume_tertiles_ml=volume_cuts_ml(cases),
        steps=steps,
        steps_family=steps_family(steps, target),
        between=between,
        between_family=between_family(between, target),
        forgetting=lost,
        forgetting_family=forgetting_family(lost, source, target),
        crossovers=crossovers(arranged),
        label_efficiency=label_efficiency(arranged),
        forecasts=forecasts(arranged),
        forecast_checks=check_forecasts(arranged),
    )


def document(experiment: Experiment, analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain values, with the rules that it follows; what is not a number is None."""
    return {
        "notice": RESEARCH_USE,
        "virtual_patients": experiment.virtual,
        "source_cohort": experiment.source_cohort,
        "target_cohort": experiment.target_cohort,
        "unit": UNIT,
        "empty_masks": EMPTY_RULE,
        "intervals": INTERVAL_RULE,
        "dsc": _records(analysis.summary),
        "comparisons": {
            "family": analysis.family,
            "method": f"{COMPARISON_RULE} {HOLM_RULE}",
            "dsc": _records(analysis.comparisons),
        },
        "strata": {
            "volume_tertiles_ml": analysis.volume_tertiles_ml,
            "dsc": _records(analysis.strata),
        },
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            str(name): None if isinstance(value, float) and math.isnan(value) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]
