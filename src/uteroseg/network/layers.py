"""The layer groups of DeepLab V3+, and training only some of them.

From input to output: ``stem``, ``stage1`` … ``stageN`` of the encoder, ``aspp``, ``decoder``, ``head``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from torch import nn

from uteroseg.errors import UserError

_PREFIXES = {"encoder": "stem", "decoder.aspp": "aspp", "decoder": "decoder", "segmentation_head": "head"}
_STAGE = re.compile(r"encoder\.model\.(?:blocks|stages|layer)[._]?(\d+)")


def layer_groups(network: nn.Module) -> dict[str, list[nn.Module]]:
    """The network's modules by group, groups in order from input to output.

    Every module but the network itself is in one group; a container's parameters are only its own.
    """
    stages = sorted({int(m[1]) for name, _ in network.named_modules() if (m := _STAGE.match(name))})
    names = ("stem", *(f"stage{i + 1}" for i in range(len(stages))), "aspp", "decoder", "head")
    groups: dict[str, list[nn.Module]] = {name: [] for name in names}
    for name, module in network.named_modules():
        if match := _STAGE.match(name):
            groups[f"stage{stages.index(int(match[1])) + 1}"].append(module)
        elif name:
            prefix = max((p for p in _PREFIXES if name.startswith(p)), key=len)
            groups[_PREFIXES[prefix]].append(module)
    return groups


def train_only(network: nn.Module, wanted: Collection[str]) -> None:
    """Put some groups in training mode and freeze the others: weights, batch-norm statistics and dropout.

    Raises
    ------
    UserError
        If the network has no such group.
    """
    groups = layer_groups(network)
    if unknown := sorted(set(wanted) - set(groups)):
        raise UserError(
            f"The network has no layer group {', '.join(unknown)}.",
            expected=f"some of {', '.join(groups)}.",
            fix="correct the name.",
        )
    network.train()
    for group, modules in groups.items():
        for module in modules:
            module.training = group in wanted
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(group in wanted)
