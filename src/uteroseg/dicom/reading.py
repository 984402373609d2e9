"""Read and classify the headers of many files, over processes where that pays.

The processes run `serve` and are not those of multiprocessing, which import the program's main module again:
a script without ``if __name__ == "__main__"`` would run twice. What a process cannot answer is read here.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import IO, Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from uteroseg.dicom.classify import Classification, SeriesKind, classify
from uteroseg.dicom.header import PlainHeader, Unreadable, read_compact

MANY = 4000
"""Files; fewer are read before other processes have started, which takes each half a second."""

_CHUNK = 200  # files that a process is asked for at a time
_MAX_PROCESSES = 8
_LENGTH = Struct("<Q")
_READ_IT_YOURSELF = False
_UNDECIDING = frozenset(
    int(Tag(keyword))
    for keyword in ("SOPInstanceUID", "InstanceNumber", "AcquisitionTime", "ImagePositionPatient")
)


class Found(NamedTuple):
    """A header, and what its image is."""

    header: Dataset
    what: Classification


def read_all(paths: Sequence[Path]) -> Iterator[Found | Unreadable | None]:
    """Read files in their order.

    Parameters
    ----------
    paths : sequence of Path

    Yields
    ------
    Found, Unreadable or None
        None where the file is not DICOM.
    """
    processes = min(_cores(), _MAX_PROCESSES)
    if len(paths) < MANY or processes < 2 or not sys.executable or getattr(sys, "frozen", False):
        return map(_read, paths)
    return _read_over(processes, paths)


def serve() -> None:
    """Answer lists of paths from standard input with their headers on standard output, until its end."""
    warnings.simplefilter("ignore")
    while (paths := _receive(sys.stdin.buffer)) is not None:
        _send(sys.stdout.buffer, [_reply(Path(path)) for path in paths])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(path: Path) -> Found | Unreadable | None:
    try:
        header = read_compact(path)
        if isinstance(header, PlainHeader):
            if header.parses():
                return Found(header.dataset(tried=True), _what(header, parses=True))
            header = header.dataset()
        return None if header is None else Found(header, _classify(header))
    except Unreadable as error:
        return error


def _what(header: PlainHeader, *, parses: bool) -> Classification:
    """Classify a plain file; hundreds of a series differ only in what decides nothing."""
    if not parses:  # sequences above all: long, and no two alike
        return _classify(header.dataset())
    deciding = tuple(element for element in header.elements if element.tag not in _UNDECIDING)
    return _classify_alike(PlainHeader(header.explicit, deciding))


@lru_cache(maxsize=256)
def _classify_alike(header: PlainHeader) -> Classification:
    return _classify(header.dataset(tried=True))


def _classify(header: Dataset) -> Classification:
    try:
        return classify(header)
    except Exception as error:  # pydicom raises what it likes of values that nobody expected
        uid = str(header.get("SeriesInstanceUID") or "")
        raise Unreadable(f"its header is damaged ({' '.join(str(error).split())})", uid) from error


def _reply(path: Path) -> Any:
    """What crosses to the process that asked: bytes, text and numbers only."""
    try:
        header = read_compact(path)
        if not isinstance(header, PlainHeader):
            return None if header is None else _READ_IT_YOURSELF
        parses = header.parses()
        what = _what(header, parses=parses)
    except Unreadable as error:
        return error.reason, error.series_uid
    return header.explicit, list(map(tuple, header.elements)), parses, str(what.kind), what.reason


def _restored(path: Path, reply: Any) -> Found | Unreadable | None:
    if reply is None:
        return None
    if reply is _READ_IT_YOURSELF:
        return _read(path)
    if len(reply) == 2:
        return Unreadable(*reply)
    explicit, elements, parses, kind, reason = reply
    header = PlainHeader(explicit, elements)
    return Found(header.dataset(tried=parses), Classification(SeriesKind(kind), reason))


def _read_over(processes: int, paths: Sequence[Path]) -> Iterator[Found | Unreadable | None]:
    """Give each process a chunk, and the next one when it has answered; answers are taken in order."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    children: list[_Child] = []
    try:
        children += (_Child() for _ in range(min(processes, len(chunks))))
        for child, chunk in zip(children, chunks, strict=False):
            child.ask(chunk)
        for number, chunk in enumerate(chunks):
            child = children[number % len(children)]
            replies = child.answer()
            if number + len(children) < len(chunks):
                child.ask(chunks[number + len(children)])
            if replies is None:
                yield from map(_read, chunk)
            else:
                yield from map(_restored, chunk, replies)
    finally:
        for child in children:
            child.stop()


class _Child:
    """A process that runs `serve`; one that cannot start, or dies, answers nothing."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen(
                # -P: modules in the current folder, perhaps a patient's disc, are none of ours
                [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def ask(self, paths: Sequence[Path]) -> None:
        if self._process and self._process.stdin:
            with suppress(OSError):
                _send(self._process.stdin, [str(path) for path in paths])

    def answer(self) -> list[Any] | None:
        return _receive(self._process.stdout) if self._process and self._process.stdout else None

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            with suppress(OSError):  # what was not sent yet, to a process that is gone
                self._process.communicate()


def _send(stream: IO[bytes], values: list[Any]) -> None:
    message = marshal.dumps(values)
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _receive(stream: IO[bytes]) -> list[Any] | None:
    """Read what `_send` wrote; None at the end."""
    start = stream.read(_LENGTH.size)
    message = stream.read(_LENGTH.unpack(start)[0]) if len(start) == _LENGTH.size else b""
    return marshal.loads(message) if message else None  # of our own child, never from outside
