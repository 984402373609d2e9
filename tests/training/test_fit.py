from dataclasses import replace

import pytest
import torch

from tests import tiny
from uteroseg.errors import UserError
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.training import fit as module
from uteroseg.training.data import load_training_data
from uteroseg.training.fit import CHECKPOINT, fit, make_fabric

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
RECIPE = Recipe(steps=4, batch_size=4, checks=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    dataset = tiny.cohorts(tmp_path_factory.mktemp("data") / "d")
    return load_training_data([(dataset, dataset.cases("cervical"), 1.0)], SPEC)


def run(data, folder, recipe=RECIPE, *, groups=("head",), **options):
    network = build_network(SPEC, seed=1)
    options = {"seed": 1, "settings": "s", "fabric": make_fabric(), **options}
    fitted = fit(network, SPEC, data, recipe, groups=groups, folder=folder, **options)
    return fitted, network.state_dict()


def same(first, second):
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_only_the_wanted_layers_change(data, tmp_path):
    before = build_network(SPEC, seed=1).state_dict()
    _, after = run(data, tmp_path, validate=lambda network: 0.5)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("segmentation_head")}


def test_the_best_check_is_kept(data, tmp_path):
    scores = iter([0.2, 0.9, 0.4, 0.3])
    seen = []

    def validate(network):
        assert not network.training
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return next(scores)

    fitted, after = run(data, tmp_path, validate=validate)
    assert (fitted.dsc, fitted.steps, len(seen)) == (0.9, 4, 4)
    assert same(seen[1], after)
    assert not same(seen[0], after)


def test_training_stops_when_nothing_gets_better(data, tmp_path):
    scores = iter([0.5, 0.4, 0.3, 0.6])
    fitted, _ = run(data, tmp_path, replace(RECIPE, patience=2), validate=lambda network: next(scores))
    assert (fitted.steps, fitted.dsc) == (3, 0.5)


def test_what_is_told_and_logged(data, tmp_path):
    told = []
    run(data, tmp_path, validate=lambda network: 0.5, on_progress=lambda *args: told.append(args))
    assert [args[:3] for args in told] == [("training steps", step, 4) for step in (1, 2, 3, 4)]
    assert "DSC 0.500" in told[-1][3]
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert all(row.endswith("0.5000") for row in rows[1:])


class Cut(Exception):
    pass


def test_a_training_that_is_cut_short_at_every_step_ends_bit_for_bit_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    validate = [lambda network: float(network.state_dict()["segmentation_head.0.bias"].abs().sum())]
    groups = ("stem", "aspp", "head")  # ASPP has dropout
    whole, weights = run(data, tmp_path / "whole", groups=groups, validate=validate[0])

    def cut(what, done, total, note):
        if done < total:
            raise Cut

    for _ in range(3):
        with pytest.raises(Cut):
            run(data, tmp_path / "cut", groups=groups, validate=validate[0], on_progress=cut)
        # The step that was cut off came before its checkpoint: let it be made.
        run_one_more(data, tmp_path / "cut", groups, validate[0])
    fitted, again = run(data, tmp_path / "cut", groups=groups, validate=validate[0])
    assert fitted == whole
    assert same(weights, again)


def run_one_more(data, folder, groups, validate):
    """Go on until the next checkpoint is written, then stop as a kill would."""
    seen = []

    def cut(what, done, total, note):
        seen.append(done)
        if len(seen) == 2 and done < total:
            raise Cut

    try:
        run(data, folder, groups=groups, validate=validate, on_progress=cut)
    except Cut:
        assert (folder / CHECKPOINT).is_file()


def test_a_batch_that_does_not_fit_says_which_would(data, tmp_path, monkeypatch):
    def crowded(fabric, model, optimiser, batch, recipe):
        if len(batch.images) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return torch.zeros(())

    monkeypatch.setattr(module, "_make_step", crowded)
    with pytest.raises(UserError, match="A batch of 8 slices does not fit") as error:
        run(data, tmp_path, replace(RECIPE, batch_size=8))
    assert "`batch_size` to 2" in error.value.fix


def test_impossible_recipes_are_refused():
    with pytest.raises(UserError, match="3 steps of 1 slices"):
        Recipe(steps=3, batch_size=1)


def test_the_rate_warms_up_and_falls_to_nothing():
    recipe = Recipe(steps=100)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] < 0.01


def test_checks_are_spread_over_the_steps_and_end_with_the_last():
    checks = [done for done in range(1, 108) if Recipe(steps=107, checks=10).is_check(done)]
    assert checks[-1] == 107
    assert 10 <= len(checks) <= 11
    assert [done for done in range(1, 4) if Recipe(steps=3, checks=10).is_check(done)] == [1, 2, 3]


def test_groups_without_weights_are_refused(data, tmp_path):
    with pytest.raises(UserError, match="Nothing can be trained in norm-statistics"):
        run(data, tmp_path, groups=("norm-statistics",))
