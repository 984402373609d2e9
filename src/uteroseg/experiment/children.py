"""Who makes the runs: single-threaded child processes on a CPU, this process itself on a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Protocol

from uteroseg.experiment.config import ExperimentConfig
from uteroseg.experiment.tasks import Failure, Task

_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc then keeps a step's memory for the next one: 25 000 page faults a step less, 8 % of a step's time
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}
"""Of a child: one thread each."""

Events = SimpleQueue[tuple["Maker", dict[str, Any]]]
"""``{"progress": [what, done, total, note]}``, or ``{"failed": None or Failure as dict}`` at a run's end."""


class Maker(Protocol):
    """Makes one run at a time and tells of it through events."""

    def start(self, task: Task) -> None:
        """Begin a run."""

    def stop(self) -> None:
        """End, whatever is being done."""


class InProcess:
    """Makes runs in this process; a run has ended when `start` returns."""

    def __init__(self, config: ExperimentConfig, directory: Path, events: Events, tell: Any) -> None:
        from uteroseg.experiment.worker import Performer  # torch

        self._events = events
        self._performer = Performer(
            config, directory, lambda *progress: tell(self, {"progress": list(progress)})
        )

    def start(self, task: Task) -> None:
        """Make a run."""
        failure = self._performer.attempt(task)
        self._events.put((self, {"failed": failure.model_dump() if failure else None}))

    def stop(self) -> None:
        """Nothing is left to end."""


class Child:
    """Makes runs in a process of its own; it is begun with its first run, and again after it died.

    Parameters
    ----------
    config : ExperimentConfig
    directory : Path
    events : SimpleQueue
    """

    def __init__(self, config: ExperimentConfig, directory: Path, events: Events) -> None:
        self._first = json.dumps({"config": config.model_dump(mode="json"), "directory": str(directory)})
        self._events = events
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def start(self, task: Task) -> None:
        """Tell the child which run to make."""
        if self._process is None:
            self._begin()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        threading.Thread(target=self._listen, args=(process, task), daemon=True).start()
        with suppress(OSError):  # where it died, its output ends
            self._write(task.model_dump_json())

    def stop(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _begin(self) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uteroseg.experiment.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, **_ENVIRONMENT},
        )
        self._write(self._first)

    def _write(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _listen(self, process: subprocess.Popen[str], task: Task) -> None:
        """Pass on what the child says until the run has ended."""
        assert process.stdout is not None
        with suppress(ValueError):  # stopped: the pipe is closed
            for line in iter(process.stdout.readline, ""):
                message = json.loads(line)
                self._events.put((self, message))
                if "failed" in message:
                    return
        code = process.wait()
        planned = task.planned
        said = self._last_words()
        failure = Failure(
            run=planned.run,
            title=str(planned),
            error=f"Its process ended with code {code}{f': {said}' if said else ''}.",
        )
        if self._process is process:
            self.stop()
        self._events.put((self, {"failed": failure.model_dump()}))

    def _last_words(self) -> str:
        """The last line that the child wrote to standard error."""
        if self._errors is None or self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else ""
