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
from uteroseg.results.comparisons import compare_with_none, family
from uteroseg.results.experiment import Experiment
from uteroseg.results.strata import stratify, volume_cuts_ml
from uteroseg.results.summary import summarise

FILE_NAME = "summary.json"


@dataclass(frozen=True, eq=False)
class Analysis:
    """The statistics of an experiment.

    Parameters
    ----------
    summary : DataFrame
        As `summarise` gives it.
    comparisons : DataFrame
        As `compare_with_none` gives it.
    family : str
        The family of tests in words; empty where nothing is compared.
    strata : DataFrame
        As `stratify` gives it.
    volume_tertiles_ml : tuple of float, optional
        Cut points; None with too few tumours.
    """

    summary: pd.DataFrame
    comparisons: pd.DataFrame
    family: str
    strata: pd.DataFrame
    volume_tertiles_ml: tuple[float, float] | None


def analyse(experiment: Experiment) -> Analysis:
    """Summarise, compare and stratify an experiment."""
    comparisons = compare_with_none(experiment.cases)
    return Analysis(
        summary=summarise(experiment.cases),
        comparisons=comparisons,
        family=family(comparisons, experiment.target_cohort),
        strata=stratify(experiment.cases),
        volume_tertiles_ml=volume_cuts_ml(experiment.cases),
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
