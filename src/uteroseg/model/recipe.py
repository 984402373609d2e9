"""How long and how fast to train."""

from __future__ import annotations

import math
from dataclasses import dataclass

from uteroseg.errors import UserError


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
    ema : float
        Decay of the moving average of the weights, which is what the model becomes.
    checks : int
        How often, at equal distances, the average is measured on validation cases, where there are any.
    patience : int, optional
        Stop after so many checks without a better DSC; by default all steps are made. The best check's
        weights are kept in any case.
    per_sample_loss : bool
        Dice of each slice instead of the whole batch, so that several devices compute what one does.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    ema: float = 0.98
    checks: int = 10
    patience: int | None = None
    per_sample_loss: bool = False

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

    def is_check(self, done: int) -> bool:
        """Whether validation cases are measured after so many steps."""
        return done == self.steps or done % max(1, self.steps // self.checks) == 0

    def is_enough(self, checks_since_best: int) -> bool:
        """Whether to stop after so many checks without a better DSC."""
        return self.patience is not None and checks_since_best >= self.patience
