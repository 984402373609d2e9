import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.model.spec import ModelSpec
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import layer_groups
from uteroseg.training.fit import Recipe
from uteroseg.training.loss import dice_cross_entropy
from uteroseg.training.strategy import STRATEGIES, strategy_named
from uteroseg.training.train import adapt, choose_cases, train

SPEC = ModelSpec(spacing_mm=4.0, matrix=(48, 48))
SHORT = Recipe(steps=3, batch_size=4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny.cohorts(tmp_path_factory.mktemp("data") / "d")


@pytest.fixture(scope="module")
def source(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "source"
    train(dataset, ["cervical"], folder, spec=SPEC, recipe=SHORT)
    return folder


def test_the_same_seed_trains_to_the_same_weights_bit_for_bit(dataset, source, tmp_path):
    again = train(dataset, ["cervical"], tmp_path / "again", spec=SPEC, recipe=SHORT)
    other = train(dataset, ["cervical"], tmp_path / "other", spec=SPEC, recipe=SHORT, seed=2)
    first, second = (load_file(folder / "weights.safetensors") for folder in (source, tmp_path / "again"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert again.id != other.id


def test_training_learns(dataset, tmp_path):
    steps = []
    card = train(
        dataset,
        ["cervical"],
        tmp_path / "m",
        spec=SPEC,
        recipe=Recipe(steps=25, batch_size=6),
        on_step=lambda step, loss: steps.append((step, loss)),
    )
    assert [step for step, _ in steps] == list(range(1, 26))
    assert card.training.final_loss < 0.7 * steps[0][1]


def test_the_record_says_what_the_model_saw(dataset, source, tmp_path):
    card = adapt(
        dataset,
        "uterine",
        tmp_path / "m",
        cases=2,
        source=source,
        strategy=strategy_named("all"),
        recipe=SHORT,
    )
    record = card.training
    assert record.cases == {"cervical": 3, "uterine": 2}
    assert (record.strategy, record.steps, record.batch_size, record.virtual) == ("all", 3, 4, True)
    assert record.b_values == [0, 1000]
    assert record.source_model is not None
    assert card.spec.plane == "sagittal"


@pytest.mark.parametrize("name", STRATEGIES)
def test_adapting_changes_the_strategys_layers_and_no_other(dataset, source, tmp_path, name):
    strategy = strategy_named(name)
    adapt(dataset, "uterine", tmp_path / "m", cases=2, source=source, strategy=strategy, recipe=SHORT)
    before, after = (load_file(folder / "weights.safetensors") for folder in (source, tmp_path / "m"))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    network = build_network(SPEC, seed=0)
    names = {id(module): key for key, module in network.named_modules()}
    allowed = [
        f"{names[id(module)]}."
        for group, modules in layer_groups(network).items()
        if group in strategy.groups(network)
        for module in modules
    ]
    assert changed
    assert all(key.rpartition(".")[0] + "." in allowed for key in changed)


def test_fewer_cases_are_among_more(dataset):
    two, three = (set(choose_cases(dataset, "uterine", n, seed=5)) for n in (2, 3))
    assert len(two) == 2
    assert two < three


@pytest.mark.parametrize("cases", [0, 4])
def test_a_number_of_cases_that_is_not_there_is_refused(dataset, source, tmp_path, cases):
    with pytest.raises(UserError, match=f"{cases} uterine training cases were asked for and 3 are there"):
        adapt(dataset, "uterine", tmp_path / "m", cases=cases, source=source, strategy=strategy_named("all"))
    assert not (tmp_path / "m").exists()


def test_joint_training_takes_both_cohorts(dataset, tmp_path):
    card = train(dataset, ["cervical", "uterine"], tmp_path / "m", spec=SPEC, recipe=SHORT)
    assert card.training.strategy == "joint"
    assert card.training.cases == {"cervical": 3, "uterine": 3}


def test_a_taken_folder_is_refused_before_training(dataset, tmp_path):
    (tmp_path / "mine").write_text("x")
    steps = []
    with pytest.raises(UserError, match="holds something already"):
        train(dataset, ["cervical"], tmp_path, spec=SPEC, on_step=lambda *step: steps.append(step))
    assert not steps
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_case_without_a_mask_stops_before_training(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    tiny.add(dataset, split="train", with_mask=False)
    with pytest.raises(UserError, match="have no mask"):
        train(dataset, ["cervical"], tmp_path / "m", spec=SPEC)
    assert not (tmp_path / "m").exists()


def test_a_model_of_another_plane_is_not_adapted(dataset, tmp_path):
    from tests.grids import grid

    axial = Dataset.open_or_create(tmp_path / "d")
    tiny.add(axial, split="train", geometry=grid("axial", (6, 48, 48), (5, 4, 4)))
    train(axial, ["cervical"], tmp_path / "axial", spec=SPEC, recipe=SHORT)
    with pytest.raises(UserError, match="cases are sagittal and the model"):
        adapt(
            dataset,
            "uterine",
            tmp_path / "m",
            cases=1,
            source=tmp_path / "axial",
            strategy=strategy_named("all"),
            recipe=SHORT,
        )


def test_unknown_strategies_and_impossible_recipes_are_refused():
    with pytest.raises(UserError, match="no strategy 'magic'"):
        strategy_named("magic")
    with pytest.raises(UserError, match="3 steps of 1 slices"):
        Recipe(steps=3, batch_size=1)


def test_the_rate_warms_up_and_falls_to_nothing():
    recipe = Recipe(steps=100)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] < 0.01


def test_the_loss_is_small_when_right_and_moves_without_tumour():
    target = torch.zeros(2, 1, 8, 8)
    target[:, :, 2:5, 2:5] = 1
    right, wrong = (20 * (2 * target - 1), 20 * (1 - 2 * target))
    assert dice_cross_entropy(right, target) < 0.01 < 1 < dice_cross_entropy(wrong, target)
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    dice_cross_entropy(logits, torch.zeros_like(target)).backward()
    assert (logits.grad > 0).all()
