"""The layer groups of DeepLab V3+, and training only some of them.

From input to output: ``stem``, ``stage1`` … ``stageN`` of the encoder, ``aspp``, ``decoder``, ``head``.
Across them lie ``norm-affine``, weight and bias of every normalisation layer, and ``norm-statistics``, the
running mean and variance of every batch norm. ``encoder`` stands for the stem and all stages, ``all`` for
every layer.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from uteroseg.errors import UserError

NORM_AFFINE, NORM_STATISTICS = "norm-affine", "norm-statistics"

_PREFIXES = {"encoder": "stem", "decoder.aspp": "aspp", "decoder": "decoder", "segmentation_head": "head"}
_STAGE = re.compile(r"encoder\.model\.(?:blocks|stages|layers?|features|s)[._]?(\d+)(?=\.|$)")
"""How timm's encoders name their stages."""
_AFFINE = {"weight", "bias"}


def layer_groups(network: nn.Module) -> dict[str, list[nn.Module]]:
    """The network's modules by group, groups in order from input to output.

    Every module but the network itself is in one group; a container's parameters are only its own. What an
    encoder has behind its stages belongs to the last one.

    Raises
    ------
    UserError
        If the encoder has no stages that can be told from their names.
    """
    stages = sorted({int(m[1]) for name, _ in network.named_modules() if (m := _STAGE.match(name))})
    if not stages:
        raise UserError(
            "The encoder has no stages that could be trained by themselves.",
            expected="an encoder of timm whose blocks, stages or layers are numbered.",
            fix="choose another encoder, such as resnet50.",
        )
    names = ("stem", *(f"stage{i + 1}" for i in range(len(stages))), "aspp", "decoder", "head")
    groups: dict[str, list[nn.Module]] = {name: [] for name in names}
    in_encoder = "stem"
    for name, module in network.named_modules():
        if match := _STAGE.match(name):
            in_encoder = f"stage{stages.index(int(match[1])) + 1}"
        if name:
            group = _PREFIXES[max((p for p in _PREFIXES if name.startswith(p)), key=len)]
            groups[in_encoder if group == "stem" else group].append(module)
    return groups


def expand_groups(network: nn.Module, names: Collection[str]) -> tuple[str, ...]:
    """The layer groups that some names stand for, from input to output.

    Parameters
    ----------
    network : Module
    names : collection of str
        ``all``, ``encoder``, groups of `layer_groups`, ``norm-affine``, ``norm-statistics``.

    Raises
    ------
    UserError
        If the network has no such group.
    """
    layers = tuple(layer_groups(network))
    meanings = {name: (name,) for name in (*layers, NORM_AFFINE, NORM_STATISTICS)}
    shorthands = {"all": layers, "encoder": layers[: layers.index("aspp")]}
    known = {**shorthands, **meanings}
    if unknown := sorted(set(names) - set(known)):
        raise UserError(
            f"The network has no layer group {', '.join(unknown)}.",
            expected=f"some of {', '.join(known)}.",
            fix="correct the name.",
        )
    wanted = {group for name in names for group in known[name]}
    return tuple(group for group in meanings if group in wanted)


def train_only(network: nn.Module, wanted: Collection[str]) -> None:
    """Let some groups train and freeze all else: weights, batch-norm statistics and dropout.

    A parameter trains if its layer group is wanted, or if it is a normalisation layer's and ``norm-affine``
    is. A module is in training mode if its layer group is wanted, or if it is a batch norm and
    ``norm-statistics`` is. Nothing else changes, however long the network trains.

    Parameters
    ----------
    network : Module
    wanted : collection of str
        As for `expand_groups`.

    Raises
    ------
    UserError
        If the network has no such group.
    """
    groups = expand_groups(network, wanted)
    network.training = bool(groups)
    for group, modules in layer_groups(network).items():
        for module in modules:
            whole = group in groups
            module.training = whole or (NORM_STATISTICS in groups and isinstance(module, _BatchNorm))
            affine = _AFFINE if NORM_AFFINE in groups and _is_norm(module) else ()
            for name, parameter in module.named_parameters(recurse=False):
                parameter.requires_grad_(whole or name in affine)


def _is_norm(module: nn.Module) -> bool:
    """Whether it is a normalisation layer: timm has many of its own, that share no class, only the word."""
    return "Norm" in type(module).__name__
