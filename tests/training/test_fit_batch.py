import pytest
import torch

from tests import tiny
from uteroseg.model.spec import ModelSpec
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import make_batch

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    dataset = tiny.cohorts(tmp_path_factory.mktemp("data") / "d")
    return load_training_data([(dataset, dataset.cases("cervical"), 1.0)], SPEC)


def test_seed_and_step_decide_the_batch_and_nothing_else_does(data):
    first = make_batch(data, SPEC, 8, seed=1, step=5)
    torch.rand(7)  # what was drawn before
    again = make_batch(data, SPEC, 8, seed=1, step=5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for seed, step in ((2, 5), (1, 6)):
        assert not torch.equal(first[0], make_batch(data, SPEC, 8, seed=seed, step=step)[0])


def test_the_shares_of_all_processes_are_the_batch(data):
    whole = make_batch(data, SPEC, 9, seed=1, step=2)
    shares = [make_batch(data, SPEC, 9, seed=1, step=2, rank=rank, world=2) for rank in (0, 1)]
    assert [len(images) for images, _ in shares] == [4, 5]
    for i in (0, 1):
        assert torch.equal(torch.cat([share[i] for share in shares]), whole[i])


def test_the_network_gets_the_channels_that_its_spec_names(data):
    whole, _ = make_batch(data, SPEC, 4, seed=1, step=1)
    mean, std = SPEC.channel_mean[1:], SPEC.channel_std[1:]
    some = SPEC.model_copy(update={"channels": ("b1000", "adc"), "channel_mean": mean, "channel_std": std})
    two, _ = make_batch(data, some, 4, seed=1, step=1)
    assert torch.equal(two, whole[:, 1:])
    assert whole.is_contiguous(memory_format=torch.channels_last)
