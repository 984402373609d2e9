"""Work in other processes: items with a name, each of which ends in what it gives or in a `Failure`.

What an item leaves on disk is renamed into place, so that a process can be ended at any moment. One that dies
costs the item that it had in hand and no other: the next begins another process.

The processes run `serve` and are not those of multiprocessing, which import the program's main module again:
a script without ``if __name__ == "__main__"`` would run twice. They end with their parent and leave Ctrl-C to
it. What it takes to begin one is imported only then: most commands never do.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from uteroseg.errors import UserError, reason

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future
    from queue import SimpleQueue

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

OnProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Told of what, how much of it is done, how much there is, and a note."""

SECONDS_BETWEEN_MESSAGES = 0.5


@dataclass(frozen=True)
class Item(Generic[Result_co]):
    """A piece of work.

    Parameters
    ----------
    name : str
        What a person calls it.
    make : callable
        Does it. It and what it gives can be pickled.
    """

    name: str
    make: Callable[[], Result_co]


@dataclass(frozen=True)
class Failure:
    """Why an item gave nothing.

    Parameters
    ----------
    name : str
        The item's.
    reason : str
        For people.
    error : Exception
        What `Item.make` raised; a UserError that names the item where its process ended.
    """

    name: str
    reason: str
    error: Exception


def in_order(items: Sequence[Item[Result]], *, workers: int | None = None) -> Iterator[Result | Failure]:
    """Make items side by side and give their results in order.

    A few are made ahead, so that memory stays flat; who stops asking waits for those in hand.

    Parameters
    ----------
    items : sequence of Item
    workers : int, optional
        Processes; by default one for each core. With one, everything happens in this process.
    """
    number = min(workers or cores(), len(items))
    with Workers(number if number > 1 else 0) as crew:
        begun: deque[Future[Result | Failure]] = deque()
        try:
            for item in items:
                begun.append(crew.begin(item))
                if len(begun) > 2 * crew.number:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel() or one.result()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell(what: str, done: int, total: int, note: str = "") -> None:
    """Say how far the item is that this process makes; at most twice a second, and when it is done."""
    global _said
    if done == total or time.monotonic() - _said > SECONDS_BETWEEN_MESSAGES:
        _said = time.monotonic()
        _tell(what, done, total, note)


def _to_nobody(*told: Any) -> None:
    pass


_tell: OnProgress = _to_nobody
_said = 0.0


