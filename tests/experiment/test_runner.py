import errno
import json
import os
import shutil
import sys
from functools import partial

import pytest

from tests.experiment.small import config, die_or_fail, threads
from uteroseg.errors import UserError
from uteroseg.experiment import runner
from uteroseg.experiment.records import read_run
from uteroseg.experiment.results import read_experiment
from uteroseg.experiment.runner import run_experiment
from uteroseg.experiment.tasks import SINGLE_THREADED, Failure, Task, make_run
from uteroseg.experiment.worker import Performer
from uteroseg.model.strategy import STRATEGIES, Strategy
from uteroseg.work import Item, Workers


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[1], tmp_path / "copy")


@pytest.fixture
def in_process(monkeypatch):
    """Make runs in this process, as on a GPU; what was made, by name."""
    made = []

    def make(config, directory, task):
        made.append(f"{'model of ' if task.only_model else ''}{task.planned}")
        return make_run(config, directory, task)

    monkeypatch.setattr(runner, "has_gpu", lambda: True)
    monkeypatch.setattr(runner, "make_run", make)
    return made


def test_every_run_is_made_and_leaves_two_files_and_pictures(finished):
    _, folder, outcome, (told, lines) = finished
    assert (outcome.made, outcome.remaining, outcome.failures) == (3, 0, [])
    assert len(lines) == 3
    assert "(3 of 3)" in lines[-1]
    assert told[-1][1:3] == (16, 16)
    assert told[-1][3].startswith("3/3 runs") or "3 of 3 runs" in told[-1][3]
    experiment = read_experiment(folder)
    assert [(r.record.strategy, r.record.target_cases) for r in experiment.runs] == [
        ("source", 0),
        ("all", 2),
        ("head", 2),
    ]
    assert len(experiment.cases) == 3 * 4
    for run in experiment.runs:
        assert {p.name for p in run.folder.iterdir()} == {"cases.csv", "run.json", "overlays"}
        assert run.record.training_cases["cervical"] == 3
        assert run.record.steps == (8 if run.record.strategy == "source" else 4)
        assert set(run.record.seconds) == {"train", "evaluate"}


def test_a_finished_experiment_is_left_as_it_is(finished, copy, in_process):
    before = {p: p.stat().st_mtime_ns for p in copy.glob("runs/*/*")}
    outcome = run_experiment(finished[0], copy)
    assert (outcome.made, outcome.remaining, in_process) == (0, 0, [])
    assert {p: p.stat().st_mtime_ns for p in copy.glob("runs/*/*")} == before


def test_a_missing_run_needs_its_source_model_again_and_comes_out_the_same(finished, copy, in_process):
    lost = finished[2].planned[1]
    table = (lost.folder(copy) / "cases.csv").read_bytes()
    shutil.rmtree(lost.folder(copy))
    outcome = run_experiment(finished[0], copy)
    assert in_process == ["model of source model, seed 1", "all, 2 cases, seed 1"]
    assert outcome.made == 1
    assert (lost.folder(copy) / "cases.csv").read_bytes() == table
    assert not list(copy.glob("runs/*/model"))
    assert not list(copy.glob("runs/*/predictions"))


def test_models_stay_where_they_are_to_be_kept(tiny_cohorts, tmp_path, in_process):
    settings = config(tiny_cohorts.root, keep_models=True, strategies=(STRATEGIES["head"],))
    run_experiment(settings, tmp_path)
    assert len(list(tmp_path.glob("runs/*/model/model.onnx"))) == 2
    assert len(list(tmp_path.glob("runs/*/predictions/target/*.nii.gz"))) == 2 * 2


def test_a_changed_experiment_is_refused_and_the_change_named(finished, copy, tiny_cohorts):
    changed = config(tiny_cohorts.root, seeds=(1, 2))
    with pytest.raises(UserError, match=r"other settings: seeds was \[1\], is \[1, 2\]"):
        run_experiment(changed, copy)
    (copy / "experiment.yaml").unlink()
    with pytest.raises(UserError, match="not of this experiment"):
        run_experiment(config(tiny_cohorts.root, matrix=(64, 64)), copy)
    for run in finished[2].planned:
        assert run.is_finished(copy)


