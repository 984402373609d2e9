"""Read and classify the headers of many files, over processes where that pays.

What a process cannot answer is read here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from uteroseg.dicom.classify import Classification, SeriesKind, classify
from uteroseg.dicom.header import PlainHeader, Unreadable, read_compact
from uteroseg.work import Failure, Item, cores, in_order

MANY = 4000
"""Files; fewer are read before other processes have started, which takes each half a second."""

_CHUNK = 200  # files that a process is asked for at a time
_MAX_PROCESSES = 8
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
    processes = min(cores(), _MAX_PROCESSES)
    if len(paths) < MANY or processes < 2:
        return map(_read, paths)
    return _read_over(processes, paths)


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
    chunks = [[str(path) for path in paths[start : start + _CHUNK]] for start in range(0, len(paths), _CHUNK)]
    items = [Item(f"{chunk[0]} and the files after it", partial(_replies, chunk)) for chunk in chunks]
    for chunk, replies in zip(chunks, in_order(items, workers=processes), strict=True):
        if isinstance(replies, Failure):
            yield from map(_read, map(Path, chunk))
        else:
            yield from map(_restored, map(Path, chunk), replies)


def _replies(paths: list[str]) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_reply(Path(path)) for path in paths]
