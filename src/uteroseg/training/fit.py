"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from tensorboardX import SummaryWriter
from torch import Tensor, nn

from uteroseg.errors import UserError
from uteroseg.files import write_text
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.model.strategy import Unannotated
from uteroseg.network.layers import train_only
from uteroseg.training.batch import Batch, make_batch
from uteroseg.training.data import TrainingData
from uteroseg.training.state import TrainingState
from uteroseg.training.teacher import Teacher

_SMOOTH = 1.0
_HEADER = "step,loss,learning_rate,dsc"
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
    unannotated: Unannotated | None = None,
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
    unannotated : Unannotated, optional
        How the data's unannotated cases teach.
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
    teacher = None
    if unannotated is not None and data.unannotated is not None:
        teacher = Teacher(
            network, unannotated, steps=recipe.steps, tumour_share=data.tumour_share, fabric=fabric
        )
    state = TrainingState(network, optimiser, recipe.ema, teacher)
    state.resume(folder / CHECKPOINT, settings)
    log = TrainingLog(folder, state.step) if fabric.is_global_zero else None
    saved = time.monotonic()
    while state.step < recipe.steps and not recipe.is_enough(state.checks_since_best):
        rate = recipe.learning_rate * recipe.rate(state.step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = make_batch(
            data,
            spec,
            recipe.batch_size,
            seed=seed,
            step=state.step,
            rank=fabric.global_rank,
            world=fabric.world_size,
            teacher=teacher if teacher and teacher.teaches(state.step, state.average) else None,
        )
        try:
            loss = _make_step(fabric, model, fabric_optimiser, batch, recipe)
        except torch.OutOfMemoryError:

            def attempt(n: int, batch: Batch = batch) -> Tensor:
                return _make_step(fabric, model, fabric_optimiser, batch.part(slice(n)), recipe)

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
    batch: Batch,
    recipe: Recipe,
) -> Tensor:
    """One step of the optimiser; the loss, still on the device."""
    optimiser.zero_grad()
    loss = dice_cross_entropy(
        model(batch.images), batch.targets, batch.counts, per_sample=recipe.per_sample_loss
    )
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


def dice_cross_entropy(
    logits: Tensor, targets: Tensor, counts: Tensor | None = None, *, per_sample: bool = False
) -> Tensor:
    """1 − soft Dice plus binary cross-entropy; all tensors (n, 1, height, width).

    Pixels where ``counts`` is 0 count for nothing.
    Dice is of the whole batch, or with ``per_sample`` of each slice. Cross-entropy gives a gradient
    where a batch holds no tumour, where Dice alone gives none.

    References
    ----------
    Milletari F et al., V-Net, 3DV 2016 (soft Dice).
    """
    over = (1, 2, 3) if per_sample else (0, 1, 2, 3)
    probability = logits.sigmoid()
    if counts is not None:
        probability, targets = probability * counts, targets * counts
    overlap = (probability * targets).sum(dim=over)
    sizes = probability.sum(dim=over) + targets.sum(dim=over)
    dice = ((2 * overlap + _SMOOTH) / (sizes + _SMOOTH)).mean()
    return 1 - dice + F.binary_cross_entropy_with_logits(logits, targets, counts)


def out_of_memory(batch_size: int, attempt: Callable[[int], object]) -> UserError:
    """The error to raise after a batch did not fit.

    Parameters
    ----------
    batch_size : int
        That did not fit.
    attempt : callable
        Makes a step with fewer slices; raises ``torch.OutOfMemoryError`` where they do not fit either.
    """
    fits = batch_size // 2
    while fits >= 2 and not _does(attempt, fits):
        fits //= 2
    return UserError(
        f"A batch of {batch_size} slices does not fit into the device's memory.",
        expected=f"a batch of at most {fits} slices, which was tried and fits."
        if fits >= 2
        else "a device with more memory: not even 2 slices fit.",
        fix=f"set `batch_size` to {fits}."
        if fits >= 2
        else "close what else uses the device, or take a smaller encoder or matrix.",
    )


def _does(attempt: Callable[[int], object], slices: int) -> bool:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        attempt(slices)
    except torch.OutOfMemoryError:
        return False
    return True


class TrainingLog:
    """``log.csv`` and TensorBoard's event files in a folder, that go on where a training goes on.

    Parameters
    ----------
    folder : Path
    step : int
        Steps done before; what was written of later ones is taken back.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._table = folder / "log.csv"
        rows = self._table.read_text("utf-8").splitlines()[1:] if step and self._table.is_file() else []
        kept = [row for row in rows if row.count(",") == 3 and int(row.split(",")[0]) <= step]
        write_text(self._table, "\n".join([_HEADER, *kept]) + "\n")
        self._folder = folder
        self._name_events()
        self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, step: int, loss: float, learning_rate: float, dsc: float | None) -> None:
        """Add a row."""
        with self._table.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{step},{loss:.5g},{learning_rate:.5g},{'' if dsc is None else f'{dsc:.4f}'}\n")
        self._events.add_scalar("loss", loss, step)
        self._events.add_scalar("learning_rate", learning_rate, step)
        if dsc is not None:
            self._events.add_scalar("validation_dsc", dsc, step)

    def close(self) -> None:
        """Write out what is held back."""
        self._events.close()
        self._name_events()

    def _name_events(self) -> None:
        """Number the event files; their own names tell the name of this computer."""
        number = len(list(self._folder.glob("events.out.tfevents.????")))
        for path in sorted(self._folder.glob("events.out.tfevents.*.*")):
            path.rename(self._folder / f"events.out.tfevents.{number:04d}")
            number += 1
