import pytest

from tests.experiment.small import config as small
from uteroseg.errors import UserError
from uteroseg.experiment.config import (
    SHIPPED,
    ExperimentConfig,
    Simulate,
    differences,
    load_config,
    save_config,
)
from uteroseg.experiment.plan import make_plan, resolve_sizes

TEXT = """\
source:
  cohort: cervical
  dataset: data
target:
  cohort: uterine
  simulate: {train: 20, test: 5}
sizes: [0, 5, 50%]
strategies:
  - head
  - {name: early, trains: [stem]}
  - own.yaml
budget:
  adapt_steps: 7
"""


def load(folder, text=TEXT):
    (folder / "own.yaml").write_text("trains: [decoder]\nsource_share: 0.25\n")
    (folder / "e.yaml").write_text(text)
    return load_config(str(folder / "e.yaml"))


def test_names_mappings_and_files_are_strategies_and_paths_are_beside_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    config = load(tmp_path)
    assert [s.name for s in config.strategies] == ["head", "early", "own"]
    assert config.strategies[2].source_share == 0.25
    assert config.source.dataset == tmp_path / "data"
    assert config.budget.adapt.steps == 7
    assert config.budget.source.steps == 400


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("head", "haed", r"line 9: strategies.0: There is no strategy 'haed'"),
        ("stem]", "stem], start: nowhere", r"line 10: strategies.1.start"),
        ("own.yaml", "other.yaml", r"line 11: strategies.2: .*other.yaml is no strategy"),
        ("- head", "- source", r"line 8: strategies: the source model is always there"),
        (
            "- head",
            "- {name: early, trains: [head]}",
            "line 8: strategies: two strategies have the same name",
        ),
        ("50%", "150%", r"line 7: sizes.2: '150%'"),
        ("50%", "0.5", r"line 7: sizes.2: 0.5 is neither"),
        ("50%", "-1", r"line 7: sizes.2: -1 is neither"),
        ("adapt_steps: 7", "adapt_steps: 0", r"line 13: budget.adapt_steps"),
        ("adapt_steps: 7", "steps: 7", r"line 13: budget.steps: there is no such setting"),
        ("  dataset: data\n", "", r"line 1: source: a cohort has either"),
        ("uterine", "ovarian", r"line 4: target: virtual patients are cervical or uterine"),
        ("test: 5", "test: 5, scanner: toshiba", r"line 6: target.simulate: .*toshiba"),
        ("test: 5", "test: 5, slices: 500", r"line 6: target.simulate: The number of slices is 500"),
        ("sizes: [0, 5, 50%]\n", "", r"line 1: sizes: this setting is missing"),
    ],
)
def test_an_error_names_its_line(tmp_path, old, new, named):
    assert old in TEXT
    with pytest.raises(UserError, match=named):
        load(tmp_path, TEXT.replace(old, new, 1))


def test_an_unknown_name_is_told_those_that_there_are():
    with pytest.raises(UserError, match="calibration, development, paper, quick, reduced"):
        load_config("papers")


def test_what_was_saved_is_the_same_experiment(tmp_path):
    config = load(tmp_path)
    (tmp_path / "out").mkdir()
    save_config(config, tmp_path / "out" / "experiment.yaml")
    text = (tmp_path / "out" / "experiment.yaml").read_text()
    assert str(tmp_path) not in text
    again = load_config(str(tmp_path / "out" / "experiment.yaml"))
    assert differences(config, again) == []
    assert again.source.dataset.resolve() == config.source.dataset.resolve()


def test_differences_are_named_and_where_a_dataset_lies_is_none(tmp_path):
    old, new = small(tmp_path), small(tmp_path / "moved", seeds=(1, 2), budget={"adapt_steps": 9})
    assert "seeds was [1], is [1, 2]" in differences(old, new)
    assert "budget.adapt_steps was 4, is 9" in differences(old, new)
    assert not any("dataset" in difference for difference in differences(old, new))


def test_the_papers_experiment_has_its_patients_and_sizes():
    for name in ("paper", "reduced", "calibration"):
        config = load_config(name)
        patients = [(c.simulate.train, c.simulate.test) for c in (config.source, config.target)]
        assert patients == [(144, 25), (256, 64)]
        sizes = (256,) if name == "calibration" else (5, 13, 26, 51, 128, 256)
        assert resolve_sizes(config, 256) == sizes
        assert len(config.seeds) == 3
    assert {s.name for s in load_config("paper").strategies} >= {"all", "joint", "scratch", "default", "norm"}
    assert set(SHIPPED) == {"calibration", "development", "paper", "quick", "reduced"}


def test_the_patients_that_were_calibrated_on_are_no_others():
    seeds = {name: load_config(name).source.simulate.seed for name in SHIPPED}
    assert {name for name, seed in seeds.items() if seed == seeds["calibration"]} == {"calibration", "development"}


def slices(name):
    """Slices that an experiment trains on, as if every layer trained."""
    config: ExperimentConfig = load_config(name)
    plan = make_plan(config, patients=config.target.simulate.train, fingerprints={})
    return sum(run.steps for run in plan) * config.budget.batch_size, len(plan)


def test_the_shipped_files_take_as_many_slices_as_they_say():
    assert slices("reduced") == (151_200, 93)
    assert slices("quick") == (4680, 5)
    assert slices("paper")[0] == 3 * 65_600 * 16


def test_an_acquisition_is_the_scanners_but_for_what_is_given():
    acquisition = Simulate(train=1, test=1, scanner="ge-signa-1.5t", matrix=(96, 96)).acquisition
    assert acquisition.matrix == (96, 96)
    assert acquisition.field_t == 1.5
