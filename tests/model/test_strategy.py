import pytest

from uteroseg.errors import UserError
from uteroseg.model.strategy import STRATEGIES, strategy_named

LAYERS = ["all", "encoder-early", "encoder", "decoder", "head", "norm"]
NAMES = ["source", "scratch", "joint", *LAYERS, "replay", "interpolate", "default"]


def test_every_strategy_is_there_by_name():
    assert list(STRATEGIES) == NAMES
    assert strategy_named("joint").start == "beginning"
    assert {name for name in NAMES if strategy_named(name).needs_source_cases} == {
        "joint",
        "replay",
        "default",
    }
    assert not STRATEGIES[STRATEGIES["default"].without_source].needs_source_cases


def test_one_is_read_from_yaml(tmp_path):
    file = tmp_path / "careful.yaml"
    file.write_text("summary: the stem, slowly\ntrains: [stem, norm-affine]\nsource_share: 0.25\n")
    strategy = strategy_named(str(file))
    assert (strategy.name, strategy.trains, strategy.source_share) == (
        "careful",
        ("stem", "norm-affine"),
        0.25,
    )
    file.write_text("name: mine\nsource_share: pooled\nstart: beginning\n")
    assert strategy_named(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tains: [stem]", "tains: Extra inputs"),
        ("source_share: 1.5", "source_share"),
        ("start: middle", "start"),
        ("- a\n- b", "no strategy"),
        ("a: [", "no strategy"),
        ("interpolation: 0.5\nstart: beginning", "interpolation needs a model"),
        ("trains: []\nstart: beginning", "only the source model itself is left"),
        ("trains: []\nunannotated: {}", "only the source model itself is left"),
        ("unannotated: {share: 0}", "unannotated.share"),
        ("unannotated: {teacher: nobody}", "unannotated.teacher"),
        ("unannotated: {unsure: [0.6, 0.9]}", "unsure must lie around 0.5"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path, text, message):
    file = tmp_path / "s.yml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        strategy_named(str(file))


def test_unannotated_cases_teach_by_default_alone_and_others_are_written_as_before(tmp_path):
    assert [name for name in NAMES if STRATEGIES[name].unannotated] == ["default"]
    assert "unannotated" not in STRATEGIES["all"].model_dump()
    file = tmp_path / "s.yaml"
    file.write_text("unannotated: {teacher: redrawn, begins: 0.5}\n")
    strategy = strategy_named(str(file))
    assert (strategy.unannotated.share, strategy.unannotated.teacher) == (0.35, "redrawn")
    assert strategy.in_words == "every layer, 35 % unannotated cases"
    assert not strategy.tunes_layers_alone
    assert type(strategy).model_validate(strategy.model_dump(mode="json")) == strategy


def test_unknown_names_and_missing_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no strategy 'magic'"):
        strategy_named("magic")
    with pytest.raises(UserError, match="is no strategy"):
        strategy_named(str(tmp_path / "none.yaml"))
