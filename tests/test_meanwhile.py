"""A job in a second process: its errors and its end, and that of the process."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.child import alive, begin, kill_at
from uteroseg.errors import UserError
from uteroseg.meanwhile import afterwards, second_process

SCRIPT = """
import sys, time
from functools import partial
from pathlib import Path
from tests.test_meanwhile import note, nothing
from uteroseg.meanwhile import second_process

with second_process(nothing) as meanwhile:
    with meanwhile(partial(note, Path(sys.argv[1]))):
        pass
    print("working", flush=True)
    time.sleep(60)
"""


def note(path: Path) -> None:
    path.write_text(str(os.getpid()))


def fail() -> None:
    raise UserError("It is broken.", expected="a whole one.", fix="mend it.")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_and_note(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    note(path)


def nothing() -> None:
    pass


@pytest.fixture(scope="module")
def second():
    with second_process(nothing) as meanwhile:
        yield meanwhile


def test_a_job_is_done_in_another_process_by_the_end_of_the_body(second, tmp_path):
    with second(partial(note, tmp_path / "pid")):
        pass
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_what_a_job_gives_is_given_after_the_body(second):
    with second(os.getpid) as outcome:
        pass
    assert outcome() != os.getpid()


def test_the_error_of_a_job_is_raised_where_it_is_asked_for(second):
    with second(fail) as outcome:
        time.sleep(0.2)
    with pytest.raises(UserError, match=r"It is broken. Expected: a whole one."):
        outcome()


def test_the_error_of_the_body_is_raised_when_the_job_is_done(second, tmp_path):
    with pytest.raises(ZeroDivisionError), second(partial(note, tmp_path / "pid")):
        raise ZeroDivisionError
    assert (tmp_path / "pid").is_file()  # nothing is written any more: the folder can be removed


def test_an_interrupt_is_left_to_the_parent(second, tmp_path):
    with second(partial(interrupt_and_note, tmp_path / "pid")):
        pass
    assert (tmp_path / "pid").is_file()


def test_a_killed_process_fails_its_job_and_the_next_are_done_here(tmp_path):
    with second_process(nothing) as meanwhile:
        with meanwhile(die) as outcome:
            pass
        with pytest.raises(RuntimeError, match="terminated abruptly"):
            outcome()
        with meanwhile(partial(note, tmp_path / "pid")) as outcome:
            assert not (tmp_path / "pid").exists()
        outcome()
        assert (tmp_path / "pid").read_text() == str(os.getpid())
        with pytest.raises(ZeroDivisionError), meanwhile(partial(note, tmp_path / "not")):
            raise ZeroDivisionError
    assert not (tmp_path / "not").exists()


def test_without_a_process_a_job_follows_the_body_unless_that_fails(tmp_path):
    with afterwards(partial(note, tmp_path / "pid")) as outcome:
        assert not (tmp_path / "pid").exists()
    outcome()
    assert (tmp_path / "pid").read_text() == str(os.getpid())
    with pytest.raises(ZeroDivisionError), afterwards(partial(note, tmp_path / "not")):
        raise ZeroDivisionError
    assert not (tmp_path / "not").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_the_process_ends_with_a_parent_that_is_killed(tmp_path):
    kill_at(begin(SCRIPT, tmp_path / "pid"), "working")
    second = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while alive(second) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(second)
