"""Files that hold the same image: one of them is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pydicom.tag import Tag

from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import Series
from uteroseg.errors import UserError

_UID = Tag("SOPInstanceUID")
_NO_IMAGES = (SeriesKind.SEGMENTATION, SeriesKind.RTSTRUCT, SeriesKind.OTHER)


def without_copies(members: Sequence[Series]) -> list[Series]:
    """Leave out files that hold an image (SOP Instance UID) which another file of an examination holds.

    Such files are the same byte for byte, or at least in place, b-value and pixels: another program wrote
    them again. Two images with one UID at one place that differ are refused, with both files named. At
    different places both are kept: the UIDs are wrong, and geometry decides.

    Parameters
    ----------
    members : sequence of Series
        Of one examination.

    Returns
    -------
    list of Series
        With notes on what was left out, or with the reason why they are refused.
    """
    files: dict[object, list[tuple[Series, int]]] = defaultdict(list)
    for series in sorted(members, key=lambda one: -len(one.files)):  # what is whole stays whole
        for index, header in enumerate(series.headers):
            if _UID in header and (uid := header.get_item(_UID).value):
                files[uid.strip(b"\0 ").decode("latin-1") if isinstance(uid, bytes) else str(uid)].append(
                    (series, index)
                )
    copies: dict[Series, set[int]] = defaultdict(set)
    notes: dict[Series, list[str]] = defaultdict(list)
    refused: dict[Series, UserError] = {}
    for (first, number), *others in (found for found in files.values() if len(found) > 1):
        original = first.files[number]
        for series, index in others:
            copy = series.files[index]
            same = _same_image(first, original, series, copy)
            if same:
                copies[series].add(index)
                notes[first].append(f"{copy} is a copy of {original}")
            elif same is False:
                refused[series] = refused[first] = _refused(original, copy)
    changed = [_changed(one, copies[one], notes[one], refused.get(one)) for one in members]
    return [one for one in changed if one.files]


def _changed(series: Series, copies: set[int], notes: Sequence[str], refused: UserError | None) -> Series:
    """A series less its copies, with what is to be said of them."""
    if not (copies or notes or refused):
        return series
    more = f", and so are {len(notes) - 1} more files" if len(notes) > 1 else ""
    keep = [index for index in range(len(series.files)) if index not in copies]
    return replace(
        series,
        files=tuple(series.files[index] for index in keep),
        headers=tuple(series.headers[index] for index in keep),
        notes=(*series.notes, *(f"{note}{more}: each image is used once." for note in notes[:1])),
        refused=refused or series.refused,
    )


def _same_image(one: Series, path: Path, other: Series, copy: Path) -> bool | None:
    """Whether two files hold the same image; None where they hold images of different places."""
    try:
        if path.stat().st_size == copy.stat().st_size and path.read_bytes() == copy.read_bytes():
            return True
        if one.kind in _NO_IMAGES or other.kind in _NO_IMAGES:
            return None
        frames = [f for f in frames_of(one) if f.file == path]
        again = [f for f in frames_of(other) if f.file == copy]
        if not frames or list(map(_place, frames)) != list(map(_place, again)):
            return None
    except (UserError, OSError):
        return None  # what is wrong with it is told where it is read
    try:
        decode = partial(rescaled, comparable=False)
        pairs = zip(decode(frames), decode(again), strict=True)
        return all(np.array_equal(image, repeated) for (_, image), (_, repeated) in pairs)
    except UserError:
        return False


def _place(frame: Frame) -> tuple[object, ...]:
    b_value = frame.b_value.value if frame.b_value else None
    return frame.index, frame.position, frame.orientation, frame.pixel_spacing, b_value, frame.direction


def _refused(original: Path, other: Path) -> UserError:
    return UserError(
        f"{original} and {other} have one SOP Instance UID, but not the same content.",
        expected="copies that are the same, or images with a UID of their own.",
        fix="keep the right one of the two.",
    )
