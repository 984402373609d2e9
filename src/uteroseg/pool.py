"""Work on every core, in order, with memory that stays flat and no process that outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cores(
    make: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None = None
) -> Iterator[Result]:
    """Give ``make(item)`` for each item, in order; a few are made ahead.

    Parameters
    ----------
    make : callable
        Can be pickled.
    items : sequence
    workers : int, optional
        Processes; by default one for each core. With one, everything happens in this process.
    """
    workers = min(workers or os.cpu_count() or 1, len(items))
    if workers < 2:
        yield from map(make, items)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(make, item))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def end_with_parent() -> None:
    """Leave as soon as the parent is gone: a killed run must not leave processes that wait for work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_after, args=(parent.sentinel,), daemon=True).start()


def _leave_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
