"""Voxels as text headers describe them: in this file or one beside it, of a known number and type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import numpy as np

from uteroseg.imaging.geometry import Array


def unexpected(key: str, value: object, expected: str) -> ValueError:
    """What to raise where a field of a header has a value that is not read."""
    return ValueError(f"{key} = {value}: {expected} expected")


def unknown(key: str, value: object) -> ValueError:
    """What to raise for a field that no list names."""
    return ValueError(f"{key} = {value}: this field is not known, and could change what the voxels mean")


def as_text(line: bytes) -> str:
    """A line of a header, in UTF-8 or, from older programs, Latin-1."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def file_beside(path: Path, key: str, name: str) -> Path:
    """The file that a header names in a field; raises ValueError for one outside the header's folder."""
    parts = PureWindowsPath(name)  # knows the separators of both worlds
    beside = path.parent / name
    if not name or parts.anchor or ".." in parts.parts or not beside.is_file():
        raise unexpected(key, name, "the name of one file that lies beside the header is")
    return beside


def as_array(content: bytes, dtype: np.dtype, shape: Sequence[int]) -> Array:
    """The bytes as an array of native numbers; raises ValueError where there are more or fewer."""
    size = byte_count(dtype, shape)
    if len(content) != size:
        raise ValueError(f"its voxels take {len(content)} bytes, {size} are expected from its header")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def byte_count(dtype: np.dtype, shape: Sequence[int]) -> int:
    """How many bytes the voxels take."""
    size = dtype.itemsize
    for length in shape:  # in Python's integers, which do not overflow
        size *= length
    return size
