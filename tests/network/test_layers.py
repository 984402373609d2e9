import pytest
import torch
from torch import nn

from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import expand_groups, layer_groups, train_only

LAYERS = {
    "tf_efficientnet_lite0": {
        "stem": ("encoder.model.conv_stem.", "encoder.model.bn1."),
        **{f"stage{i + 1}": (f"encoder.model.blocks.{i}.",) for i in range(7)},
    },
    "resnet18": {
        "stem": ("encoder.model.conv1.", "encoder.model.bn1."),
        **{f"stage{i}": (f"encoder.model.layer{i}.",) for i in range(1, 5)},
    },
}
for own in LAYERS.values():
    own.update(aspp=("decoder.aspp.",), decoder=("decoder.block",), head=("segmentation_head.",))
EVERY = [(encoder, group) for encoder, own in LAYERS.items() for group in own]
NORMS = [(encoder, group) for encoder in LAYERS for group in ("norm-affine", "norm-statistics")]


@pytest.fixture(scope="module")
def networks():
    """With dropout in the encoder as well as in the ASPP."""
    networks = {encoder: build_network(ModelSpec(encoder=encoder), seed=1) for encoder in LAYERS}
    for network in networks.values():
        for module in list(network.modules()):
            if hasattr(module, "drop_path"):
                module.drop_path = nn.Dropout(0.3)
    return networks


def tensors_of(network, encoder, group):
    """Names of the parameters and buffers of a group, told independently of the code."""
    names = set(network.state_dict())
    if group in LAYERS[encoder]:
        return {name for name in names if name.startswith(LAYERS[encoder][group])}
    norms = {name.rpartition(".")[0] for name in names if name.endswith(".running_mean")}
    ends = {
        "norm-affine": ("weight", "bias"),
        "norm-statistics": ("running_mean", "running_var", "num_batches_tracked"),
    }
    return {f"{norm}.{end}" for norm in norms for end in ends[group]}


@pytest.mark.parametrize("encoder", LAYERS)
def test_every_tensor_is_in_one_group_and_groups_run_from_input_to_output(networks, encoder):
    groups = layer_groups(networks[encoder])
    assert list(groups) == list(LAYERS[encoder])
    owned = [id(p) for modules in groups.values() for m in modules for p in m.parameters(recurse=False)]
    assert sorted(owned) == sorted(id(p) for p in networks[encoder].parameters())
    parts = [tensors_of(networks[encoder], encoder, group) for group in groups]
    assert sum(map(len, parts)) == len(networks[encoder].state_dict()) == len(set.union(*parts))


@pytest.mark.parametrize(("encoder", "group"), EVERY + NORMS)
def test_frozen_means_frozen_bit_for_bit(networks, encoder, group):
    """Two steps on one group: nothing outside it moves, batch-norm statistics and dropout included."""
    network, torch_random = networks[encoder], torch.Generator().manual_seed(1)
    train_only(network, [group])
    passed = {}
    hooks = [
        module.register_forward_hook(lambda _, old, new, name=name: passed.update({name: (old[0], new)}))
        for name, module in network.named_modules()
        if isinstance(module, nn.Dropout)
    ]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        loss = network(torch.randn(2, 3, 64, 64, generator=torch_random)).square().mean()
        if loss.requires_grad:
            loss.backward()
            optimiser.step()
    for hook in hooks:
        hook.remove()

    own = tensors_of(network, encoder, group)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert changed <= own
    assert not any(torch.isnan(value).any() for value in network.state_dict().values())
    assert len(passed) > 3
    for name, (old, new) in passed.items():
        active = name.startswith(LAYERS[encoder].get(group, "nothing"))
        assert torch.equal(old, new) != active, name


@pytest.mark.parametrize(("encoder", "group"), NORMS)
def test_a_norm_group_moves_all_norms(networks, encoder, group):
    network = networks[encoder]
    train_only(network, [group])
    parameters = {name for name, p in network.named_parameters() if p.requires_grad}
    training = {f"{name}.running_mean" for name, m in network.named_modules() if m.training and name}
    own = tensors_of(network, encoder, group)
    assert parameters == (own if group == "norm-affine" else set())
    assert training == {name for name in own if name.endswith("running_mean")}


@pytest.mark.parametrize(
    ("encoder", "norm", "names"),
    [
        ("convnext_atto", "stages_2.blocks.0.norm", {"weight", "bias"}),  # layer norm
        ("convnext_atto_rms", "stages_2.blocks.0.norm", {"weight"}),
        ("efficientnet_b0_gn", "blocks.2.0.bn2", {"weight", "bias"}),  # group norm
        ("mobilenetv3_small_050", "blocks.2.0.bn2", {"weight", "bias"}),  # batch norm with its activation
    ],
)
def test_norms_of_every_kind_are_norms(encoder, norm, names):
    network = build_network(ModelSpec(encoder=encoder), seed=1)
    train_only(network, ["norm-affine"])
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {f"encoder.model.{norm}.{name}" for name in names} < trained
    assert {"decoder.aspp.2.weight", "decoder.aspp.2.bias"} < trained
    assert not any(p.requires_grad for name, p in network.named_parameters() if p.ndim > 1 or "gamma" in name)


@pytest.mark.parametrize("encoder", LAYERS)
def test_with_everything_frozen_the_output_does_not_vary(networks, encoder):
    network = networks[encoder]
    train_only(network, [])
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(network(image), network(image))
    assert not any(module.training for module in network.modules())


@pytest.mark.parametrize("encoder", LAYERS)
def test_with_everything_wanted_nothing_is_frozen(networks, encoder):
    train_only(networks[encoder], [])
    train_only(networks[encoder], ["all"])
    assert all(module.training for module in networks[encoder].modules())
    assert all(parameter.requires_grad for parameter in networks[encoder].parameters())


def test_what_stands_behind_the_stages_belongs_to_the_last():
    network = build_network(ModelSpec(encoder="mobilevit_xxs"), seed=1)
    groups = layer_groups(network)
    assert network.get_submodule("encoder.model.final_conv.conv") in groups["stage5"]
    assert {name for name, _ in network.get_submodule("encoder.model.stem").named_children()} == {
        "conv",
        "bn",
    }
    assert network.get_submodule("encoder.model.stem.conv") in groups["stem"]


def test_an_encoder_without_stages_is_refused():
    network = nn.ModuleDict({"encoder": nn.Linear(1, 1), "decoder": nn.Linear(1, 1)})
    with pytest.raises(UserError, match="no stages"):
        layer_groups(network)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([], ()),
        (["head", "stem"], ("stem", "head")),
        (["encoder"], ("stem", "stage1", "stage2", "stage3", "stage4")),
        (["all", "stem"], tuple(LAYERS["resnet18"])),
        (["norm-statistics", "norm-affine", "head"], ("head", "norm-affine", "norm-statistics")),
    ],
)
def test_names_stand_for_groups(networks, names, groups):
    assert expand_groups(networks["resnet18"], names) == groups


@pytest.mark.parametrize("function", [expand_groups, train_only])
def test_an_unknown_group_is_refused(networks, function):
    with pytest.raises(UserError, match=r"no layer group stage5, tail\. .* stage4, .* norm-statistics"):
        function(networks["resnet18"], ["stem", "tail", "stage5"])
