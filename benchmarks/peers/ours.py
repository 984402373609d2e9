"""Our side of the comparison: train on the same cases, on the same CPU, and validate in the same way."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from _common import training_record

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import expand_groups
from uteroseg.network.save import save_model
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import fit, make_fabric
from uteroseg.training.train import TRAIN
from uteroseg.training.validation import Validation

CHECKS = 12
WARM_UP_STEPS = 6


def train_ours(
    dataset: Dataset,
    train_cases: Sequence[CaseId],
    validation_cases: Sequence[CaseId],
    minutes: float,
    *,
    spec: ModelSpec,
    seed: int,
    report: Callable[[dict[str, object]], None],
    model: Path,
) -> None:
    """Train for so many minutes, then write the model.

    ``report`` is told ``{"minutes", "iterations", "dsc"}`` at each validation.

    The recipe is that of ``uteroseg train``, with as many steps as a few steps' time says will fit into the
    minutes. Minutes count training alone (preparing the data of a step and the step itself), not validation.
    ``dsc`` is the validation cases' mean of `uteroseg.evaluation.metrics.dice` on the studies' own grids.
    """
    data = load_training_data([(dataset, train_cases, 1.0)], spec)
    validation = Validation(dataset, validation_cases, spec)
    clock = _Clock()
    network = build_network(spec, seed=seed, imagenet=True)

    def train(recipe: Recipe, validate: Callable[..., float] | None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fit(
                network,
                spec,
                data,
                recipe,
                groups=expand_groups(network, ["all"]),
                seed=seed,
                folder=Path(folder),
                settings="benchmark",
                fabric=make_fabric(),
                validate=validate,
                on_progress=clock.tick,
            )

    train(replace(TRAIN, steps=WARM_UP_STEPS), None)
    per_step = (clock.times[-1] - clock.times[1]) / (WARM_UP_STEPS - 2)
    steps = int(minutes * 60 / per_step)
    network = build_network(spec, seed=seed, imagenet=True)
    report(
        {
            "seconds_per_step": round(per_step, 3),
            "steps": steps,
            "matrix": spec.matrix,
            "spacing_mm": spec.spacing_mm,
            "encoder": spec.encoder,
        }
    )
    clock = _Clock()

    def validate(network: object) -> float:
        with clock:
            dsc = validation.mean_dsc(network)  # type: ignore[arg-type]
        done = len(clock.times) + 1
        report({"minutes": round(clock.seconds() / 60, 2), "iterations": done, "dsc": dsc})
        return dsc

    train(replace(TRAIN, steps=steps, checks=CHECKS), validate)
    record = training_record("cervical", cases=len(train_cases), steps=steps, seed=seed)
    save_model(network, spec, record, model)


class _Clock:
    """Counts seconds since it was made, those inside ``with`` left out."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._start = perf_counter()

    def tick(self, what: str, done: int, total: int, note: str) -> None:
        self.times.append(self.seconds())

    def seconds(self) -> float:
        return perf_counter() - self._start

    def __enter__(self) -> None:
        self._paused = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._start += perf_counter() - self._paused
