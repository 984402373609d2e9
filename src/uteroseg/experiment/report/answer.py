"""The answer on top of a report, from its tables: how many cases, which layers, when to train together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from uteroseg.experiment.comparisons import clear
from uteroseg.experiment.outlook import NEVER, OVERTAKES
from uteroseg.experiment.report.context import Context
from uteroseg.experiment.report.words import cases_of, crossing, difference, listed, p_words, patients_of

ENOUGH = 0.02
"""A mean DSC this near to the best found counts as enough."""


@dataclass(frozen=True)
class Sentence:
    """One question and the sentence that answers it."""

    question: str
    text: str


class Answer:
    """Answers from the tables of an experiment.

    Where every model was trained once, it says what was seen and calls nothing clear.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        self._context, self._analysis = context, context.analysis
        self._source, self._target = context.source, context.target
        self._curves = {
            name: curve.set_index(["target_cases", "test_set"]) for name, curve in context.curves.items()
        }
        self._dsc: dict[str, dict[int, float]] = {}
        for name, curve in context.curves.items():
            own = curve[curve["test_set"] == "pooled"]
            self._dsc[name] = dict(zip(own["target_cases"].tolist(), own["dsc_mean"].tolist(), strict=True))
        self._once = "" if context.analysis.seeds > 1 else "In one training of each model, "

    def sentences(self) -> list[Sentence]:
        """One for each question."""
        return [
            Sentence("How many cases?", self._how_many()),
            Sentence("Which layers?", self._which_layers()),
            Sentence("When to train together?", self._together()),
        ]

    def _how_many(self) -> str:
        points = [(dsc, n, name) for name, curve in self._dsc.items() for n, dsc in curve.items()]
        best, best_n, best_name = max(points, key=lambda point: (round(point[0], 2), -point[1]))
        near = [point for point in points if round(best - point[0], 9) <= ENOUGH]
        dsc, n, name = min(near, key=lambda point: (point[1], -point[0]))
        several = len(self._dsc) > 1
        given = cases_of(self._target, n) if n else f"no {self._target} cases at all"
        given += f" and the strategy “{name}”" if several and n else ""
        patients = patients_of("test", int(self._value(name, n, "pooled", "patients")))
        said = f"{self._once}with {given} the pooled DSC of {patients} {self._course(name, n, 'pooled')}"
        low, high = (self._value(name, n, "pooled", bound) for bound in ("dsc_low", "dsc_high"))
        if not math.isnan(low):
            said += f" (95 % interval {low:.2f} to {high:.2f})"
        if f"{dsc:.2f}" != f"{best:.2f}":
            of = f" and “{best_name}”" if several and best_n else ""
            said += f", within {ENOUGH:.2f} of the best found ({best:.2f} with {best_n}{of})"
        apart = [
            f"that of the {patients_of(cohort, int(self._value(name, n, test_set, 'patients')))} "
            f"{self._course(name, n, test_set)}"
            for test_set, cohort in (("target", self._target), ("source", self._source))
            if not math.isnan(self._value(name, n, test_set, "dsc_mean"))
        ]
        if len(apart) > 1:
            said += f"; {' and '.join(apart)}"
        return f"{said[:1].upper()}{said[1:]}{self._first_gain()}."

    def _first_gain(self) -> str:
        """The smallest number of cases that is clearly better than none."""
        table = self._analysis.against_none.table
        table = table[table["test_set"] == "pooled"]
        if self._once or table.empty:
            return ""
        gains = table[clear(table) & (table["difference"] > 0)]
        if gains.empty:
            return "; no number of cases is clearly better than none"
        row = gains.sort_values(["target_cases", "difference"], ascending=[True, False]).iloc[0]
        of = f" with “{row['strategy']}”" if len(self._dsc) > 1 else ""
        gain = f"{difference(row['difference'])}, {p_words(row['p_holm'])}"
        return f"; clearly better than none with as few as {row['target_cases']}{of} ({gain})"

    def _which_layers(self) -> str:
        layers = [name for name in self._context.layers if name in self._dsc]
        if len(layers) == 1:
            return f"This experiment does not say: only {self._called(layers[0])} was tuned."
        sizes = self._shared(*layers)
        if not sizes:
            return "This experiment does not say: no choice of layers was compared."
        mean = {name: sum(self._dsc[name][n] for n in sizes) / len(sizes) for name in layers}
        first, second, *_ = sorted(layers, key=lambda name: -mean[name])
        early = self._context.early
        rival = early if early and first != early else second
        one = cases_of(self._target, sizes[0])
        over = f"over {len(sizes)} numbers of cases" if len(sizes) > 1 else f"with {one}"
        values = f"mean pooled DSC {mean[first]:.2f} {over}, “{rival}” {mean[rival]:.2f}"
        level = f"{mean[first]:.2f}" == f"{mean[rival]:.2f}"
        who = f"“{rival}”" if rival == second else f"“{second}” and “{rival}”"
        lead = "level with" if level else "ahead of"
        said = f"{self._once}tuning {self._called(first)} is {lead} tuning {who} ({values})"
        if early is None:
            said += "; the early encoder, which the paper found best, was not among them"
        elif first == early and not level:
            said += ", as the paper found"
        else:
            said += "; the paper found the early encoder best"
        return f"{said[:1].upper()}{said[1:]}{self._clearly(first, rival, sizes)}."

    def _together(self) -> str:
        joint = next((name for name in self._context.joint if name in self._dsc), None)
        if joint is None:
            return "This experiment does not say: no model was trained on both cohorts from the beginning."
        table = self._analysis.crossovers
        table = table[(table["strategy"] == joint) & (table["test_set"] == "pooled")].set_index("other")
        adapting = [name for name in self._context.adapting if name in table.index]
        if not adapting:
            return "This experiment does not say: training together was not compared with an adaptation."
        best = self._leading(joint, adapting)
        overtaking = self._overtaking(joint, best, "the best adaptation here")
        said = f"{self._once}training on both cohorts together {overtaking}"
        layers = [name for name in self._context.layers if name in table.index]
        if layers and (alone := self._leading(joint, layers)) != best:
            overtaking = self._overtaking(joint, alone, "the best of tuning layers alone, as the paper did")
            said += f"; it {overtaking}"
        return f"{said[:1].upper()}{said[1:]}."

    def _overtaking(self, joint: str, other: str, what: str) -> str:
        """Where training together overtakes another strategy, in words."""
        table = self._analysis.crossovers
        (row,) = table[
            (table["strategy"] == joint) & (table["other"] == other) & (table["test_set"] == "pooled")
        ].to_dict("records")
        last = self._shared(joint, other)[-1]
        values = f"{self._dsc[joint][last]:.2f} against {self._dsc[other][last]:.2f} with {last}"
        whom = f"“{other}”, {what},"
        if row["outcome"] == OVERTAKES:
            where = cases_of(self._target, int(row["target_cases"]))
            spread = crossing(row["low"], row["high"])
            interval = f"95 % interval {spread}; " if spread else ""
            return f"overtakes {whom} with {where} ({interval}pooled DSC {values})"
        if row["outcome"] == NEVER:
            return f"does not overtake {whom} up to {last} cases (pooled DSC {values})"
        return f"is ahead of {whom} with every number of cases that was tried (pooled DSC {values})"

    def _clearly(self, first: str, second: str, sizes: Sequence[int]) -> str:
        """Where one strategy is clearly ahead of or behind another; empty with one seed."""
        table = self._analysis.between.table
        pair = table[
            (table["test_set"] == "pooled")
            & table["target_cases"].isin(list(sizes))
            & table["strategy"].isin([first, second])
            & table["other"].isin([first, second])
        ]
        if self._once or pair.empty:
            return ""
        sign = pair["difference"].where(pair["strategy"] == first, -pair["difference"])[clear(pair)]
        ahead, behind = (
            listed([str(n) for n in pair.loc[sign[chosen].index, "target_cases"]])
            for chosen in (sign > 0, sign < 0)
        )
        if not ahead and not behind:
            return f"; from “{second}” it differs clearly with no number of cases"
        where = [f"ahead of “{second}” with {ahead}"] if ahead else []
        where += [f"behind {'it' if ahead else f'“{second}”'} with {behind}"] if behind else []
        return f"; it is clearly {' and '.join(where)} cases"

    def _leading(self, joint: str, names: Sequence[str]) -> str:
        """The strategy with the highest pooled DSC with the most cases that training together had too."""
        return max(names, key=lambda name: (self._dsc[name][self._shared(joint, name)[-1]], name))

    def _shared(self, *names: str) -> list[int]:
        """Numbers of cases, without 0, with which each of some strategies was run."""
        sizes = [set(self._dsc[name]) for name in names]
        return sorted(set.intersection(*sizes) - {0}) if sizes else []

    def _called(self, name: str) -> str:
        strategy = self._context.strategies[name]
        return f"“{name}” ({strategy.in_words})" if strategy else f"“{name}”"

    def _course(self, name: str, n: int, test_set: str) -> str:
        """Say how a mean DSC went from none to n, after rounding, so that words and figures agree."""
        reached = f"{self._value(name, n, test_set, 'dsc_mean'):.2f}"
        without = self._value(name, 0, test_set, "dsc_mean")
        if not n or math.isnan(without):
            return f"is {reached}"
        began = f"{without:.2f}"
        if began == reached:
            return f"stays at {reached}"
        return f"{'rises' if reached > began else 'falls'} from {began} to {reached}"

    def _value(self, name: str, n: int, test_set: str, column: str) -> float:
        curve = self._curves[name]
        return float(curve[column].get((n, test_set), math.nan))
