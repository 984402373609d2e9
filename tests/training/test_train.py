import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.model.strategy import STRATEGIES, strategy_named
from uteroseg.network.deeplab import build_network
from uteroseg.network.layers import expand_groups, layer_groups
from uteroseg.training.cases import choose_cases
from uteroseg.training.train import adapt, train

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


def weights(folder):
    return load_file(folder / "weights.safetensors")


def test_the_same_seed_trains_to_the_same_weights_bit_for_bit(dataset, source, tmp_path):
    again = train(dataset, ["cervical"], tmp_path / "again", spec=SPEC, recipe=SHORT)
    other = train(dataset, ["cervical"], tmp_path / "other", spec=SPEC, recipe=SHORT, seed=2)
    first, second = weights(source), weights(tmp_path / "again")
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert again.id != other.id


def test_training_learns(dataset, tmp_path):
    card = train(dataset, ["cervical"], tmp_path / "m", spec=SPEC, recipe=Recipe(steps=40, batch_size=6))
    rows = (tmp_path / "m" / "training" / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert len(losses) == 4
    assert card.training.final_loss < 0.8 * losses[0]


def test_the_record_says_what_the_model_saw(dataset, source, tmp_path):
    card = adapt(
        dataset,
        "uterine",
        tmp_path / "m",
        cases=2,
        source=source,
        strategy=strategy_named("all"),
        recipe=SHORT,
        seed=4,
    )
    record = card.training
    assert record.cases == {"cervical": 3, "uterine": 2}
    assert (record.strategy, record.steps, record.batch_size, record.virtual) == ("all", 3, 4, True)
    assert (record.total_steps, record.seed, record.start_seed, record.imagenet) == (6, 4, 1, True)
    assert record.b_values == [0, 1000]
    assert record.seen["b_values"].quantiles[-1] == 1000
    assert record.seen["slice_mm"].quantiles == (5.0,) * 7
    assert 0.6 < record.seen["tumour_adc"].quantiles[3] < 1.0
    assert record.seen["snr"].studies == 2
    assert record.source_model is not None
    assert record.expected_dsc is None
    assert record.validation_dsc is None
    assert card.spec.plane == "sagittal"


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_makes_a_model(dataset, source, tmp_path, name):
    strategy = strategy_named(name)
    card = adapt(
        dataset,
        "uterine",
        tmp_path / "m",
        cases=2,
        source=source,
        strategy=strategy,
        source_cases=(dataset, "cervical"),
        recipe=SHORT,
    )
    assert card.training.strategy == name
    assert not list(tmp_path.glob("*.training"))
    before, after = weights(source), weights(tmp_path / "m")
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    if name == "source":
        assert not changed
        return
    network = build_network(SPEC, seed=0)
    groups = expand_groups(network, strategy.trains)
    assert changed
    assert all(_may_change(network, key, groups) for key in changed)


def _may_change(network, key, groups):
    module, _, leaf = key.rpartition(".")
    owner = network.get_submodule(module)
    norm = isinstance(owner, torch.nn.BatchNorm2d)
    if norm and leaf in ("weight", "bias") and "norm-affine" in groups:
        return True
    if norm and leaf not in ("weight", "bias") and "norm-statistics" in groups:
        return True
    return any(owner in modules for group, modules in layer_groups(network).items() if group in groups)


def test_joint_is_a_new_start_with_both_budgets(dataset, source, tmp_path):
    card = adapt(
        dataset,
        "uterine",
        tmp_path / "m",
        cases=2,
        source=source,
        strategy=strategy_named("joint"),
        source_cases=(dataset, "cervical"),
        recipe=SHORT,
        seed=9,
    )
    record = card.training
    assert (record.steps, record.total_steps, record.source_model) == (6, 6, None)
    assert record.cases == {"cervical": 3, "uterine": 2}
    assert (record.start_seed, record.seed) == (1, 9)


def test_training_on_both_cohorts_is_joint(dataset, tmp_path):
    card = train(dataset, ["cervical", "uterine"], tmp_path / "m", spec=SPEC, recipe=SHORT)
    assert card.training.strategy == "joint"
    assert card.training.cases == {"cervical": 3, "uterine": 3}


def test_interpolating_goes_half_of_the_way(dataset, source, tmp_path):
    for name in ("all", "interpolate"):
        adapt(
            dataset,
            "uterine",
            tmp_path / name,
            cases=2,
            source=source,
            strategy=strategy_named(name),
            recipe=SHORT,
        )
    start, whole, half = (weights(f) for f in (source, tmp_path / "all", tmp_path / "interpolate"))
    for key, tensor in half.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (start[key] + whole[key]) / 2)