def test_a_failed_run_is_recorded_and_the_others_go_on(tiny_cohorts, tmp_path, in_process):
    impossible = Strategy(name="impossible", trains=("no-such-layers",))
    settings = config(tiny_cohorts.root, strategies=(impossible, STRATEGIES["head"]))
    lines = []
    outcome = run_experiment(settings, tmp_path, on_run=lines.append)
    assert (outcome.made, outcome.remaining) == (2, 1)
    assert [failure.title for failure in outcome.failures] == ["impossible, 2 cases, seed 1"]
    (error,) = tmp_path.glob("runs/*/error.json")
    assert "no-such-layers" in json.loads(error.read_text())["error"]
    assert any(line.startswith("FAILED impossible") for line in lines)
    assert len(list(tmp_path.glob("runs/*/model"))) == 1  # the source model is still needed
    outcome = run_experiment(settings, tmp_path)
    assert (outcome.made, len(outcome.failures)) == (0, 1)
    assert in_process[3:] == ["impossible, 2 cases, seed 1"]


def test_without_the_source_model_nothing_is_adapted(tiny_cohorts, tmp_path, in_process, monkeypatch):
    def broken(self, task):
        return Failure(run=task.planned.run, title=str(task.planned), error="broken")

    monkeypatch.setattr(Performer, "attempt", broken)
    outcome = run_experiment(config(tiny_cohorts.root, seeds=(1, 2)), tmp_path)
    assert in_process == ["source model, seed 1", "source model, seed 2"]
    assert (len(outcome.failures), outcome.remaining) == (2, 6)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_a_run_whose_process_dies_fails_with_its_last_words_and_the_next_is_made(
    tiny_cohorts, tmp_path, monkeypatch
):
    monkeypatch.setattr(runner, "make_run", die_or_fail)
    outcome = run_experiment(config(tiny_cohorts.root, seeds=(1, 2)), tmp_path, workers=1)
    died, failed = outcome.failures
    assert (died.title, died.error) == (
        "source model, seed 1",
        "Its process ended with code -9: no memory.",
    )
    assert (failed.title, failed.error.split(" in ")[0]) == ("source model, seed 2", "broken")
    assert failed.error.split(" in ")[1] != str(os.getpid())
    assert len(list(tmp_path.glob("runs/*/error.json"))) == 2


def test_a_process_has_one_thread_and_a_run_that_cannot_begin_says_why(finished, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    make = partial(make_run, config(tmp_path / "nowhere"), tmp_path, Task(planned=finished[2].planned[0]))
    with Workers(1, environment=SINGLE_THREADED) as workers:
        assert workers.begin(Item("threads", threads)).result() == 1
        failure = workers.begin(Item("source model, seed 1", make)).result()
    assert failure.name == "source model, seed 1"
    assert "is not a dataset" in failure.reason


def test_a_full_disk_ends_it_and_finished_runs_stay(finished, copy, in_process, monkeypatch):
    lost = finished[2].planned[1]
    shutil.rmtree(lost.folder(copy))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("uteroseg.experiment.worker.write_cases", full)
    with pytest.raises(UserError, match="disk is full"):
        run_experiment(finished[0], copy)
    assert finished[2].planned[2].is_finished(copy)
    monkeypatch.undo()
    assert not lost.is_finished(copy)


def test_a_run_that_would_not_end_in_time_is_not_begun(finished, copy, in_process):
    lost = finished[2].planned[1]
    for name, seconds in ((finished[2].planned[2].run, 300.0),):
        path = copy / "runs" / name / "run.json"
        record = read_run(path)
        path.write_text(
            record.model_copy(update={"seconds": {"train": seconds, "evaluate": 1.0}}).model_dump_json()
        )
    shutil.rmtree(lost.folder(copy))
    outcome = run_experiment(finished[0], copy, limit_minutes=3)
    assert (in_process, outcome.made, outcome.remaining) == ([], 0, 1)
    outcome = run_experiment(finished[0], copy, limit_minutes=30)
    assert (outcome.made, outcome.remaining) == (1, 0)


def test_nothing_is_written_before_the_settings_are_checked(tiny_cohorts, tmp_path):
    with pytest.raises(UserError, match="9 uterine cases are asked for"):
        run_experiment(config(tiny_cohorts.root, sizes=(0, 9)), tmp_path / "x")
    assert not (tmp_path / "x").exists()
