"""DeepLab V3+ as a ModelSpec describes it.

References
----------
Chen L-C et al., Encoder-decoder with atrous separable convolution for semantic image segmentation, ECCV 2018.
"""

from __future__ import annotations

import difflib

import torch
from torch import nn

from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec
from uteroseg.network.imagenet import load_imagenet
from uteroseg.network.layers import layer_groups


def default_encoder() -> str:
    """The encoder that suits this computer: a small one on a CPU, a larger one on a GPU."""
    return "resnet50" if torch.cuda.is_available() else "tf_efficientnet_lite0"


def build_network(spec: ModelSpec, *, seed: int, imagenet: bool = False) -> nn.Module:
    """Build the network: slices (n, channels, height, width) → logits (n, 1, height, width).

    Parameters
    ----------
    spec : ModelSpec
    seed : int
        Of the random weights.
    imagenet : bool
        Start the encoder from ImageNet weights. With other than three channels its first convolution starts
        from theirs summed (one channel) or repeated and rescaled.

    Raises
    ------
    UserError
        If timm has no such encoder, it does not fit DeepLab V3+, or its ImageNet weights are not at hand.
    """
    import segmentation_models_pytorch as smp

    name = spec.encoder.removeprefix("tu-")
    _require_known(name)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: nn.Module = smp.DeepLabV3Plus(
                encoder_name=spec.encoder, encoder_weights=None, in_channels=len(spec.channels), classes=1
            )
        with torch.no_grad():  # a few encoders with attention can be built, but not run on every matrix
            network.eval()(torch.zeros(1, len(spec.channels), *spec.matrix))
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"The encoder {name!r} does not fit DeepLab V3+ on {spec.matrix[0]} × {spec.matrix[1]} pixels.",
            expected="a convolutional encoder of timm whose stages give features, the last of them dilated, "
            "and a height and width that are multiples of 16.",
            fix="choose another encoder (resnet50, convnext_tiny, mobilenetv3_large_100 …) or matrix.",
        ) from error
    network.train()
    layer_groups(network)  # refuses an encoder without stages
    if imagenet:
        load_imagenet(network, name, channels=len(spec.channels))
    return network


def _require_known(name: str) -> None:
    """Refuse a name that is not one of timm's own; it may also say where weights would be downloaded from."""
    import timm

    names = timm.list_pretrained() if "." in name else timm.list_models()
    if name in names or ("." not in name and timm.is_model(name)):
        return
    nearest = difflib.get_close_matches(name, names, n=5)
    raise UserError(
        f"timm has no encoder {name!r}.",
        expected=f"one of timm's names{', such as ' + ', '.join(nearest) if nearest else ''}.",
        fix="correct the encoder's name; timm.list_models() in Python lists all.",
    )
