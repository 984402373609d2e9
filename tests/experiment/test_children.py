from queue import SimpleQueue

from tests.experiment.small import config
from uteroseg.experiment.children import Child
from uteroseg.experiment.tasks import Task


def test_a_child_that_dies_is_a_failure_with_its_last_words(finished, tmp_path):
    events = SimpleQueue()
    child = Child(config(tmp_path / "nowhere"), tmp_path, events)
    child.start(Task(planned=finished[2].planned[0]))
    maker, event = events.get(timeout=60)
    assert maker is child
    assert event["failed"]["title"] == "source model, seed 1"
    assert "ended with code 1" in event["failed"]["error"]
    assert "is not a dataset" in event["failed"]["error"]
    child.stop()
