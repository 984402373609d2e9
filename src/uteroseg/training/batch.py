"""One step's batch: drawn, taught where there are no masks, varied and normalised, on the data's device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from uteroseg.model.prepare import CHANNELS
from uteroseg.model.spec import ModelSpec
from uteroseg.training.augment import augment
from uteroseg.training.data import TrainingData
from uteroseg.training.teacher import Teacher


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step learns from.

    Parameters
    ----------
    images : Tensor of float32, shape (n, channels, height, width)
        Channels last in memory.
    targets : Tensor of float32, shape (n, 1, height, width)
        0 or 1.
    counts : Tensor of float32, shape (n, 1, height, width), optional
        0 where a pixel counts for nothing, else 1; by default every pixel counts.
    """

    images: Tensor
    targets: Tensor
    counts: Tensor | None = None

    def part(self, chosen: slice) -> Batch:
        """Some of the slices."""
        counts = None if self.counts is None else self.counts[chosen]
        return Batch(self.images[chosen], self.targets[chosen], counts)


def make_batch(
    data: TrainingData,
    spec: ModelSpec,
    batch_size: int,
    *,
    seed: int,
    step: int,
    rank: int = 0,
    world: int = 1,
    teacher: Teacher | None = None,
) -> Batch:
    """Draw, vary and normalise a batch on the data's device.

    Every process makes the whole batch and takes its share, so that the batch is the same however many
    processes there are.

    Parameters
    ----------
    data : TrainingData
    spec : ModelSpec
        Its channels and their constants.
    batch_size : int
        Of all processes together.
    seed, step : int
    rank, world : int
        This process's number and how many there are.
    teacher : Teacher, optional
        Draws the masks of unannotated cases; without one, the batch is of labelled cases alone.
    """
    number, device = seed * 1_000_003 + step, data.slices.device
    torch.manual_seed(number * world + rank)  # dropout
    taught = round(data.unannotated.share * batch_size) if teacher and data.unannotated else 0
    slices, low_b = data.sample(batch_size, torch.Generator().manual_seed(number), unannotated=taught)
    if teacher and taught:
        slices[-taught:, 3:] = teacher.probability(normalised(slices[-taught:, : len(CHANNELS)], spec))
    channels, tumour = augment(slices, low_b, data.plane, torch.Generator(device).manual_seed(number))
    counts = None
    if teacher and taught:
        counts = torch.ones_like(tumour)
        counts[-taught:] = teacher.counts(tumour[-taught:])
    whole = Batch(normalised(channels, spec), (tumour >= 0.5).float(), counts)
    own = whole.part(slice(batch_size * rank // world, batch_size * (rank + 1) // world))
    return Batch(own.images.contiguous(memory_format=torch.channels_last), own.targets, own.counts)


def normalised(channels: Tensor, spec: ModelSpec) -> Tensor:
    """The channels that the network sees, normalised."""
    mean, std = (
        torch.tensor(values, device=channels.device).view(1, -1, 1, 1)
        for values in (spec.channel_mean, spec.channel_std)
    )
    return (channels[:, [CHANNELS.index(name) for name in spec.channels]] - mean) / std
