"""Vary a batch: geometry in one resampling, then gain and noise; a function of the generator's state."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

ROTATION_DEG = 10.0
LOG_SCALE = 0.12
SHIFT = 0.06
"""Standard deviations: of the angle, the logarithm of the size, and the shift as a share of the matrix."""
GAIN = 0.1
NOISE = 0.1
"""Standard deviation of a channel's log gain, and the largest noise, in units of the channel's deviation."""


def augment(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn, scale and shift slices with their targets; vary the channels' gain and noise.

    Parameters
    ----------
    images : Tensor, shape (n, 3, height, width)
    targets : Tensor, shape (n, 1, height, width)
    generator : torch.Generator
        On the CPU, so that the same seed varies alike on every device.

    Returns
    -------
    tuple of Tensor
        Of the same shapes; targets stay 0 or 1.
    """
    n, device = len(images), images.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    angle = normal(n) * math.radians(ROTATION_DEG)
    scale = torch.exp(normal(n) * LOG_SCALE)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = normal(2, n) * 2 * SHIFT
    affine = torch.stack([cos, -sin, shift[0], sin, cos, shift[1]], dim=1).view(n, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    targets = F.grid_sample(targets, grid, mode="nearest", align_corners=False)
    gain = torch.exp(normal(n, images.shape[1], 1, 1) * GAIN)
    noise = normal(*images.shape) * torch.rand((n, 1, 1, 1), generator=generator).to(device) * NOISE
    return images * gain + noise, targets
