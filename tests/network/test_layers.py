import pytest
import torch

from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import layer_groups, train_only
from uteroseg.training.strategy import STRATEGIES

GROUPS = ("stem", *(f"stage{i}" for i in range(1, 8)), "aspp", "decoder", "head")


@pytest.fixture(scope="module")
def network():
    return build_network(ModelSpec(), seed=1)


def test_every_parameter_is_in_one_group_and_groups_run_from_input_to_output(network):
    groups = layer_groups(network)
    assert tuple(groups) == GROUPS
    owned = [id(p) for modules in groups.values() for m in modules for p in m.parameters(recurse=False)]
    assert sorted(owned) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("group", GROUPS)
def test_frozen_means_frozen_bit_for_bit(network, group):
    """One step on one group: nothing outside it moves, statistics and dropout included."""
    groups = layer_groups(network)
    train_only(network, [group])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    optimiser.step()
    names = {id(module): name for name, module in network.named_modules()}
    own = tuple(f"{names[id(m)]}." for m in groups[group])
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.rsplit(".", 1)[0] + "." in own for name in changed)
    frozen = [m for other, modules in groups.items() if other != group for m in modules]
    assert not any(m.training for m in frozen)


def test_with_everything_frozen_the_output_does_not_vary(network):
    train_only(network, [])
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(network(image), network(image))


def test_an_unknown_group_is_refused(network):
    with pytest.raises(UserError, match="no layer group tail"):
        train_only(network, ["tail"])


@pytest.mark.parametrize(
    ("strategy", "groups"),
    [
        ("all", GROUPS),
        ("encoder-early", GROUPS[:3]),
        ("encoder", GROUPS[:8]),
        ("decoder", GROUPS[8:]),
        ("head", ("head",)),
    ],
)
def test_strategies_name_their_groups(network, strategy, groups):
    assert STRATEGIES[strategy].groups(network) == groups
