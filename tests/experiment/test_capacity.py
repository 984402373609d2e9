import pytest

from tests.experiment.small import config
from uteroseg.experiment import capacity
from uteroseg.experiment.capacity import Pace, default_workers
from uteroseg.experiment.cohorts import open_cohorts
from uteroseg.experiment.results import read_experiment


@pytest.mark.parametrize(("free", "expected"), [(None, 8), (1e12, 8), (3e9, 2), (1e6, 1)])
def test_there_are_as_many_processes_as_cores_and_memory_allow(
    tiny_cohorts, tmp_path, monkeypatch, free, expected
):
    monkeypatch.setattr(capacity, "_free_bytes", lambda: free)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    settings = config(tiny_cohorts.root)
    assert default_workers(settings, open_cohorts(settings, tmp_path)) == expected


def test_the_pace_is_that_of_the_same_strategy_else_the_slowest(finished):
    _, folder, outcome, _ = finished
    source, adapted, other = outcome.planned
    records = [
        run.record.model_copy(update={"seconds": {"train": run.record.steps * pace, "evaluate": 10.0}})
        for run, pace in zip(read_experiment(folder).runs, (1.0, 2.0, 3.0), strict=True)
    ]
    pace = Pace(records[0].machine)
    assert pace.seconds(adapted) == 0
    pace.learn(records[0])
    assert pace.seconds(source) == pytest.approx(8 + 10 + 5)
    assert pace.seconds(adapted) == pytest.approx(4 + 10 + 5)
    for record in records[1:]:
        pace.learn(record)
    assert pace.seconds(adapted) == pytest.approx(8 + 10 + 5)
    assert pace.seconds(other) == pytest.approx(12 + 10 + 5)
    elsewhere = Pace("another machine")
    elsewhere.learn(records[0])
    assert elsewhere.seconds(source) == 0
