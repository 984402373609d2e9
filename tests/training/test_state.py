import pytest
import torch
from torch import nn

from uteroseg.errors import UserError
from uteroseg.training.state import TrainingState


def training(seed=1, ema=0.5):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    return TrainingState(network, optimiser, ema)


def step(state, number):
    torch.manual_seed(number)
    state.optimiser.zero_grad()
    state.network(torch.randn(8, 3)).square().mean().backward()
    state.optimiser.step()
    state.step += 1
    state.losses.append(float(number))
    state.average.update(state.step)


def same(first, second):
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_the_average_is_what_its_definition_says():
    state = training(ema=0.9)
    expected = {name: t.clone() for name, t in state.network.state_dict().items() if t.is_floating_point()}
    for number in range(1, 30):
        step(state, number)
        decay = min(0.9, number / (number + 9))
        live = state.network.state_dict()
        expected = {name: decay * mean + (1 - decay) * live[name] for name, mean in expected.items()}
    assert "1.running_mean" in expected
    for name, mean in expected.items():
        torch.testing.assert_close(state.average.weights[name], mean)


def test_exchanging_twice_is_as_before():
    state = training()
    step(state, 1)
    step(state, 2)
    before = {name: t.clone() for name, t in state.network.state_dict().items()}
    average = {name: t.clone() for name, t in state.average.weights.items()}
    state.average.swap()
    assert same(average, state.network.state_dict())
    state.average.swap()
    assert same(before, state.network.state_dict())


def test_what_goes_on_from_a_checkpoint_ends_bit_for_bit_the_same(tmp_path):
    whole, first = training(), training()
    for number in range(6):
        step(whole, number)
    for number in range(3):
        step(first, number)
    first.checked(0.5)
    first.save(tmp_path / "c.pt", "settings")
    second = training(seed=2)
    second.resume(tmp_path / "c.pt", "settings")
    assert (second.step, second.best_dsc, second.losses) == (3, 0.5, [0, 1, 2])
    assert same(first.best, second.best)
    for number in range(3, 6):
        step(second, number)
    assert same(whole.network.state_dict(), second.network.state_dict())
    assert same(whole.average.weights, second.average.weights)


def test_the_best_check_is_what_the_network_becomes():
    state = training()
    step(state, 1)
    state.checked(0.4)
    best = {name: t.clone() for name, t in state.average.weights.items()}
    step(state, 2)
    state.checked(0.3)
    assert (state.best_dsc, state.dsc, state.checks_since_best) == (0.4, 0.3, 1)
    state.finish()
    assert same(best, state.network.state_dict())


def test_without_checks_the_network_becomes_the_last_average():
    state = training()
    step(state, 1)
    last = {name: t.clone() for name, t in state.average.weights.items()}
    state.finish()
    assert same(last, state.network.state_dict())


def test_a_checkpoint_of_another_training_or_a_broken_one_is_refused(tmp_path):
    path = tmp_path / "m.training" / "c.pt"
    training().save(path, "one")
    with pytest.raises(UserError, match="other settings"):
        training().resume(path, "two")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        training().resume(path, "one")


def test_no_pickle_is_ever_run(tmp_path):
    """A checkpoint that holds more than tensors and numbers is not loaded."""

    class Evil:
        def __reduce__(self):
            return (exec, ("import pathlib; pathlib.Path('owned').touch()",))

    torch.save({"settings": "s", "network": Evil()}, tmp_path / "c.pt")
    with pytest.raises(UserError, match="cannot be read"):
        training().resume(tmp_path / "c.pt", "s")
