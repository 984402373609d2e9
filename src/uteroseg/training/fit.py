"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from uteroseg.errors import UserError
from uteroseg.network.layers import train_only
from uteroseg.training.augment import augment
from uteroseg.training.data import TrainingData
from uteroseg.training.loss import dice_cross_entropy


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    Parameters
    ----------
    steps, batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the rate warms up linearly, then falls along a cosine to zero.
    warmup : float
        Share of the steps.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2:
            raise UserError(
                f"Training was asked for with {self.steps} steps of {self.batch_size} slices.",
                expected="at least 1 step and 2 slices (batch normalisation needs more than one).",
                fix="raise the number.",
            )

    def rate(self, step: int) -> float:
        """The learning rate's factor at a step, 0 to 1."""
        warmup = max(1, round(self.warmup * self.steps))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, self.steps - warmup)))


def fit(
    network: nn.Module,
    data: TrainingData,
    recipe: Recipe,
    *,
    groups: Sequence[str],
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """Train some layer groups of a network, in place.

    Parameters
    ----------
    network : Module
    data : TrainingData
    recipe : Recipe
    groups : sequence of str
        Layer groups that train; the others keep their weights and statistics.
    seed : int
        Sampling and augmentation are functions of it and the step.
    on_step : callable
        Told the number of steps done and the loss.

    Returns
    -------
    float
        Mean loss of the last tenth of the steps.
    """
    fabric = Fabric(accelerator="auto", devices=1)
    data = data.to(fabric.device)
    train_only(network, groups)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, recipe.rate)
    model, optimiser = fabric.setup(network, optimiser)
    losses = []
    for step in range(recipe.steps):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        torch.manual_seed(seed * 1_000_003 + step)  # dropout
        images, targets = augment(*data.sample(recipe.batch_size, generator), generator)
        loss = dice_cross_entropy(model(images), targets)
        optimiser.zero_grad()
        fabric.backward(loss)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        on_step(step + 1, losses[-1])
    last = losses[-max(1, recipe.steps // 10) :]
    return sum(last) / len(last)
