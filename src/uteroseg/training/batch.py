"""A step's batch: a pure function of the seed and the step."""

from __future__ import annotations

import torch
from torch import Tensor

from uteroseg.model.prepare import CHANNELS
from uteroseg.model.spec import ModelSpec
from uteroseg.training.augment import augment
from uteroseg.training.data import TrainingData


def make_batch(
    data: TrainingData,
    spec: ModelSpec,
    batch_size: int,
    *,
    seed: int,
    step: int,
    rank: int = 0,
    world: int = 1,
) -> tuple[Tensor, Tensor]:
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

    Returns
    -------
    images : Tensor of float32, shape (n, channels, height, width)
        Channels last in memory.
    targets : Tensor of float32, shape (n, 1, height, width)
    """
    number, device = seed * 1_000_003 + step, data.slices.device
    torch.manual_seed(number * world + rank)  # dropout
    slices, low_b = data.sample(batch_size, torch.Generator().manual_seed(number))
    generator = torch.Generator(device).manual_seed(number)
    channels, targets = augment(slices, low_b, data.plane, generator)
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1)
        for values in (spec.channel_mean, spec.channel_std)
    )
    chosen = channels[:, [CHANNELS.index(name) for name in spec.channels]]
    share = slice(batch_size * rank // world, batch_size * (rank + 1) // world)
    images = ((chosen - mean) / std)[share].contiguous(memory_format=torch.channels_last)
    return images, targets[share]
