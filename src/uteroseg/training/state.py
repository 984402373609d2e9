"""What a training is made of between two steps: kept on disk, so that one that was cut short goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from uteroseg.errors import UserError
from uteroseg.files import write_file

if TYPE_CHECKING:
    from uteroseg.training.teacher import Teacher

Weights = dict[str, Tensor]


class Average:
    """A moving average of a network's weights and batch-norm statistics.

    Parameters
    ----------
    network : Module
        On its device already.
    decay : float
        Reached from below, so that the first steps are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        live = {name: t for name, t in network.state_dict().items() if t.is_floating_point()}
        self._decay = decay
        self._live = list(live.values())
        self.weights: Weights = {name: tensor.clone() for name, tensor in live.items()}

    def update(self, step: int) -> None:
        """Take in the network's weights after a step (the first is 1)."""
        decay = min(self._decay, step / (step + 9))
        torch._foreach_lerp_(list(self.weights.values()), self._live, 1 - decay)

    def load(self, weights: Weights) -> None:
        """Put other weights in the average's place."""
        for name, mean in self.weights.items():
            mean.copy_(weights[name])

    def swap(self) -> None:
        """Exchange the network's weights and their average; twice is as before."""
        for live, mean in zip(self._live, self.weights.values(), strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)


class TrainingState:
    """A network in training, and how far it is.

    Parameters
    ----------
    network : Module
    optimiser : Optimizer
    ema : float
        Decay of the moving average.
    teacher : Teacher, optional
        Of unannotated cases.

    Attributes
    ----------
    step : int
        Steps done.
    losses : list of float
        Those that were looked at so far.
    dsc, best_dsc : float or None
        Mean DSC of the validation cases at the last and at the best check.
    checks_since_best : int
    best : dict of Tensor
        The average at the best check; empty before.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        ema: float,
        teacher: Teacher | None = None,
    ) -> None:
        self.network, self.optimiser, self._teacher = network, optimiser, teacher
        self.average = Average(network, ema)
        self.step = 0
        self.losses: list[float] = []
        self.dsc: float | None = None
        self.best_dsc: float | None = None
        self.checks_since_best = 0
        self.best: Weights = {}

    def checked(self, dsc: float) -> None:
        """Note a check's DSC; keep the average where it is the best so far."""
        self.dsc = dsc
        self.checks_since_best += 1
        if self.best_dsc is None or dsc > self.best_dsc:
            self.best_dsc, self.checks_since_best = dsc, 0
            self.best = {name: tensor.clone() for name, tensor in self.average.weights.items()}

    def finish(self) -> None:
        """Let the network become the best average, or the last where nothing was checked."""
        if self.best:
            self.average.load(self.best)
        self.average.swap()

    def recent_loss(self) -> float:
        """Mean of the last tenth of the losses that were looked at."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)

    def note(self) -> str:
        """Loss and DSC in words."""
        parts = [f"loss {self.losses[-1]:.2f}"] if self.losses else []
        return ", ".join(parts if self.dsc is None else [*parts, f"DSC {self.dsc:.3f}"])

    _PLAIN = ("step", "losses", "dsc", "best_dsc", "checks_since_best", "best")

    def save(self, path: Path, settings: str) -> None:
        """Replace the checkpoint by a newer one, in one move.

        Parameters
        ----------
        path : Path
        settings : str
            Names the training: its settings, cases and start.
        """
        values = {
            "settings": settings,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.weights,
            "teacher": self._teacher.state_dict() if self._teacher else None,
            **{name: getattr(self, name) for name in self._PLAIN},
        }
        write_file(path, lambda temporary: torch.save(values, temporary))

    def resume(self, path: Path, settings: str) -> None:
        """Go on from a checkpoint, where there is one.

        Raises
        ------
        UserError
            If it is broken, or of a training with other settings.
        """
        if not path.is_file():
            return
        anew = f"delete {path.parent} to begin anew."
        try:
            values = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever its reader meets
            raise UserError(
                f"{path} cannot be read ({(str(error) or type(error).__name__).splitlines()[0]}).",
                expected="the checkpoint of a training that was cut short.",
                fix=anew,
            ) from error
        if values.get("settings") != settings:
            raise UserError(
                f"{path} is the checkpoint of a training with other settings, cases or start.",
                expected="the command that was cut short, as it was.",
                fix=f"repeat that command, or {anew}",
            )
        self.network.load_state_dict(values["network"])
        self.optimiser.load_state_dict(values["optimiser"])
        self.average.load(values["average"])
        if self._teacher:
            self._teacher.load_state_dict(values["teacher"])
        for name in self._PLAIN:
            setattr(self, name, values[name])
