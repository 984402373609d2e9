"""Do the quality flags find the masks that are wrong? Virtual patients, as they are and corrupted.

    python benchmarks/flags.py MODEL DATASET --cases 20 -o docs/images/flags > flags.json

Predicts test patients of DATASET as they are and with every corruption of ``_corrupt.py``. ``caught`` is the
share of the studies with DSC < 0.5 that have a flag. ``false_alarms`` is the share of the uncorrupted studies
with DSC ≥ 0.5 that have one; ``false_alarms_corrupted_too`` counts corrupted studies whose mask is good all
the same as well. For the curve the limit of severity, 1 in use, is moved. In another anatomy there is no
tumour: DSC is 1 where nothing is found and 0 otherwise. ``-o`` writes the curve as PNG and SVG.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import machine, versions
from _corrupt import CORRUPTIONS, Corruption

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.metrics import dice
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.flags import LIMIT, Flag, concerns
from uteroseg.model.prediction import predict_study

BAD_DSC = 0.5
WANTED_CAUGHT, WANTED_FALSE_ALARMS = 0.9, 0.1
CLEAN = "as they are"
KINDS: dict[str, Corruption] = {CLEAN: lambda study, rng: study, **CORRUPTIONS}


@dataclass(frozen=True)
class Case:
    """One predicted study."""

    kind: str
    dsc: float
    concerns: list[Flag]

    @property
    def severity(self) -> float:
        return max(concern.severity for concern in self.concerns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path, help="virtual patients, some of the split 'test'")
    parser.add_argument("--cases", type=int, default=20, help="patients, each seven times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="figure to write, without suffix")
    chosen = parser.parse_args()
    engine, dataset = OnnxEngine(chosen.model), Dataset.open(chosen.dataset)
    test = [case for case in dataset.cases() if dataset.participant(case).split == "test"]
    order = np.random.default_rng(chosen.seed).permutation(len(test))[: chosen.cases]
    cases = []
    for number, index in enumerate(order):
        for kind in KINDS:
            cases.append(_predicted(dataset, test[index], kind, engine, [chosen.seed, number]))
        print(f"{number + 1} of {len(order)} patients", file=sys.stderr, flush=True)
    curve = _curve(cases)
    result = {
        "patients": len(order),
        "at_the_limit_in_use": _rates(cases, LIMIT),
        "at_10_percent_false_alarms": _best(curve, "false_alarms"),
        "at_10_percent_false_alarms_corrupted_too": _best(curve, "false_alarms_corrupted_too"),
        "wanted": {"caught": WANTED_CAUGHT, "false_alarms": WANTED_FALSE_ALARMS},
        "kinds": {kind: _summary([case for case in cases if case.kind == kind]) for kind in KINDS},
        "curve": curve,
        "model": engine.card.describe(),
        "virtual_patients": True,
        "machine": machine(),
        "versions": versions("uteroseg", "numpy", "onnxruntime"),
        "seed": chosen.seed,
    }
    if chosen.output:
        _draw(curve, result["at_the_limit_in_use"], chosen.output)
    print(json.dumps(result, indent=2))


def _predicted(dataset: Dataset, case: CaseId, kind: str, engine: OnnxEngine, seed: list[int]) -> Case:
    rng = np.random.default_rng([*seed, list(KINDS).index(kind)])
    study, truth = KINDS[kind](dataset.load_study(case), rng), dataset.load_mask(case).data
    if kind == "another anatomy":
        truth = np.zeros_like(truth)
    found = predict_study(study, engine)
    looked_at = concerns(found.prepared, found.mask, found.soft_dice, engine.card)
    return Case(kind, dice(found.mask.data, truth), list(looked_at))


def _rates(cases: list[Case], limit: float) -> dict[str, float]:
    good = [case for case in cases if case.dsc >= BAD_DSC]
    groups = {
        "caught": [case for case in cases if case.dsc < BAD_DSC],
        "false_alarms": [case for case in good if case.kind == CLEAN],
        "false_alarms_corrupted_too": good,
    }
    shares = {
        name: round(sum(case.severity > limit for case in group) / max(len(group), 1), 4)
        for name, group in groups.items()
    }
    return {
        "limit": round(limit, 4),
        **shares,
        **{f"{name}_of": len(group) for name, group in groups.items()},
    }


def _curve(cases: list[Case]) -> list[dict[str, float]]:
    """The rates at every limit that changes them, the strictest first."""
    limits = sorted({0.0, *(case.severity for case in cases)}, reverse=True)
    return [_rates(cases, limit) for limit in limits]


def _best(curve: list[dict[str, float]], alarms: str) -> dict[str, float]:
    """The point that catches most with at most the wanted false alarms."""
    return max(
        (p for p in curve if p[alarms] <= WANTED_FALSE_ALARMS), key=lambda p: (p["caught"], p["limit"])
    )


def _summary(cases: list[Case]) -> dict[str, object]:
    names = Counter(
        n for case in cases for n in {flag.name for flag in case.concerns if flag.severity > LIMIT}
    )
    bad = [case for case in cases if case.dsc < BAD_DSC]
    return {
        "mean_dsc": round(float(np.mean([case.dsc for case in cases])), 4),
        "bad": len(bad),
        "bad_flagged": sum(case.severity > LIMIT for case in bad),
        "good": len(cases) - len(bad),
        "good_flagged": sum(case.severity > LIMIT for case in cases if case.dsc >= BAD_DSC),
        "flags": dict(names.most_common()),
    }


def _draw(curve: list[dict[str, float]], in_use: dict[str, float], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    axes.axhspan(WANTED_CAUGHT, 1, xmax=WANTED_FALSE_ALARMS, color="0.9", zorder=0)
    axes.text(0.01, 0.985, "wanted", color="0.3", fontsize=7, va="top")
    for alarms, label, colour in (
        ("false_alarms", "good masks of uncorrupted studies", "#c2187a"),
        ("false_alarms_corrupted_too", "good masks of all studies", "#00806e"),
    ):
        x, y = ([point[name] for point in curve] for name in (alarms, "caught"))
        axes.step(x, y, where="post", color=colour, label=f"{label} (n = {in_use[alarms + '_of']})")
        axes.plot(in_use[alarms], in_use["caught"], "o", color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="flagged although good (DSC ≥ 0.5)")
    axes.set_ylabel(f"flagged of those with DSC < 0.5 (n = {in_use['caught_of']})")
    axes.legend(loc="lower right", fontsize=9, title="false alarms among", title_fontsize=9)
    axes.set_title("Quality flags on virtual patients; dots: the limit in use", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".svg", ".png"):
        figure.savefig(
            path.with_suffix(suffix), dpi=150, metadata={"Date": None} if suffix == ".svg" else None
        )


if __name__ == "__main__":
    main()
