import torch
from torch import nn

from uteroseg.training.interpolate import SHARES, best_interpolation, interpolate


def two():
    torch.manual_seed(1)
    source, adapted = (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)) for _ in range(2))
    adapted[1].running_mean += 3
    return {name: t.clone() for name, t in source.state_dict().items()}, adapted


def test_the_weights_lie_on_the_line_between_the_two():
    source, adapted = two()
    own = {name: t.clone() for name, t in adapted.state_dict().items()}
    interpolate(adapted, source, 0.25)
    for name, tensor in adapted.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.75 * source[name] + 0.25 * own[name])
    assert adapted[1].running_mean[0] == 0.75


def test_what_is_the_same_in_both_stays_so_bit_for_bit():
    source, adapted = two()
    adapted.load_state_dict(source)
    interpolate(adapted, source, 0.3)
    assert all(torch.equal(tensor, source[name]) for name, tensor in adapted.state_dict().items())


def test_with_validation_cases_the_best_share_is_taken():
    class Validation:
        """Likes a share of one half."""

        def mean_dsc(self, network):
            return 1 - abs(float(network[1].running_mean[0]) - 1.5)

    source, adapted = two()
    assert best_interpolation(adapted, source, 1.0, Validation()) == 0.5
    assert adapted[1].running_mean[0] == 1.5
    assert 0.5 in SHARES


def test_without_them_the_share_is_the_strategys():
    source, adapted = two()
    assert best_interpolation(adapted, source, 0.75, None) == 0.75
    assert adapted[1].running_mean[0] == 2.25
