"""What every part of a report needs: the experiment, its analysis, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from pydantic import ValidationError

from uteroseg.experiment.analysis import Analysis
from uteroseg.experiment.grid import SETS, curves
from uteroseg.experiment.records import RunRecord
from uteroseg.experiment.results import Experiment
from uteroseg.model.strategy import STRATEGIES, Strategy


@dataclass(frozen=True, eq=False)
class Context:
    """An experiment as its report tells of it.

    Parameters
    ----------
    experiment : Experiment
    analysis : Analysis
    """

    experiment: Experiment
    analysis: Analysis

    @property
    def source(self) -> str:
        """The cohort that the models come from."""
        return self.experiment.source_cohort

    @property
    def target(self) -> str:
        """The cohort that they are adapted to."""
        return self.experiment.target_cohort

    @property
    def names(self) -> Mapping[str, str]:
        """What each test set is called."""
        return {"source": self.source, "target": self.target, "pooled": "pooled"}

    @cached_property
    def records(self) -> list[RunRecord]:
        """Of the finished runs."""
        return [run.record for run in self.experiment.runs]

    @property
    def summary(self) -> pd.DataFrame:
        """The learning curves, as `summarise` gives them."""
        return self.analysis.summary

    @cached_property
    def curves(self) -> Mapping[str, pd.DataFrame]:
        """The learning curve of each strategy, with its starting point."""
        return curves(self.summary)

    @property
    def several(self) -> bool:
        """Whether there is more than one strategy."""
        return len(self.curves) > 1

    @cached_property
    def patients(self) -> Mapping[str, int]:
        """Test patients in each test set that has any."""
        table = self.summary.drop_duplicates("test_set").set_index("test_set")["patients"]
        return {name: int(table[name]) for name in SETS if name in table.index}

    @cached_property
    def leading(self) -> str:
        """The strategy with the highest pooled mean DSC where it has the most target cases."""
        reached = {
            name: curve[curve["test_set"] == "pooled"]["dsc_mean"].iloc[-1]
            for name, curve in self.curves.items()
        }
        return max(reached, key=lambda name: reached[name])

    @cached_property
    def strategies(self) -> Mapping[str, Strategy | None]:
        """What each strategy does, as its runs recorded it, else by its name; None where nothing tells."""
        recorded = {record.strategy: record.settings.get("strategy") for record in self.records}
        return {name: _strategy(name, recorded.get(name)) for name in self.curves}

    @property
    def joint(self) -> tuple[str, ...]:
        """The strategies that train on both cohorts from the beginning."""
        return tuple(name for name, found in self.strategies.items() if found and found.is_joint)

    @property
    def adapting(self) -> tuple[str, ...]:
        """The strategies that start from the source model; one that nothing is known of counts as such."""
        return tuple(name for name, found in self.strategies.items() if not found or found.start == "source")

    @property
    def layers(self) -> tuple[str, ...]:
        """The strategies that differ in the layers that they tune alone."""
        return tuple(name for name, found in self.strategies.items() if found and found.tunes_layers_alone)

    @property
    def early(self) -> str | None:
        """The strategy that tunes the early encoder layers alone, which the paper found best."""
        known = self.strategies
        return next((n for n in self.layers if (found := known[n]) and found.tunes_early_layers), None)


def _strategy(name: str, recorded: object) -> Strategy | None:
    if not isinstance(recorded, dict):
        return STRATEGIES.get(name)
    try:
        return Strategy.model_validate({"name": name, **recorded})
    except ValidationError:  # recorded by another version
        return STRATEGIES.get(name)
