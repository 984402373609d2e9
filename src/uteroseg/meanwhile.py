"""Do a job in a second process while this one goes on.

What it takes to begin one is imported only then: most commands never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

Meanwhile: TypeAlias = Callable[[Callable[[], Any]], AbstractContextManager[Callable[[], Any]]]
"""Does a job while the body of its ``with`` runs. Leaving it waits for the job; what it gave gives the job's
result then, or raises its error."""


def afterwards(job: Callable[[], Any]) -> AbstractContextManager[Callable[[], Any]]:
    """Do a job in this process when it is asked for its result: a `Meanwhile` without a process."""
    return nullcontext(job)


@contextmanager
def second_process(prepare: Callable[[], object]) -> Iterator[Meanwhile]:
    """Begin a process that prepares itself, such as by imports, and give a `Meanwhile` that works in it.

    Parameters
    ----------
    prepare : callable
        It and the jobs can be pickled.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin) as pool:
        pool.submit(_get_ready, prepare)

        @contextmanager
        def meanwhile(job: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
            try:
                future = pool.submit(job)
            except BrokenProcessPool:  # it was killed during an earlier job, which said so
                yield job
                return
            try:
                yield future.result
            finally:
                wait([future])

        yield meanwhile


def _get_ready(prepare: Callable[[], object]) -> None:
    """Prepare without looking for garbage, then and later: what was imported stays."""
    import gc

    gc.disable()
    prepare()
    gc.freeze()
    gc.enable()


def _begin() -> None:
    import atexit
    import os
    import signal

    from uteroseg.pool import end_with_parent

    atexit.register(os._exit, 0)  # the parent waits for its end: large imports take 0.7 s to take apart
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers it, and waits for the job in hand
    end_with_parent()
