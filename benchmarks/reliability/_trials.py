"""Trials in processes that are killed when one hangs."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from queue import Empty, Queue

TIMEOUT_S = 60


def run_trials(
    script: str, data: Path, seed: int, *, count: int, jobs: int, good: Collection[str]
) -> list[dict]:
    """What came of every trial, in order; those whose outcome is not good are printed on standard error."""
    parts = [range(start, count, jobs) for start in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda part: _run(script, data, seed, part, good), parts)
        return sorted(chain.from_iterable(found), key=lambda outcome: outcome["trial"])


def serve(trial: Callable[[int], dict]) -> int:
    """Run the trials whose numbers come on standard input."""
    out, sys.stdout = sys.stdout, sys.stderr  # what the libraries print is no answer
    for line in sys.stdin:
        print(json.dumps(trial(int(line))), file=out, flush=True)
    return 0


def peak_mb() -> float:
    """The most memory that this process has taken."""
    if platform.system() == "Windows":
        return 0.0
    import resource

    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _run(script: str, data: Path, seed: int, numbers: range, good: Collection[str]) -> list[dict]:
    outcomes: list[dict] = []
    worker = _Worker(script, data, seed)
    for number in numbers:
        outcome = worker.ask(number)
        outcomes.append(outcome)
        if outcome["outcome"] in ("hang", "memory", "died"):
            worker.stop()
            worker = _Worker(script, data, seed)
        if outcome["outcome"] not in good:
            print(json.dumps(outcome), file=sys.stderr, flush=True)
        elif number % 100 == 99:
            print(f"{number + 1} of {numbers.stop}", file=sys.stderr, flush=True)
    worker.stop()
    return outcomes


class _Worker:
    """A process for trials, and a thread that waits for its answers."""

    def __init__(self, script: str, data: Path, seed: int) -> None:
        command = [sys.executable, script, "--serve", "--data", str(data), "--seed", str(seed)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._answers: Queue[str] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, number: int) -> dict:
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        failed = {"trial": number, "sample": "", "damage": [], "seconds": TIMEOUT_S, "detail": ""}
        try:
            answer = self._answers.get(timeout=TIMEOUT_S)
        except Empty:
            return failed | {"outcome": "hang"}
        return json.loads(answer) if answer else failed | {"outcome": "died"}

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")
