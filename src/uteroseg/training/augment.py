"""Vary a batch on its device: geometry in one resampling, then the b images, with ADC recomputed from them.

Slices are those of `PreparedCase`: b images in units of the median of the lowest b-value inside the body, ADC
in 10⁻³ mm²/s, the tumour.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from uteroseg.imaging.diffusion import ADC_UNIT
from uteroseg.imaging.geometry import Plane
from uteroseg.model.prepare import HIGH_B, MAX_ADC

ROTATION_DEG = 10.0
LOG_SCALE = 0.12
SHIFT = 0.06
"""Standard deviations: of the angle, the logarithm of the size, and the shift as a share of the matrix."""
ELASTIC = 0.012
PHASE_SHIFT = 0.012
"""Standard deviations of the control points, shares of the matrix: in both directions, and further along
phase encoding, where echo-planar images are distorted most; it is taken to be the view's horizontal one."""
CONTROL_POINTS = 5
GAIN = 0.1
CONTRAST = 0.07
"""Standard deviations of log gain: smooth over the image and common to all b-values, and of each b image."""
GHOST = 0.05
BLUR = 0.6
NOISE = 0.06
"""Largest share of a ghost half a field of view away, of a 3 × 3 mean, and noise in units of the body's
median. Ghost and blur come to every fourth slice each."""
FLOOR = 0.004
"""Signal below this says nothing about ADC."""


def augment(slices: Tensor, low_b: Tensor, plane: Plane, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vary slices; a function of the generator's state.

    Parameters
    ----------
    slices : Tensor of float32, shape (n, 4, height, width)
        The image at the lowest b-value, at b 1000 s/mm², ADC, tumour (or its probability).
    low_b : Tensor of float32, shape (n,)
        Lowest b-value, s/mm².
    plane : str
        Left and right are exchanged in half of the slices where the plane shows both.
    generator : torch.Generator
        On the slices' device.

    Returns
    -------
    channels : Tensor of float32, shape (n, 3, height, width)
    tumour : Tensor of float32, shape (n, 1, height, width)
        Moved along; interpolated, so between the values that it had.
    """
    moved = _move(slices, plane, generator)
    images, adc, tumour = moved[:, :2], moved[:, 2:3], moved[:, 3:]
    varied = _vary(images, generator)
    change = (varied.clamp_min(FLOOR) / images.clamp_min(FLOOR)).log()
    span = ((HIGH_B - low_b) * ADC_UNIT).view(-1, 1, 1, 1)
    adc = (adc + (change[:, :1] - change[:, 1:]) / span).clamp(0, MAX_ADC) * (adc > 0)
    return torch.cat([varied, adc], dim=1), tumour


def _move(slices: Tensor, plane: Plane, generator: torch.Generator) -> Tensor:
    """Turn, scale, shift, perhaps mirror, and bend; everything outside is air."""
    n, device = len(slices), slices.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    angle = normal(n) * math.radians(ROTATION_DEG)
    scale = torch.exp(normal(n) * LOG_SCALE)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    mirror = torch.ones_like(cos)
    if plane != "sagittal":
        mirror = torch.where(torch.rand(n, generator=generator, device=device) < 0.5, -mirror, mirror)
    shift = normal(2, n) * 2 * SHIFT
    affine = torch.stack([cos * mirror, -sin, shift[0], sin * mirror, cos, shift[1]], dim=1).view(n, 2, 3)
    grid = F.affine_grid(affine, list(slices.shape), align_corners=False)
    amplitude = torch.tensor([math.hypot(ELASTIC, PHASE_SHIFT), ELASTIC], device=device).view(1, 2, 1, 1)
    bend = _smooth(normal(n, 2, CONTROL_POINTS, CONTROL_POINTS) * 2 * amplitude, slices)
    return F.grid_sample(slices, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def _vary(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gain, ghost, blur and Rician noise on b images (n, 2, height, width)."""
    n, device = len(images), images.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    def sometimes(largest: float) -> Tensor:
        chance = torch.rand((2, n, 1, 1, 1), generator=generator, device=device)
        return largest * chance[0] * (chance[1] < 0.25)

    gain = _smooth(normal(n, 1, 3, 3) * GAIN, images) + normal(n, 2, 1, 1) * CONTRAST
    varied = images * gain.exp()
    varied = varied + sometimes(GHOST) * varied.roll(images.shape[-1] // 2, dims=-1)
    varied = torch.lerp(varied, F.avg_pool2d(varied, 3, 1, 1), sometimes(BLUR).expand_as(varied))
    deviation = NOISE * torch.rand((n, 1, 1, 1), generator=generator, device=device)
    return torch.hypot(varied + deviation * normal(*images.shape), deviation * normal(*images.shape))


def _smooth(control: Tensor, like: Tensor) -> Tensor:
    """Values at control points, interpolated over the image."""
    return F.interpolate(control, size=like.shape[-2:], mode="bicubic", align_corners=True)
