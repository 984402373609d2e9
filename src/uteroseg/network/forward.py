"""A network as what gives probabilities: in training, and on a GPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from uteroseg.imaging.geometry import Array
from uteroseg.model.spec import ModelSpec

_BATCH = 16
"""Slices."""


class NetworkForward:
    """The forward of a network, on the device that it is on.

    Parameters
    ----------
    network : nn.Module
    spec : ModelSpec
    """

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        self._network, self.spec = network, spec

    def probability(self, slices: Array) -> Array:
        """Tumour probability of every pixel.

        Parameters
        ----------
        slices : ndarray of float32, shape (slices, channels, height, width)

        Returns
        -------
        ndarray of float32, shape (slices, height, width)
        """
        self._network.eval()
        device = next(self._network.parameters()).device
        found = []
        with torch.inference_mode():
            for batch in torch.from_numpy(slices).split(_BATCH):
                logits = self._network(batch.to(device, memory_format=torch.channels_last))
                found.append(torch.sigmoid(logits)[:, 0].cpu().numpy())
        return np.concatenate(found)
