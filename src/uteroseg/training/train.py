"""Train a model, or adapt one: from a dataset to a model folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import nn

from uteroseg import __version__
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import require_new
from uteroseg.model.spec import ModelCard, ModelSpec, TrainingRecord
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import layer_groups
from uteroseg.network.save import load_network, save_model
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import Recipe, fit
from uteroseg.training.strategy import Strategy
from uteroseg.training.validation import calibrate, hold_out

TRAIN = Recipe(steps=400)
ADAPT = Recipe(steps=120, learning_rate=1e-3)

_SOFTWARE = ("torch", "segmentation-models-pytorch", "timm", "numpy")

OnStep = Callable[[int, float], None]


def train(
    dataset: Dataset,
    cohorts: Sequence[str],
    folder: Path,
    *,
    spec: ModelSpec,
    recipe: Recipe = TRAIN,
    seed: int = 1,
    imagenet: bool = True,
    on_step: OnStep = lambda step, loss: None,
) -> ModelCard:
    """Train a model on the training cases of one or more cohorts.

    Raises
    ------
    UserError
        If the folder is taken, a cohort is unknown or empty, or a case has no usable mask; before training.
    """
    require_new(folder)
    cases = [case for cohort in cohorts for case in dataset.annotated_cases(cohort, "train")]
    network = build_network(spec, seed=seed, imagenet=imagenet)
    strategy = Strategy(
        "scratch" if len(cohorts) == 1 else "joint", "from the start", tuple(layer_groups(network))
    )
    start = _Start(network, spec, strategy, source=None)
    return _train(dataset, cases, start, folder, recipe=recipe, seed=seed, on_step=on_step)


def adapt(
    dataset: Dataset,
    cohort: str,
    folder: Path,
    *,
    cases: int,
    source: Path,
    strategy: Strategy,
    recipe: Recipe = ADAPT,
    seed: int = 1,
    on_step: OnStep = lambda step, loss: None,
) -> ModelCard:
    """Adapt a model to a cohort with some of its training cases.

    Raises
    ------
    UserError
        As ``train``; also if the cohort has fewer training cases than asked for.
    """
    require_new(folder)
    network, card = load_network(source)
    chosen = choose_cases(dataset, cohort, cases, seed=seed)
    start = _Start(network, card.spec, strategy, source=card)
    return _train(dataset, chosen, start, folder, recipe=recipe, seed=seed, on_step=on_step)


def choose_cases(dataset: Dataset, cohort: str, patients: int, *, seed: int) -> list[CaseId]:
    """The training cases of some patients of a cohort; with more patients, those of fewer are among them.

    Raises
    ------
    UserError
        If fewer patients are there, or the number is not positive.
    """
    cases = dataset.annotated_cases(cohort, "train")
    available = sorted(
        {case.participant for case in cases},
        key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest(),
    )
    if not 1 <= patients <= len(available):
        raise UserError(
            f"{patients} {cohort} training cases were asked for and {len(available)} are there.",
            expected=f"a number from 1 to {len(available)}.",
            fix="ask for fewer, or add cases.",
        )
    chosen = set(available[:patients])
    return [case for case in cases if case.participant in chosen]


@dataclass(frozen=True, eq=False)
class _Start:
    """What a training starts from."""

    network: nn.Module
    spec: ModelSpec
    strategy: Strategy
    source: ModelCard | None


def _train(
    dataset: Dataset,
    cases: Sequence[CaseId],
    start: _Start,
    folder: Path,
    *,
    recipe: Recipe,
    seed: int,
    on_step: OnStep,
) -> ModelCard:
    started = time.monotonic()
    network, spec, source = start.network, start.spec, start.source
    train_on, validate_on = hold_out(cases, seed=seed)
    data = load_training_data(dataset, train_on, spec)
    if source is None:
        spec = spec.model_copy(update={"plane": data.plane})
    elif data.plane != spec.plane:
        raise UserError(
            f"The cases are {data.plane} and the model {source.id} was trained on {spec.plane} slices.",
            expected="slices in the model's plane.",
            fix="adapt a model that was trained on this plane, or train a new one.",
        )
    groups = start.strategy.groups(network)
    loss = fit(network, data, recipe, groups=groups, seed=seed, on_step=on_step)
    seen = dict(source.training.cases) if source else {}
    for case in cases:
        cohort = dataset.participant(case).cohort
        seen[cohort] = seen.get(cohort, 0) + 1
    virtual = any(dataset.participant(case).source == "virtual" for case in cases)
    record = TrainingRecord(
        strategy=start.strategy.name,
        cases=seen,
        validation_cases=len(validate_on),
        virtual=virtual or (source is not None and source.training.virtual),
        data_fingerprint=data.fingerprint,
        seed=seed,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        seconds=round(time.monotonic() - started, 1),
        final_loss=round(loss, 4),
        b_values=data.b_values,
        slice_spacing_mm=data.slice_spacing_mm,
        source_model=source.id if source else None,
        expected_dsc=calibrate(network, spec, dataset, validate_on),
        software={"uteroseg": __version__, **{name: version(name) for name in _SOFTWARE}},
    )
    return save_model(network, spec, record, folder)
