"""The answer on top of a report: how many cases, which layers, when to train together; from numbers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from uteroseg.report.strategies import StrategySet
from uteroseg.report.wording import NBSP, cases_of, difference, listed, p_words, patients_of
from uteroseg.results.summary import curves

ENOUGH = 0.02
"""A mean DSC this near to the best found counts as enough."""


@dataclass(frozen=True)
class Sentence:
    """One question and the sentence that answers it."""

    question: str
    text: str


class Answer:
    """Answers from the tables of an experiment.

    Parameters
    ----------
    summary, comparisons : DataFrame
        As `summarise` and `compare_with_none` give them.
    between : DataFrame
        Strategies against each other, pooled: ``strategy``, ``other``, ``target_cases``, ``difference`` and
        ``p_holm``; empty where nothing was tested.
    strategies : StrategySet
    source_cohort, target_cohort : str
    """

    def __init__(
        self,
        summary: pd.DataFrame,
        comparisons: pd.DataFrame,
        between: pd.DataFrame,
        strategies: StrategySet,
        *,
        source_cohort: str,
        target_cohort: str,
    ) -> None:
        self._summary, self._comparisons, self._between = summary, comparisons, between
        self._strategies, self._source, self._target = strategies, source_cohort, target_cohort
        self._curves = curves(summary)
        pooled = {name: curve[curve["test_set"] == "pooled"] for name, curve in self._curves.items()}
        self._dsc = {
            name: dict(zip(curve["target_cases"].astype(int), curve["dsc_mean"].astype(float), strict=True))
            for name, curve in pooled.items()
        }

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
        patients = patients_of("test", int(self._value(name, n, "pooled", "patients")))
        given = f"{cases_of(self._target, n)}" if n else f"no {self._target} cases at all"
        with_strategy = f" and the strategy “{name}”" if len(self._dsc) > 1 and n else ""
        said = f"With {given}{with_strategy} the pooled DSC of {patients} {self._course(name, n, 'pooled')}"
        low, high = (self._value(name, n, "pooled", bound) for bound in ("dsc_low", "dsc_high"))
        if not math.isnan(low):
            said += f" (95 % interval {low:.2f} to {high:.2f})"
        if f"{dsc:.2f}" != f"{best:.2f}":
            of = f" and “{best_name}”" if len(self._dsc) > 1 and best_n else ""
            said += f", within {ENOUGH:.2f} of the best found ({best:.2f} with {best_n}{of})"
        apart = [
            f"that of the {patients_of(cohort, int(self._value(name, n, test_set, 'patients')))} "
            f"{self._course(name, n, test_set)}"
            for test_set, cohort in (("target", self._target), ("source", self._source))
            if not math.isnan(self._value(name, n, test_set, "dsc_mean"))
        ]
        if len(apart) > 1:
            said += f"; {' and '.join(apart)}"
        return f"{said}{self._first_gain(n)}."

    def _first_gain(self, enough: int) -> str:
        """The smallest number of cases that is better than none, after correction."""
        tested = self._comparisons[self._comparisons["test_set"] == "pooled"]
        if tested.empty:
            return ""
        proven = tested[(tested["p_holm"] < 0.05) & (tested["difference"] > 0)]
        if proven.empty:
            return "; no number of cases is better than none after correction for the number of tests"
        row = proven.sort_values(["target_cases", "difference"], ascending=[True, False]).iloc[0]
        n = int(row["target_cases"])
        of = f" with “{row['strategy']}”" if len(self._dsc) > 1 else ""
        gain = f"better than none{of} ({difference(row['difference'])}, {p_words(row['p_holm'])})"
        if n == enough:
            return f"; that is the smallest number that is {gain}"
        return f"; already {n} {'is' if n == 1 else 'are'} {gain}" if n < enough else f"; only {n} are {gain}"

    def _which_layers(self) -> str:
        layers = [name for name in self._strategies.layers if self._dsc.get(name)]
        sizes = self._common(layers)
        if len(layers) < 2 or not sizes:
            tuned = f": only “{layers[0]}” ({self._strategies.summary(layers[0])}) was tuned" if layers else ""
            return f"This experiment does not say{tuned or ', as no choice of layers was compared'}."
        mean = {name: sum(self._dsc[name][n] for n in sizes) / len(sizes) for name in layers}
        winner = max(layers, key=lambda name: mean[name])
        early = self._strategies.early
        level = [name for name in layers if f"{mean[name]:.2f}" == f"{mean[winner]:.2f}"]
        over = f"over {len(sizes)} numbers of cases" if len(sizes) > 1 else f"with {cases_of(self._target, sizes[0])}"
        leads = [n for n in sizes if max(layers, key=lambda name: self._dsc[name][n]) == winner]
        if len(level) > 1:
            said = f"{listed([self._called(name) for name in level])} are level (mean pooled DSC {mean[winner]:.2f} {over})"
        else:
            said = f"Tuning {self._called(winner)} is best (mean pooled DSC {mean[winner]:.2f} {over}"
            said += f", highest at {len(leads)} of them)" if len(sizes) > 1 else ")"
        if early is None or early not in layers:
            return f"{said}; the early encoder, which the paper found best, was not among them."
        if level == [early]:
            other = max((name for name in layers if name != early), key=lambda name: mean[name])
            rest = f"as the paper found; next is “{other}” with {mean[other]:.2f}"
            return f"{said}, {rest}{self._tested(early, other, sizes)}."
        if early in level:
            other = next(name for name in level if name != early)
            return f"{said}: the early encoder is not worse, and not clearly best as in the paper{self._tested(early, other, sizes)}."
        return (
            f"{said}, not the early encoder, which the paper found best: “{early}” reaches {mean[early]:.2f}"
            f"{self._tested(winner, early, sizes)}."
        )

    def _together(self) -> str:
        joint = next((name for name in self._strategies.joint if self._dsc.get(name)), None)
        if joint is None:
            return "This experiment does not say: no model was trained on both cohorts together from the beginning."
        rivals = [name for name in self._strategies.adapting if self._dsc.get(name)]
        sizes = [n for n in sorted(self._dsc[joint]) if n and any(n in self._dsc[name] for name in rivals)]
        if not sizes:
            return "This experiment does not say: training together was not compared with an adaptation."
        best = {
            n: max((name for name in rivals if n in self._dsc[name]), key=lambda name: self._dsc[name][n])
            for n in sizes
        }
        ahead = [n for n in sizes if self._dsc[joint][n] > self._dsc[best[n]][n]]
        last = sizes[-1]
        versus = (
            f"pooled DSC {self._dsc[joint][last]:.2f} against {self._dsc[best[last]][last]:.2f} of “{best[last]}” "
            f"with {last}"
        )
        tested = self._tested(joint, best[last], [last])
        lasting = next((n for n in sizes if all(later in ahead for later in sizes if later >= n)), None)
        whom = "every adaptation" if len(rivals) > 1 else f"“{rivals[0]}”"
        if lasting is None:
            said = f"Training on both cohorts together is ahead of {whom} nowhere up to {last} cases"
            if ahead:
                said = f"Training together is ahead of {whom} only with {listed([str(n) for n in ahead])}, not with {last} cases"
            best_rival = f"{said} ({versus}{tested}){self._of_default_layers(joint, sizes)}"
            return f"{best_rival}."
        if lasting == sizes[0]:
            since = f"Training on both cohorts together is ahead of {whom} at every number of cases, from {lasting} on"
        else:
            since = f"Training on both cohorts together overtakes {whom} with {cases_of(self._target, lasting)}"
        return f"{since} ({versus}{tested}){self._of_default_layers(joint, sizes)}."

    def _of_default_layers(self, joint: str, sizes: Sequence[int]) -> str:
        """Where training together overtakes tuning layers alone, which is what the paper compared it with."""
        layers = [name for name in self._strategies.layers if self._dsc.get(name)]
        rivals = [name for name in self._strategies.adapting if self._dsc.get(name)]
        if not layers or set(layers) == set(rivals):
            return ""
        shared = [n for n in sizes if any(n in self._dsc[name] for name in layers)]
        ahead = [
            n for n in shared
            if self._dsc[joint][n] > max(self._dsc[name][n] for name in layers if n in self._dsc[name])
        ]  # fmt: skip
        lasting = next((n for n in shared if all(later in ahead for later in shared if later >= n)), None)
        alone = "tuning layers alone, as the paper did,"
        return f"; {alone} it overtakes with {lasting}" if lasting else f"; {alone} it does not overtake"

    def _tested(self, first: str, second: str, sizes: Sequence[int]) -> str:
        """Where the first strategy is significantly ahead of or behind the second; empty without tests."""
        table = self._between
        if table.empty:
            return ""
        pair = table[
            table["target_cases"].isin(list(sizes))
            & table["p_holm"].notna()
            & table["strategy"].isin([first, second])
            & table["other"].isin([first, second])
        ]
        if pair.empty:
            return ""
        if len(pair) == 1:
            return f", {p_words(pair['p_holm'].iloc[0])}"
        proven = pair[pair["p_holm"] < 0.05].sort_values("target_cases")
        sign = proven["difference"].where(proven["strategy"] == first, -proven["difference"])
        ahead, behind = (
            listed([str(int(n)) for n in proven.loc[chosen, "target_cases"]]) for chosen in (sign > 0, sign < 0)
        )
        if not ahead and not behind:
            return f"; “{first}” and “{second}” differ significantly at no number of cases"
        where = [f"significantly {word} it at {sizes}" for word, sizes in
                 (("ahead of", ahead), ("behind", behind)) if sizes]  # fmt: skip
        return f"; “{first}” is {' and '.join(where)}".replace("of it", f"of “{second}”") + f" (p{NBSP}<{NBSP}0.05 after Holm)"

    def _called(self, name: str) -> str:
        summary = self._strategies.summary(name)
        return f"“{name}”" + (f" ({summary})" if summary else "")

    def _common(self, names: Sequence[str]) -> list[int]:
        """Numbers of cases, without 0, at which each of some strategies was run."""
        shared = set.intersection(*(set(self._dsc[name]) for name in names)) if names else set()
        return sorted(shared - {0})

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
        found = curve.loc[(curve["target_cases"] == n) & (curve["test_set"] == test_set), column]
        return float(found.iloc[0]) if len(found) else math.nan
