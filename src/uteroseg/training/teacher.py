"""The network's own earlier weights as a teacher, who draws masks on cases that have none.

The teacher sees a slice as it is, the network learns the mask on the slice varied. Pixels that the teacher is
unsure of count for nothing. Nor does anything that it draws, as long as it finds far less or far more tumour
than the labelled cases have: one that finds nothing or everything would teach the network, and so its own
successors, to find nothing or everything.

References
----------
Tarvainen A, Valpola H, Mean teachers are better role models, NeurIPS 2017.
Sohn K et al., FixMatch, NeurIPS 2020 (a weak view teaches a strong one, what is unsure is left out).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from uteroseg.model.strategy import Unannotated
from uteroseg.training.state import Average

MAX_FACTOR = 4.0
"""By how much the share of tumour that the teacher finds may differ from the labelled cases'."""
MEMORY = 0.9
"""Decay of the mean over steps of the share that it finds."""


class Teacher:
    """Draws masks with earlier weights of a network.

    Parameters
    ----------
    network : Module
        Whose weights it takes; on its device already.
    how : Unannotated
    steps : int
        Of the whole training.
    tumour_share : float
        Of the labelled cases' pixels.
    fabric : Fabric
        Its precision applies.
    """

    def __init__(
        self, network: nn.Module, how: Unannotated, *, steps: int, tumour_share: float, fabric: Fabric
    ) -> None:
        self._network = copy.deepcopy(network).requires_grad_(False).eval()
        self._weights = {n: t for n, t in self._network.state_dict().items() if t.is_floating_point()}
        self._how, self._expected, self._fabric = how, tumour_share, fabric
        self._first = round(how.begins * steps)
        self._renewals = {
            "average": range(self._first, steps),
            "drawn": (self._first,),
            "redrawn": (self._first, (self._first + steps) // 2),
        }[how.teacher]
        self._found = torch.full((), math.nan, device=fabric.device)

    def teaches(self, step: int, average: Average) -> bool:
        """Whether it teaches in a step (the first is 0).

        Called for every step in turn: where it is time, it takes the average's weights.
        """
        if step in self._renewals:
            torch._foreach_copy_(
                list(self._weights.values()), [average.weights[name] for name in self._weights]
            )
        return step >= self._first

    def probability(self, images: Tensor) -> Tensor:
        """Tumour probability of every pixel; and note how much tumour that is.

        Parameters
        ----------
        images : Tensor of float32, shape (n, channels, height, width)
            Normalised.

        Returns
        -------
        Tensor of float32, shape (n, 1, height, width)
        """
        with torch.no_grad(), self._fabric.autocast():
            logits = self._network(images.contiguous(memory_format=torch.channels_last))
        probability = logits.float().sigmoid()
        now = (probability >= 0.5).float().mean()
        self._found = torch.where(self._found.isnan(), now, torch.lerp(now, self._found, MEMORY))
        return probability

    def counts(self, probability: Tensor) -> Tensor:
        """1 where a pixel of its masks counts, 0 where it is unsure, or finds far too little or too much."""
        low, high = self._how.unsure
        sure = (probability <= low) | (probability >= high)
        sane = (self._found >= self._expected / MAX_FACTOR) & (self._found <= self._expected * MAX_FACTOR)
        return (sure & sane).float()

    def state_dict(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return {"found": self._found, "weights": {} if self._how.teacher == "average" else self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as what `state_dict` gave."""
        self._found.copy_(state["found"])
        for name, tensor in state["weights"].items():
            self._weights[name].copy_(tensor)
