import pytest
import torch
from torch import nn

from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.model.strategy import Unannotated
from uteroseg.network.deeplab import build_network
from uteroseg.training import fit as module
from uteroseg.training.batch import make_batch, normalised
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import fit, make_fabric
from uteroseg.training.state import Average
from uteroseg.training.teacher import Teacher

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
FAIR = 0.01
"""The labelled cases' share of tumour, where there are none."""


class Says(nn.Module):
    """A network that says the same of every pixel."""

    def __init__(self, logit=0.0):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(float(logit)))

    def forward(self, images):
        return images[:, :1] * 0 + self.logit


class Sees(nn.Module):
    """A network that says what its input says."""

    def forward(self, images):
        return images[:, :1]


def teacher(network, how=None, *, steps=10, tumour_share=FAIR):
    return Teacher(
        network, how or Unannotated(), steps=steps, tumour_share=tumour_share, fabric=make_fabric()
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny.cohorts(tmp_path_factory.mktemp("data") / "d", train=8)


@pytest.fixture(scope="module")
def data(dataset):
    cases = dataset.cases("uterine", "train")
    return load_training_data([(dataset, cases[:2], 1.0)], SPEC, unannotated=(dataset, cases[2:], 0.35))


@pytest.mark.parametrize(
    ("kind", "taught", "weights"),
    [
        ("average", range(4, 10), range(4, 10)),
        ("drawn", range(4, 10), [4] * 6),
        ("redrawn", range(4, 10), [4, 4, 4, 7, 7, 7]),
    ],
)
def test_when_it_teaches_and_whose_weights_it_has(kind, taught, weights):
    network = Says()
    average = Average(network, 0.9)
    one = teacher(network, Unannotated(teacher=kind, begins=0.4))
    seen = {}
    for step in range(10):
        average.weights["logit"].fill_(step)
        if one.teaches(step, average):
            seen[step] = float(torch.logit(one.probability(torch.zeros(1, 3, 2, 2)).double())[0, 0, 0, 0])
    assert list(seen) == list(taught)
    assert list(seen.values()) == pytest.approx(list(weights), abs=0.05)
    assert float(network.logit.detach()) == 0


def test_what_it_is_unsure_of_does_not_count():
    one = teacher(Sees(), Unannotated(unsure=(0.3, 0.7)), tumour_share=0.4)
    values = torch.tensor([0.01, 0.3, 0.31, 0.5, 0.69, 0.71, 0.99]).view(1, 1, 1, 7)
    one.probability(torch.logit(values))
    assert one.counts(values).flatten().tolist() == [1, 1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("share", "counts"),
    [(0.0, False), (0.002, False), (0.003, True), (0.039, True), (0.041, False), (1.0, False)],
)
def test_far_less_or_far_more_than_the_labelled_have_counts_for_nothing(share, counts):
    one = teacher(Sees())
    images = torch.full((1, 1, 100, 100), -5.0)
    images.view(-1)[: round(share * 10_000)] = 5
    assert one.counts(one.probability(images)).bool().all() == counts


def test_it_is_trusted_again_when_it_finds_what_it_should():
    one = teacher(Sees())
    nothing, fair = torch.full((1, 1, 100, 100), -5.0), torch.full((1, 1, 100, 100), -5.0)
    fair.view(-1)[:100] = 5
    one.probability(nothing)
    trusted = [bool(one.counts(one.probability(fair)).any()) for _ in range(6)]
    assert trusted == sorted(trusted)
    assert (trusted[0], trusted[-1]) == (False, True)


def test_a_batch_holds_the_teachers_masks_for_its_last_slices(data):
    network = build_network(SPEC, seed=1)

    def batch(**options):
        one = teacher(network, tumour_share=data.tumour_share)
        return make_batch(data, SPEC, 8, seed=1, step=3, teacher=one, **options)

    plain, taught, again = make_batch(data, SPEC, 8, seed=1, step=3), batch(), batch()
    assert plain.counts is None
    assert taught.images.shape == plain.images.shape
    assert (taught.counts[:5] == 1).all()
    for name in ("images", "targets", "counts"):
        assert torch.equal(getattr(taught, name), getattr(again, name))
    shares = [batch(rank=rank, world=2) for rank in (0, 1)]
    assert torch.equal(torch.cat([share.counts for share in shares]), taught.counts)
    assert torch.equal(torch.cat([share.targets for share in shares]), taught.targets)


def run(data, folder, recipe, how, *, network=None, groups=("all",), **options):
    network = network or build_network(SPEC, seed=1)
    options = {"seed": 1, "settings": "s", "fabric": make_fabric(), "unannotated": how, **options}
    fitted = fit(network, SPEC, data, recipe, groups=groups, folder=folder, **options)
    return fitted, network


def same(first, second):
    return all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


class Cut(Exception):
    pass


@pytest.mark.parametrize("kind", ["average", "drawn", "redrawn"])
def test_cut_short_at_every_step_it_ends_bit_for_bit_the_same(data, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    recipe, how = Recipe(steps=6, batch_size=6), Unannotated(teacher=kind, begins=0.3, unsure=(0.5, 0.5))
    whole, network = run(data, tmp_path / "whole", recipe, how)
    for _ in range(8):
        calls = []

        def cut(what, done, total, note, calls=calls):
            calls.append(done)
            if len(calls) == 2:  # the step after one whose checkpoint was written
                raise Cut

        try:
            fitted, again = run(data, tmp_path / "cut", recipe, how, on_progress=cut)
            break
        except Cut:
            pass
    assert fitted == whole
    assert same(network, again)


def test_without_unannotated_cases_it_is_as_without_the_setting(dataset, tmp_path):
    data = load_training_data([(dataset, dataset.cases("uterine", "train")[:2], 1.0)], SPEC)
    recipe = Recipe(steps=3, batch_size=4)
    _, plain = run(data, tmp_path / "a", recipe, None)
    _, asked = run(data, tmp_path / "b", recipe, Unannotated(begins=0))
    assert same(plain, asked)


def found(network, data):
    """The share of the labelled cases' pixels that a network finds tumour in."""
    with torch.no_grad():
        images = normalised(data.slices[: len(data.pools[0].slices), :3].float(), SPEC)
        return float((network.eval()(images) >= 0).float().mean())


@pytest.mark.parametrize("logit", [-6.0, 6.0])
def test_a_teacher_that_finds_nothing_or_everything_does_not_run_away_with_the_network(data, tmp_path, logit):
    network = build_network(SPEC, seed=1, imagenet=True)
    with torch.no_grad():
        network.segmentation_head[0].weight.mul_(0.1)
        network.segmentation_head[0].bias.fill_(logit)
    assert found(network, data) in (0.0, 1.0)
    recipe = Recipe(steps=60, batch_size=8, learning_rate=1e-2, ema=0.9)
    _, network = run(data, tmp_path, recipe, Unannotated(begins=0), network=network)
    assert data.tumour_share / 3 < found(network, data) < data.tumour_share * 3


def test_cases_without_any_tumour_do_not_either(dataset, tmp_path):
    bare = Dataset.open_or_create(tmp_path / "bare")
    for seed in range(6):
        tiny.add(bare, seed=seed, with_tumour=False, with_mask=False)
    cases = dataset.cases("uterine", "train")[:2]
    data = load_training_data([(dataset, cases, 1.0)], SPEC, unannotated=(bare, bare.cases(), 0.5))
    network = build_network(SPEC, seed=1, imagenet=True)
    recipe = Recipe(steps=60, batch_size=8, learning_rate=4e-3, ema=0.9)
    _, network = run(data, tmp_path / "m", recipe, Unannotated(share=0.5, begins=0), network=network)
    assert data.tumour_share / 3 < found(network, data) < data.tumour_share * 3