class Workers:
    """Processes on this machine that make items, each one at a time; they end with the ``with``.

    Parameters
    ----------
    number : int
        With 0, and where Python cannot be begun again, `begin` makes an item at once, in this process.
    prepare : callable, optional
        What each process does first, such as imports. They begin at once then, else with their first item.
    environment : mapping, optional
        Variables that they have besides ours.
    """

    def __init__(
        self,
        number: int,
        *,
        prepare: Callable[[], object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.number = number if sys.executable and not getattr(sys, "frozen", False) else 0
        if not self.number:
            return
        from concurrent.futures import ThreadPoolExecutor

        self._children = [_Child(prepare, environment) for _ in range(self.number)]
        self._idle = list(self._children)
        self._threads = ThreadPoolExecutor(self.number)
        if prepare is not None:
            for child in self._children:
                with suppress(OSError):  # it is tried again with the first item
                    child.begin()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        if self.number:
            self._threads.shutdown(wait=False, cancel_futures=True)
            for child in self._children:
                child.kill()
            self._threads.shutdown()
            for child in self._children:
                child.close()

    def begin(self, item: Item[Result], on_progress: OnProgress = _to_nobody) -> Future[Result | Failure]:
        """Make an item as soon as a process is free.

        Parameters
        ----------
        item : Item
        on_progress : callable
            Gets what the item says by `tell`; called in another thread.

        Returns
        -------
        Future
            Raises no error of the item: its result is a Failure then.
        """
        if self.number:
            return self._threads.submit(self._make, item, on_progress)
        from concurrent.futures import Future

        here: Future[Result | Failure] = Future()
        here.set_result(_make_here(item, on_progress))
        return here

    def make(
        self,
        next_item: Callable[[], Item[Result] | None],
        on_progress: Callable[[Item[Result], str, int, int, str], None] = _to_nobody,
    ) -> Iterator[tuple[Item[Result], Result | Failure]]:
        """Make items and give each with its result, as they end.

        Parameters
        ----------
        next_item : callable
            Gives the next one; None where there is none at present. It is asked when a process is free, so
            that it can look at what has ended. All is done when there is none and no process is busy.
        on_progress : callable
            Gets what an item says by `tell`.
        """
        from queue import SimpleQueue

        events: SimpleQueue[tuple[Item[Result], tuple[Any, ...]]] = SimpleQueue()
        busy = 0
        while True:
            while busy < max(1, self.number) and (item := next_item()):
                put = partial(_put, events, item)
                self.begin(item, put if self.number else partial(on_progress, item)).add_done_callback(put)
                busy += 1
            if not busy:
                return
            item, event = events.get()
            if len(event) > 1:
                on_progress(item, *event)
            else:
                busy -= 1
                yield item, event[0].result()

    def _make(self, item: Item[Result], on_progress: OnProgress) -> Result | Failure:
        child = self._idle.pop()  # there are as many threads as processes
        try:
            return child.make(item, on_progress)
        finally:
            self._idle.append(child)


HERE = Workers(0)
"""This process."""


def _put(events: SimpleQueue[Any], item: Item[Any], *event: Any) -> None:
    events.put((item, event))


def _make_here(item: Item[Result], on_progress: OnProgress) -> Result | Failure:
    global _tell
    before, _tell = _tell, on_progress
    try:
        return item.make()
    except Exception as error:
        return Failure(item.name, reason(error), error)
    finally:
        _tell = before


class _Child:
    """A process that runs `serve`; it is begun with its first item, and again after it ended."""

    def __init__(self, prepare: Callable[[], object] | None, environment: Mapping[str, str] | None) -> None:
        self._prepare, self._environment = prepare, environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] = io.BytesIO()
        self._killed = False

    def begin(self) -> subprocess.Popen[bytes]:
        import subprocess
        import tempfile

        # where we import from, less the current folder: modules on a patient's disc are none of ours
        path = [*map(str, filter(None, sys.path)), str(Path(__file__).parents[1])]
        code = f"import sys; sys.path[:] = {path!a}; from {__name__} import serve; serve()"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **self._environment},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        if self._killed:
            self._process.kill()
        _ask(self._process, self._prepare)
        return self._process

    def make(self, item: Item[Result], on_progress: OnProgress) -> Result | Failure:
        """Let it make an item."""
        at_it = self._process is None
        try:
            process = self._process or self.begin()
            _ask(process, item.make)
            assert process.stdout is not None
            while True:
                kind, value = pickle.load(process.stdout)  # of our own child, never from outside
                if kind == "made":
                    return value  # type: ignore[no-any-return]
                if kind == "failed":
                    error, where = value
                    error.add_note(where)
                    return Failure(item.name, reason(error), error)
                if kind == "told":
                    on_progress(*value)
                at_it = True
        except (EOFError, pickle.UnpicklingError):
            if at_it:
                return self._ended(item)
            self.close()  # it ended with nothing in hand
            return self.make(item, on_progress)
        except Exception as error:
            self.close()  # what it still says is no answer to the next
            return Failure(item.name, reason(error), error)

    def kill(self) -> None:
        """End the process for good, whatever it does."""
        self._killed = True
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """End the process, if there is one, and forget it."""
        self._errors.close()
        if self._process is not None:
            with suppress(OSError), self._process:  # what was not sent yet, to a process that is gone
                self._process.kill()
            self._process = None

    def _ended(self, item: Item[Any]) -> Failure:
        assert self._process is not None
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        self.close()
        why = ": ".join([f"Its process ended with code {code}", *said]) + "."
        error = UserError(
            f"{item.name} was not finished. {why}",
            expected="memory for all processes, and that nobody ends one.",
            fix="repeat it; where memory is short, with fewer processes.",
        )
        return Failure(item.name, why, error)


def _ask(process: subprocess.Popen[bytes], make: Callable[[], object] | None) -> None:
    """Ask for something, in bytes that the child's thread takes without importing anything."""
    request = pickle.dumps(make)
    assert process.stdin is not None
    with suppress(OSError):  # it ended, and so do its answers
        _send(process.stdin, request)


def serve() -> None:
    """Make what standard input asks for, and answer on standard output, until nobody can ask any more."""
    import gc
    import signal
    from queue import SimpleQueue
    from threading import Thread
    from traceback import format_exc

    global _tell
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers it
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what libraries print is no answer
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(asked, requests), daemon=True).start()
    _tell = lambda *told: _send(answers, ("told", told))  # noqa: E731
    if prepare := pickle.loads(requests.get()):
        gc.disable()  # what it imports stays: nobody needs to look for garbage in it, then and later
        with suppress(Exception):  # an item that needs it will say so
            prepare()
        gc.freeze()
        gc.enable()
    while True:
        request = requests.get()
        _send(answers, ("begun", None))
        try:
            _send(answers, ("made", pickle.loads(request)()))
        except Exception as error:
            _send(answers, ("failed", (_crossing(error), format_exc())))


def _listen(asked: IO[bytes], requests: SimpleQueue[bytes]) -> None:
    """Pass requests on; leave at once when the parent is gone: nobody else writes into its folders."""
    with suppress(Exception):
        while True:
            requests.put(pickle.load(asked))
    os._exit(0)


def _send(stream: IO[bytes], value: object) -> None:
    stream.write(pickle.dumps(value))
    stream.flush()


def _crossing(error: Exception) -> Exception:
    """An error that can be pickled, and made again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
