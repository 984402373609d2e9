import shutil

import pytest

from tests.experiment.small import config
from uteroseg.experiment.tasks import Task
from uteroseg.experiment.worker import Performer
from uteroseg.training.fit import CHECKPOINT


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[1], tmp_path / "copy")


def test_what_a_killed_run_left_behind_does_not_matter(finished, copy, tiny_cohorts):
    settings, _, outcome, _ = finished
    source = outcome.planned[0]
    folder = source.folder(copy)
    table = (folder / "cases.csv").read_bytes()
    for name in ("run.json", "cases.csv"):
        (folder / name).unlink()
    for left in (".model.abcd", "predictions/source", "model"):
        (folder / left).mkdir(parents=True)
        (folder / left / "half").write_text("half")
    (folder / ".cases.csv.1234").write_text("half")
    (folder / "model.training").mkdir()
    (folder / "model.training" / CHECKPOINT).write_bytes(b"broken")
    told = []
    performer = Performer(settings, copy, lambda *progress: told.append(progress))
    assert performer.attempt(Task(planned=source)) is None
    assert (folder / "cases.csv").read_bytes() == table
    assert {p.name for p in folder.iterdir()} == {"model", "cases.csv", "run.json", "overlays"}
    assert ("training steps", 8, 8) in [call[:3] for call in told]
    assert ("test cases", 4, 4) in [call[:3] for call in told]
    # with the model there, it is evaluated and not trained
    (folder / "run.json").unlink()
    told.clear()
    assert performer.attempt(Task(planned=source)) is None
    assert not any(call[0] == "training steps" for call in told)
    assert (folder / "cases.csv").read_bytes() == table


def test_whatever_goes_wrong_is_a_failure_that_says_so(finished, copy, monkeypatch, tiny_cohorts):
    _, _, outcome, _ = finished
    performer = Performer(config(tiny_cohorts.root), copy, print)

    def attempt(error):
        monkeypatch.setattr(performer, "perform", lambda task: (_ for _ in ()).throw(error))
        return performer.attempt(Task(planned=outcome.planned[1]))

    assert attempt(ZeroDivisionError("nought")).error == "ZeroDivisionError: nought"
    assert "nought" in attempt(ZeroDivisionError("nought")).traceback
    assert not attempt(PermissionError(13, "no")).disk_full
    assert attempt(OSError(28, "full")).disk_full
