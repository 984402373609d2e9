"""The loss: soft Dice over the batch with cross-entropy.

Cross-entropy gives a gradient where a batch holds no tumour, where Dice alone gives none.

References
----------
Milletari F et al., V-Net, 3DV 2016 (soft Dice).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_SMOOTH = 1.0


def dice_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """1 − soft Dice of the whole batch, plus binary cross-entropy; both tensors (n, 1, height, width)."""
    probability = logits.sigmoid()
    overlap = (probability * targets).sum()
    dice = (2 * overlap + _SMOOTH) / (probability.sum() + targets.sum() + _SMOOTH)
    return 1 - dice + F.binary_cross_entropy_with_logits(logits, targets)
