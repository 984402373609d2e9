"""Train a model, or adapt one: from a dataset to a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.files import require_new
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelCard, ModelSpec
from uteroseg.model.strategy import STRATEGIES, Strategy
from uteroseg.network.deeplab import build_network
from uteroseg.network.save import load_network
from uteroseg.training.cases import choose_cases, hold_out, unannotated_cases
from uteroseg.training.fit import OnProgress
from uteroseg.training.job import Job, Share, Start

TRAIN = Recipe(steps=800, batch_size=8, learning_rate=4e-3)
ADAPT = Recipe(steps=120, learning_rate=1e-3)


def train(
    dataset: Dataset,
    cohorts: Sequence[str],
    folder: Path,
    *,
    spec: ModelSpec,
    recipe: Recipe = TRAIN,
    seed: int = 1,
    imagenet: bool = True,
    devices: int = 1,
    on_progress: OnProgress = lambda what, done, total, note: None,
) -> ModelCard:
    """Train a model on the annotated training cases of one or more cohorts.

    Parameters
    ----------
    dataset : Dataset
    cohorts : sequence of str
    folder : Path
        Model folder to write. A training that was cut short goes on from ``<folder>.training``.
    spec : ModelSpec
        Its plane becomes that of the cases.
    recipe : Recipe
    seed : int
    imagenet : bool
        Begin from ImageNet weights of the encoder.
    devices : int
        GPUs, or processes on a CPU.
    on_progress : callable
        Told what is done, how much of it, how much there is, and a note (loss and DSC).

    Returns
    -------
    ModelCard

    Raises
    ------
    UserError
        If the folder is taken, a cohort is unknown or has no annotated case, or a mask cannot be used; before
        training.
    """
    require_new(folder)
    cases = [case for cohort in cohorts for case in dataset.annotated_cases(cohort, "train")]
    train_on, validate_on = hold_out(cases, seed=seed)
    start = Start(seed=seed, imagenet=imagenet)
    job = Job(
        network=build_network(spec, seed=seed, imagenet=imagenet),
        spec=spec,
        start=start,
        strategy=STRATEGIES["scratch" if len(cohorts) == 1 else "joint"],
        train_on=[Share(dataset, train_on, 1.0)],
        validate_on=Share(dataset, validate_on, 1.0),
        recipe=recipe,
        seed=seed,
    )
    return job.run(folder, devices=devices, on_progress=on_progress)


def adapt(
    dataset: Dataset,
    cohort: str,
    folder: Path,
    *,
    cases: int,
    source: Path,
    strategy: Strategy = STRATEGIES["default"],
    source_cases: tuple[Dataset, str] | None = None,
    recipe: Recipe = ADAPT,
    seed: int = 1,
    devices: int = 1,
    on_progress: OnProgress = lambda what, done, total, note: None,
) -> ModelCard:
    """Adapt a model to a cohort with some of its training cases.

    Parameters
    ----------
    dataset : Dataset
    cohort : str
    folder : Path
        Model folder to write. A training that was cut short goes on from ``<folder>.training``.
    cases : int
        Annotated patients of the cohort's training split. The split's other cases count as unannotated,
        whether they have a mask or not: they teach where the strategy says so, and their masks are not read.
    source : Path
        Model folder to start from.
    strategy : Strategy
    source_cases : (Dataset, str), optional
        Where the source model's cases are, and their cohort.
    recipe : Recipe
        A strategy that starts from the beginning makes the source model's steps and these, with the source
        model's batches and rate.
    seed, devices, on_progress
        As for `train`.

    Returns
    -------
    ModelCard

    Raises
    ------
    UserError
        As `train`; also if the cohort has fewer training cases than asked for, or the strategy needs source
        cases and there are none.
    """
    require_new(folder)
    strategy = _possible(strategy, source_cases)
    network, card = load_network(source)
    start = Start(card.training.start_seed, card.training.imagenet, card.training.total_steps, card)
    chosen = choose_cases(dataset, cohort, cases, seed=seed) if strategy.trains else []
    if strategy.start == "beginning":
        start = replace(start, steps=0, source=None)
        recipe = replace(
            recipe,
            steps=card.training.total_steps + recipe.steps,
            batch_size=card.training.batch_size,
            learning_rate=card.training.learning_rate or TRAIN.learning_rate,
        )
        network = build_network(card.spec, seed=start.seed, imagenet=start.imagenet)
    train_on, validate_on = hold_out(chosen, seed=seed)
    shares = [Share(dataset, train_on, 1.0)]
    if strategy.needs_source_cases and source_cases:
        source_dataset, source_cohort = source_cases
        old = source_dataset.annotated_cases(source_cohort, "train")
        share = strategy.source_share
        if share == "pooled":
            share = len(old) / (len(old) + len(train_on))
        shares = [Share(dataset, train_on, 1 - share), Share(source_dataset, old, share)]
    how, more = strategy.unannotated, None
    if how and (bare := unannotated_cases(dataset, cohort, train_on, validate_on)):
        more = Share(dataset, bare, how.share)
    job = Job(
        network=network,
        spec=card.spec,
        start=start,
        strategy=strategy,
        train_on=shares,
        validate_on=Share(dataset, validate_on, 1.0),
        recipe=recipe,
        seed=seed,
        unannotated=more,
    )
    return job.run(folder, devices=devices, on_progress=on_progress)


def _possible(strategy: Strategy, source_cases: tuple[Dataset, str] | None) -> Strategy:
    """The strategy, or the one that stands in for it where there are no source cases."""
    if source_cases or not strategy.needs_source_cases:
        return strategy
    if strategy.without_source:
        other = STRATEGIES[strategy.without_source]
        name = f"{strategy.name}: {other.name}"
        return other.model_copy(update={"name": name, "unannotated": strategy.unannotated})
    raise UserError(
        f"The strategy {strategy.name!r} trains on cases of the source model's cohort too; none are given.",
        expected="the dataset and cohort that the source model was trained on.",
        fix="set `source_dataset` and `source_cohort`, or choose a strategy that needs target cases alone.",
    )
