"""The loss: soft Dice with cross-entropy.

Cross-entropy gives a gradient where a batch holds no tumour, where Dice alone gives none.

References
----------
Milletari F et al., V-Net, 3DV 2016 (soft Dice).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_SMOOTH = 1.0


def dice_cross_entropy(logits: Tensor, targets: Tensor, *, per_sample: bool = False) -> Tensor:
    """1 − soft Dice plus binary cross-entropy; both tensors (n, 1, height, width).

    Dice is of the whole batch, or with ``per_sample`` the mean of each slice's.
    """
    over = (1, 2, 3) if per_sample else (0, 1, 2, 3)
    probability = logits.sigmoid()
    overlap = (probability * targets).sum(dim=over)
    sizes = probability.sum(dim=over) + targets.sum(dim=over)
    dice = ((2 * overlap + _SMOOTH) / (sizes + _SMOOTH)).mean()
    return 1 - dice + F.binary_cross_entropy_with_logits(logits, targets)