def test_without_source_cases_default_falls_back_and_says_so(dataset, source, tmp_path):
    card = adapt(dataset, "uterine", tmp_path / "m", cases=2, source=source, recipe=SHORT)
    assert card.training.strategy == "default: interpolate"
    assert card.training.interpolation == 0.5


@pytest.mark.parametrize("name", ["joint", "replay"])
def test_a_strategy_that_needs_source_cases_says_so(dataset, source, tmp_path, name):
    with pytest.raises(UserError, match=f"{name}' trains on cases of the source model's cohort") as error:
        adapt(dataset, "uterine", tmp_path / "m", cases=2, source=source, strategy=strategy_named(name))
    assert "`source_cohort`" in error.value.fix
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cases", [0, 4])
def test_a_number_of_cases_that_is_not_there_is_refused(dataset, source, tmp_path, cases):
    with pytest.raises(UserError, match=f"{cases} uterine training cases were asked for and 3 of 3 are"):
        adapt(dataset, "uterine", tmp_path / "m", cases=cases, source=source, strategy=strategy_named("all"))
    assert not list(tmp_path.iterdir())


def test_a_taken_folder_is_refused_before_training(dataset, tmp_path):
    (tmp_path / "mine").write_text("x")
    told = []
    with pytest.raises(UserError, match="holds something already"):
        train(dataset, ["cervical"], tmp_path, spec=SPEC, on_progress=lambda *args: told.append(args))
    assert not told
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_cohort_without_any_mask_stops_before_training(source, tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    for seed in (1, 2):
        tiny.add(dataset, seed=seed, split="train", with_mask=False)
    with pytest.raises(UserError, match="0 of 2 cervical train cases are annotated"):
        train(dataset, ["cervical"], tmp_path / "m", spec=SPEC)
    with pytest.raises(UserError, match="0 of 2 cervical train cases are annotated"):
        adapt(dataset, "cervical", tmp_path / "m", cases=1, source=source)
    assert not (tmp_path / "m").exists()


def test_cases_without_a_mask_are_cases_and_training_takes_the_others(tmp_path):
    dataset = tiny.cohorts(tmp_path / "d")
    train(dataset, ["cervical"], tmp_path / "before", spec=SPEC, recipe=SHORT)
    tiny.add(dataset, seed=50, split="train", with_mask=False)
    card = train(dataset, ["cervical"], tmp_path / "after", spec=SPEC, recipe=SHORT)
    assert card.training.cases == {"cervical": 3}
    first, second = weights(tmp_path / "before"), weights(tmp_path / "after")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("number", [1, 2])
def test_default_is_taught_by_the_others_whether_they_have_masks_or_not(source, tmp_path, number):
    """In an experiment most have; what has it must be as good as deleted. Test patients never teach."""
    dataset = tiny.cohorts(tmp_path / "d", train=8)
    options = {"cases": number, "source": source, "source_cases": (dataset, "cervical"), "seed": 3}
    card = adapt(dataset, "uterine", tmp_path / "with", recipe=SHORT, **options)
    assert card.training.cases == {"cervical": 8, "uterine": number}
    assert (card.training.unannotated_cases, card.training.left_out) == (8 - number, {})
    shutil.rmtree(tmp_path / "d.cache")
    chosen = choose_cases(dataset, "uterine", number, seed=3)
    for case in set(dataset.cases("uterine")) - set(chosen):
        (dataset.root / case.annotation("nii.gz")).unlink()
        if dataset.participant(case).split == "test":
            (dataset.root / case.dwi("nii.gz")).write_bytes(b"never opened")
    again = adapt(dataset, "uterine", tmp_path / "without", recipe=SHORT, **options)
    assert again.training.data_fingerprint == card.training.data_fingerprint
    first, second = weights(tmp_path / "with"), weights(tmp_path / "without")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    plain = STRATEGIES["default"].model_copy(update={"unannotated": None})
    alone = adapt(dataset, "uterine", tmp_path / "alone", recipe=SHORT, strategy=plain, **options)
    assert (alone.training.unannotated_cases, alone.id != again.id) == (0, True)


def test_with_validation_the_masks_of_the_others_do_not_count_either(source, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d", train=30)
    chosen = choose_cases(dataset, "uterine", 27, seed=1)
    options = {"cases": 27, "source": source, "source_cases": (dataset, "cervical")}
    cards = []
    for name in ("with", "without"):
        cards.append(adapt(dataset, "uterine", tmp_path / name, recipe=SHORT, **options))
        for case in set(dataset.cases("uterine", "train")) - set(chosen):
            (dataset.root / case.annotation("nii.gz")).unlink(missing_ok=True)
    assert cards[0].id == cards[1].id
    assert cards[0].training.model_copy(update={"seconds": 0}) == cards[1].training.model_copy(
        update={"seconds": 0}
    )
    assert (cards[0].training.validation_cases, cards[0].training.unannotated_cases) == (5, 3)


def test_without_source_cases_default_is_still_taught(dataset, source, tmp_path):
    card = adapt(dataset, "uterine", tmp_path / "m", cases=2, source=source, recipe=SHORT)
    assert (card.training.strategy, card.training.unannotated_cases) == ("default: interpolate", 1)


def test_what_is_left_out_is_in_the_record(source, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d")
    other = tiny.add(
        dataset,
        "uterine",
        seed=50,
        split="train",
        with_mask=False,
        geometry=grid("axial", (6, 48, 48), (5, 4, 4)),
    )
    card = adapt(dataset, "uterine", tmp_path / "m", cases=3, source=source, recipe=SHORT)
    assert card.training.unannotated_cases == 0
    assert list(card.training.left_out) == [str(other)]
    assert card.spec.plane == "sagittal"


def test_a_model_of_another_plane_is_not_adapted(dataset, tmp_path):
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


def test_a_model_with_its_channels_in_another_order_is_not_adapted(dataset, source, tmp_path):
    import shutil

    broken = shutil.copytree(source, tmp_path / "broken")
    card = (broken / "model.json").read_text()
    turned = re.sub(r'"channels": \[[^]]*\]', '"channels": ["adc", "b0", "b1000"]', card)
    assert turned != card
    (broken / "model.json").write_text(turned)
    with pytest.raises(UserError, match="channels"):
        adapt(dataset, "uterine", tmp_path / "m", cases=1, source=broken, strategy=strategy_named("all"))


def test_another_command_does_not_go_on_from_this_ones_checkpoint(dataset, tmp_path, monkeypatch):
    from uteroseg.training import fit

    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def cut(what, done, total, note):
        if what == "training steps" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(dataset, ["cervical"], tmp_path / "m", spec=SPEC, recipe=SHORT, on_progress=cut)
    assert (tmp_path / "m.training" / "checkpoint.pt").is_file()
    with pytest.raises(UserError, match="other settings") as error:
        train(dataset, ["cervical"], tmp_path / "m", spec=SPEC, recipe=SHORT, seed=2)
    assert str(tmp_path / "m.training") in error.value.fix
    train(dataset, ["cervical"], tmp_path / "m", spec=SPEC, recipe=SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


def test_the_five_lines_of_the_readme_adapt_a_model(dataset, source, tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "adapt(" in block]
    assert len([line for line in code.splitlines() if line.strip()]) <= 7
    (tmp_path / "dataset").symlink_to(dataset.root)
    (tmp_path / "cervical-model").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uteroseg.training.train.ADAPT", SHORT)
    monkeypatch.setitem(adapt.__kwdefaults__, "recipe", SHORT)
    exec(code.replace("cases=13", "cases=2"), {})
    assert (tmp_path / "uterine-model" / "model.onnx").is_file()
