import json

import pytest

from tests import tiny
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.experiment.curve import CurveSettings, LearningCurve
from uteroseg.model.spec import ModelSpec
from uteroseg.report.page import write_report
from uteroseg.results.experiment import read_experiment
from uteroseg.training.fit import Recipe
from uteroseg.training.strategy import strategy_named

SETTINGS = CurveSettings(
    source_cohort="cervical",
    target_cohort="uterine",
    target_cases=(0, 2),
    strategy=strategy_named("encoder-early"),
    spec=ModelSpec(spacing_mm=4.0, matrix=(48, 48)),
    train_recipe=Recipe(steps=12, batch_size=6),
    adapt_recipe=Recipe(steps=4, batch_size=6),
    seed=1,
)


@pytest.fixture(scope="module")
def experiment(tiny_cohorts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    told = []
    curve = LearningCurve(tiny_cohorts, SETTINGS, folder, lambda *args: told.append(args))
    records = [curve.run(size) for size in (0, 2)]
    return folder, curve, records, told


def test_each_run_has_a_model_a_table_and_pictures(experiment):
    folder, curve, records, _ = experiment
    table = read_experiment(folder).cases
    assert len(table) == 2 * 4
    assert set(table["strategy"]) == {"source", "encoder-early"}
    assert dict(table.groupby("test_set")["cohort"].unique().map(list)) == {
        "source": ["cervical"],
        "target": ["uterine"],
    }
    assert records[1].training_cases == {"cervical": 3, "uterine": 2}
    for size, record in zip((0, 2), records, strict=True):
        run = curve.folder(size)
        assert {p.name for p in run.iterdir()} == {
            "model",
            "predictions",
            "overlays",
            "cases.csv",
            "run.json",
        }
        scores = [record.overlays[place].dsc for place in ("worst", "median", "best")]
        assert scores == sorted(scores)


def test_progress_is_told_to_the_end(experiment):
    *_, told = experiment
    assert ("training steps", 12, 12) in [call[:3] for call in told]
    assert ("test cases", 4, 4) in [call[:3] for call in told]


def test_the_report_is_written_from_the_folder_alone(experiment):
    page = write_report(experiment[0]).read_text("utf-8")
    assert "Virtual patients" in page
    assert page.count("data:image/png;base64,") == 3


def test_a_finished_run_is_not_made_again_and_a_killed_one_is(experiment, tiny_cohorts):
    folder, curve, records, _ = experiment
    before = (curve.folder(2) / "model" / "weights.safetensors").stat().st_mtime_ns
    told = []
    again = LearningCurve(tiny_cohorts, SETTINGS, folder, lambda *args: told.append(args))
    assert [again.run(size) for size in (0, 2)] == records
    assert not told
    assert (curve.folder(2) / "model" / "weights.safetensors").stat().st_mtime_ns == before
    cases = (curve.folder(2) / "cases.csv").read_bytes()
    (curve.folder(2) / "run.json").unlink()
    remade = again.run(2)
    assert told
    assert (curve.folder(2) / "cases.csv").read_bytes() == cases
    assert remade.overlays == records[1].overlays


def test_other_settings_or_data_are_other_runs(experiment, tiny_cohorts, tmp_path):
    from dataclasses import replace

    folder, curve, *_ = experiment
    other = LearningCurve(tiny_cohorts, replace(SETTINGS, seed=2), folder, print)
    assert {curve.folder(0), curve.folder(2)}.isdisjoint({other.folder(0), other.folder(2)})
    layers = LearningCurve(tiny_cohorts, replace(SETTINGS, strategy=strategy_named("all")), folder, print)
    assert layers.folder(0) == curve.folder(0)
    assert layers.folder(2) != curve.folder(2)
    data = LearningCurve(tiny.cohorts(tmp_path / "d", train=4), SETTINGS, folder, print)
    assert data.folder(0) != curve.folder(0)


def test_what_is_missing_is_said_before_training(tmp_path, tiny_cohorts):
    from dataclasses import replace

    with pytest.raises(UserError, match="9 uterine training cases were asked for and 3 are there"):
        LearningCurve(tiny_cohorts, replace(SETTINGS, target_cases=(0, 9)), tmp_path, print)
    with pytest.raises(UserError, match="no cohort 'ovarian'"):
        LearningCurve(tiny_cohorts, replace(SETTINGS, target_cohort="ovarian"), tmp_path, print)
    unsplit = Dataset.open_or_create(tmp_path / "d")
    tiny.add(unsplit)
    with pytest.raises(UserError, match="no test cases"):
        LearningCurve(unsplit, SETTINGS, tmp_path, print)


def test_run_json_is_plain(experiment):
    values = json.loads((experiment[1].folder(2) / "run.json").read_text())
    assert values["strategy"] == "encoder-early"
    assert values["virtual"] is True
