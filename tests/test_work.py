"""Items in other processes: their results, their errors and their end, and that of the processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.child import alive, begin, kill_at
from uteroseg.errors import UserError
from uteroseg.work import HERE, Failure, Item, Workers, in_order, tell

SCRIPT = """
import sys, time
from functools import partial
from pathlib import Path
from tests.test_work import note
from uteroseg.work import Item, Workers

with Workers(1) as workers:
    workers.begin(Item("one", partial(note, Path(sys.argv[1])))).result()
    workers.begin(Item("two", partial(time.sleep, 60)))
    print("working", flush=True)
    time.sleep(60)
"""

INTERRUPTED = """
import sys
from functools import partial
from pathlib import Path
from tests.test_work import note
from uteroseg.work import Item, in_order

items = [Item(str(number), partial(note, Path(sys.argv[1], str(number)), 0.2)) for number in range(50)]
for _ in in_order(items, workers=2):
    print("working", flush=True)
"""


def note(path: Path, seconds: float = 0) -> None:
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    time.sleep(seconds)


def fail() -> None:
    raise UserError("It is broken.", expected="a whole one.", fix="mend it.")


def die() -> None:
    print("no memory", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_and_note(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    note(path)


def nothing() -> None:
    pass


def wait(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def echo(text: str) -> str:
    print(text)
    subprocess.run([sys.executable, "-c", f"print({text!r}); input()"], check=False)
    return text


class NeedsMore(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def fail_with_what_cannot_cross() -> None:
    raise NeedsMore("one", "two")


def say(total: int) -> int:
    for done in range(total + 1):
        tell("steps", done, total)
    return total


def begun(directory: Path) -> None:
    (directory / str(os.getpid())).touch()


@pytest.fixture(scope="module")
def second():
    with Workers(1, prepare=nothing) as workers:
        yield workers


def made(workers: Workers, make):
    return workers.begin(Item("it", make)).result()


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_an_item_is_made_in_another_process_and_its_result_comes_back(second):
    assert made(second, os.getpid) not in (os.getpid(), None)


def test_an_error_is_a_failure_that_names_its_item_and_says_where(second):
    failure = second.begin(Item("the third case", fail)).result()
    assert isinstance(failure, Failure)
    assert (failure.name, failure.reason) == ("the third case", str(failure.error))
    assert "in fail" in failure.error.__notes__[0]
    with pytest.raises(UserError, match=r"It is broken. Expected: a whole one."):
        raise failure.error


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (fail_with_what_cannot_cross, "NeedsMore: onetwo"),
        (threading.Lock, "cannot pickle '_thread.lock'"),
        (lambda: 1, "pickle"),
    ],
    ids=["error", "result", "item"],
)
def test_what_cannot_be_pickled_is_a_failure_and_the_next_item_is_made(make, why, second):
    assert why in made(second, make).reason
    assert made(second, partial(wait, 0, 7)) == 7


def test_what_is_printed_is_no_answer_and_nobody_reads_what_is_asked(second):
    assert made(second, partial(echo, "hello")) == "hello"


def test_an_interrupt_is_left_to_the_parent(second, tmp_path):
    made(second, partial(interrupt_and_note, tmp_path / "pid"))
    assert (tmp_path / "pid").is_file()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_killed_process_fails_its_item_by_name_and_another_makes_the_next(tmp_path):
    with Workers(1, prepare=nothing) as workers:
        before = made(workers, os.getpid)
        os.kill(before, signal.SIGKILL)
        assert gone(before)
        assert made(workers, partial(wait, 0, 3)) == 3  # nobody is blamed for what died with nothing in hand
        one, two = (workers.begin(Item(name, make)) for name, make in (("one", die), ("two", os.getpid)))
        failure = one.result()
        assert (failure.name, failure.reason) == ("one", "Its process ended with code -9: no memory.")
        assert failure.error.found == "one was not finished. Its process ended with code -9: no memory."
        assert two.result() not in (before, os.getpid())


def test_a_process_prepares_itself_before_it_is_asked(tmp_path):
    with Workers(2, prepare=partial(begun, tmp_path)) as workers:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (tmp_path / str(made(workers, os.getpid))).is_file()


def test_without_a_process_an_item_is_made_at_once(tmp_path):
    outcome = HERE.begin(Item("it", partial(note, tmp_path / "pid")))
    assert (tmp_path / "pid").read_text() == str(os.getpid())
    assert outcome.result() is None
    assert made(HERE, fail).reason.startswith("It is broken.")


@pytest.mark.parametrize("executable", ["", "/nowhere/python", "/bin/false"])
def test_where_python_cannot_be_begun_again_it_is_here_or_a_failure(executable, monkeypatch):
    monkeypatch.setattr(sys, "executable", executable)
    found = [*in_order([Item(str(number), os.getpid) for number in range(3)], workers=2)]
    if executable:
        assert [one.name for one in found] == ["0", "1", "2"]
    else:
        assert found == [os.getpid()] * 3


def test_results_come_in_order_whoever_ends_first():
    items = [Item(str(number), partial(wait, 0.3 * (number == 0), number)) for number in range(9)]
    assert [*in_order(items, workers=2)] == [*range(9)]
    assert [*in_order(items, workers=1)] == [*range(9)]
    assert [*in_order([], workers=2)] == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_one_that_dies_costs_its_neighbours_nothing():
    items = [Item(str(number), die if number == 2 else partial(wait, 0, number)) for number in range(6)]
    found = [*in_order(items, workers=2)]
    assert [one.name if isinstance(one, Failure) else one for one in found] == [0, 1, "2", 3, 4, 5]


def test_few_are_made_ahead_and_who_stops_asking_waits_for_those_in_hand(tmp_path):
    items = [Item(str(number), partial(note, tmp_path / str(number))) for number in range(50)]
    results = in_order(items, workers=2)
    next(results)
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 6
    results.close()
    stopped = sorted(tmp_path.iterdir())
    assert all(path.read_text() for path in stopped)
    time.sleep(0.2)
    assert sorted(tmp_path.iterdir()) == stopped


@pytest.mark.parametrize("number", [0, 2])
def test_items_can_wait_for_others_and_tell_how_far_they_are(number, monkeypatch):
    monkeypatch.setattr("uteroseg.work._said", 0.0)
    told, ended, waiting = [], [], [Item("steps", partial(say, 3)), Item("last", partial(wait, 0, 1))]

    def next_item():
        if waiting and (waiting[0].name != "last" or "steps" in ended):
            return waiting.pop(0)
        return None

    with Workers(number) as workers:
        for item, outcome in workers.make(
            next_item, lambda item, *how_far: told.append((item.name, *how_far))
        ):
            ended.append(item.name)
            assert outcome == {"steps": 3, "last": 1}[item.name]
    assert ended == ["steps", "last"]
    assert told == [("steps", "steps", 0, 3, ""), ("steps", "steps", 3, 3, "")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_leaving_ends_the_processes_whatever_they_do(tmp_path):
    with Workers(1) as workers:
        long = workers.begin(Item("long", partial(note, tmp_path / "pid", 60)))
        waits = workers.begin(Item("waits", nothing))
        while not (tmp_path / "pid").is_file():
            time.sleep(0.02)
    assert gone(int((tmp_path / "pid").read_text()))
    assert long.result().name == "long"
    assert waits.cancelled()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_ctrl_c_is_told_once_when_the_items_in_hand_are_whole(tmp_path):
    process = begin(INTERRUPTED, tmp_path, start_new_session=True, stderr=subprocess.PIPE)
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count("Traceback"), "KeyboardInterrupt" in errors) == (-2, 1, True)
    assert {path.suffix for path in tmp_path.iterdir()} == {""}
    assert len(list(tmp_path.iterdir())) < 10
    assert all(gone(int(path.read_text())) for path in tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_process_ends_with_a_parent_that_is_killed(tmp_path):
    kill_at(begin(SCRIPT, tmp_path / "pid"), "working")
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_script_without_a_guard_runs_once_and_imports_no_multiprocessing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import json, os, sys\n"
        "from uteroseg.work import Item, in_order\n"
        "before = set(sys.modules)\n"
        "found = [*in_order([Item(str(n), os.getpid) for n in range(4)], workers=2)]\n"
        "print(json.dumps([len(set(found)), os.getpid() in found, sorted(before), sorted(sys.modules)]))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    processes, here, before, after = json.loads(ran.stdout)
    assert (processes in (1, 2), here, ran.stderr) == (True, False, "")
    assert not {"subprocess", "concurrent.futures", "tempfile"} & set(before)
    assert "multiprocessing" not in after
