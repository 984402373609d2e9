import pytest
import torch

from tests import tiny
from uteroseg.model.spec import ModelSpec
from uteroseg.training.batch import make_batch
from uteroseg.training.data import load_training_data

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    dataset = tiny.cohorts(tmp_path_factory.mktemp("data") / "d")
    return load_training_data([(dataset, dataset.cases("cervical"), 1.0)], SPEC)


def test_seed_and_step_decide_the_batch_and_nothing_else_does(data):
    first = make_batch(data, SPEC, 8, seed=1, step=5)
    torch.rand(7)  # what was drawn before
    again = make_batch(data, SPEC, 8, seed=1, step=5)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)
    assert set(first.targets.unique().tolist()) == {0.0, 1.0}
    assert first.counts is None
    for seed, step in ((2, 5), (1, 6)):
        assert not torch.equal(first.images, make_batch(data, SPEC, 8, seed=seed, step=step).images)


def test_the_shares_of_all_processes_are_the_batch(data):
    whole = make_batch(data, SPEC, 9, seed=1, step=2)
    shares = [make_batch(data, SPEC, 9, seed=1, step=2, rank=rank, world=2) for rank in (0, 1)]
    assert [len(share.images) for share in shares] == [4, 5]
    assert torch.equal(torch.cat([share.images for share in shares]), whole.images)
    assert torch.equal(torch.cat([share.targets for share in shares]), whole.targets)


def test_the_network_gets_the_channels_that_its_spec_names(data):
    whole = make_batch(data, SPEC, 4, seed=1, step=1).images
    mean, std = SPEC.channel_mean[1:], SPEC.channel_std[1:]
    some = SPEC.model_copy(update={"channels": ("b1000", "adc"), "channel_mean": mean, "channel_std": std})
    two = make_batch(data, some, 4, seed=1, step=1).images
    assert torch.equal(two, whole[:, 1:])
    assert whole.is_contiguous(memory_format=torch.channels_last)
