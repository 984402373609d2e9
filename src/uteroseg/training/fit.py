"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec
from uteroseg.network.layers import train_only
from uteroseg.training.batch import make_batch
from uteroseg.training.data import TrainingData
from uteroseg.training.log import TrainingLog
from uteroseg.training.loss import dice_cross_entropy
from uteroseg.training.memory import out_of_memory
from uteroseg.training.recipe import Recipe
from uteroseg.training.state import TrainingState

STEPS_BETWEEN_LOOKS = 10
"""Looking at the loss makes a GPU wait."""
SECONDS_BETWEEN_CHECKPOINTS = 20.0
CHECKPOINT = "checkpoint.pt"

Validate = Callable[[nn.Module], float]
"""Gives the mean DSC of the validation cases."""

OnProgress = Callable[[str, int, int, str], None]
"""Told what is done, how much of it, how much there is, and a note (loss and DSC)."""


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    Parameters
    ----------
    loss : float
        Mean over the last tenth of the steps.
    steps : int
        Done; fewer than the recipe's where it stopped early.
    dsc : float or None
        Mean DSC of the validation cases with the weights that were kept.
    """

    loss: float
    steps: int
    dsc: float | None


def make_fabric(devices: int = 1) -> Fabric:
    """The devices to train on: GPUs, in mixed precision, where there are any; else processes on CPUs."""
    return Fabric(
        accelerator="auto",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
    )


def fit(
    network: nn.Module,
    spec: ModelSpec,
    data: TrainingData,
    recipe: Recipe,
    *,
    groups: Sequence[str],
    seed: int,
    folder: Path,
    settings: str,
    fabric: Fabric,
    validate: Validate | None = None,
    on_progress: OnProgress = lambda what, done, total, note: None,
) -> Fitted:
    """Train some layer groups of a network, in place; it becomes the moving average of its weights.

    Parameters
    ----------
    network : Module
    spec : ModelSpec
    data : TrainingData
    recipe : Recipe
    groups : sequence of str
        Layer groups that train; the others keep their weights and statistics.
    seed : int
        Batches are functions of it and the step.
    folder : Path
        For the log, and for a checkpoint from which a training that was cut short goes on.
    settings : str
        Names the training: a checkpoint with another name is refused.
    fabric : Fabric
        From `make_fabric`, launched.
    validate : callable, optional
        Measures the average at the recipe's checks; the best is kept.
    on_progress : callable

    Raises
    ------
    UserError
        If a batch does not fit into the device's memory, or the checkpoint is broken or of another training.
    """
    data = data.to(fabric.device)
    network.to(memory_format=torch.channels_last)
    train_only(network, groups)
    trained = [p for p in network.parameters() if p.requires_grad]
    if not trained:
        raise UserError(
            f"Nothing can be trained in {', '.join(groups)}.",
            expected="layer groups with weights.",
            fix="add one to the strategy's trains, such as norm-affine.",
        )
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    model, fabric_optimiser = fabric.setup(network, optimiser)
    state = TrainingState(network, optimiser, recipe.ema)
    state.resume(folder / CHECKPOINT, settings)
    log = TrainingLog(folder, state.step) if fabric.is_global_zero else None
    saved = time.monotonic()
    while state.step < recipe.steps and not recipe.is_enough(state.checks_since_best):
        rate = recipe.learning_rate * recipe.rate(state.step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, targets = make_batch(
            data,
            spec,
            recipe.batch_size,
            seed=seed,
            step=state.step,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        try:
            loss = _make_step(fabric, model, fabric_optimiser, images, targets, recipe)
        except torch.OutOfMemoryError:

            def attempt(n: int, images: Tensor = images, targets: Tensor = targets) -> Tensor:
                return _make_step(fabric, model, fabric_optimiser, images[:n], targets[:n], recipe)

            raise out_of_memory(recipe.batch_size, attempt) from None
        state.step += 1
        state.average.update(state.step)
        is_check = validate is not None and recipe.is_check(state.step)
        if validate is not None and is_check:
            state.checked(_with_average(state, validate))
            train_only(network, groups)
        if is_check or state.step % STEPS_BETWEEN_LOOKS == 0 or state.step == recipe.steps:
            state.losses.append(float(loss))
            if log is not None:
                log.write(state.step, state.losses[-1], rate, state.dsc if is_check else None)
        on_progress("training steps", state.step, recipe.steps, state.note())
        if log is not None and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            state.save(folder / CHECKPOINT, settings)
            saved = time.monotonic()
    if log is not None:
        log.close()
    state.finish()
    return Fitted(loss=state.recent_loss(), steps=state.step, dsc=state.best_dsc)


def _make_step(
    fabric: Fabric,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    targets: Tensor,
    recipe: Recipe,
) -> Tensor:
    """One step of the optimiser; the loss, still on the device."""
    optimiser.zero_grad()
    loss = dice_cross_entropy(model(images), targets, per_sample=recipe.per_sample_loss)
    fabric.backward(loss)
    optimiser.step()
    return loss.detach()


def _with_average(state: TrainingState, validate: Validate) -> float:
    """The DSC of the network's moving average."""
    state.average.swap()
    try:
        return validate(state.network.eval())
    finally:
        state.average.swap()
