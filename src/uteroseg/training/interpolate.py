"""Between two models: weights on the straight line from one to the other.

References
----------
Wortsman M et al., Robust fine-tuning of zero-shot models, CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from uteroseg.training.validation import Validation

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the adapted weights, that are tried where there are validation cases."""


def interpolate(network: nn.Module, source: Mapping[str, Tensor], share: float) -> None:
    """Move a network's weights and statistics towards a source's, in place.

    Parameters
    ----------
    network : Module
    source : mapping of Tensor
        The source's state.
    share : float
        What stays of the network's own weights, 0 to 1; integers stay as they are.
    """
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.lerp(source[name].to(tensor.device), tensor, share))


def best_interpolation(
    network: nn.Module, source: Mapping[str, Tensor], share: float, validation: Validation | None
) -> float:
    """Interpolate with a share, or the best of `SHARES` on validation cases where there are any; give it."""
    if validation is None:
        interpolate(network, source, share)
        return share
    adapted = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    reached = {}
    for tried in SHARES:
        network.load_state_dict(adapted)
        interpolate(network, source, tried)
        reached[tried] = validation.mean_dsc(network)
    best = max(SHARES, key=lambda tried: reached[tried])
    network.load_state_dict(adapted)
    interpolate(network, source, best)
    return best
