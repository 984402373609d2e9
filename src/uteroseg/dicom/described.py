"""b-values of images whose headers lost them: listed by the series description, or by the user.

De-identification strips private attributes; what is left may be a description such as ``DWI B100/600/1000``.
It does not say which image has which b-value. They are given in the order of acquisition, and believed only
where the mean signal inside the body then falls strictly as b rises; anything else is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uteroseg.dicom.bvalues import BValue
from uteroseg.dicom.frames import Frame
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.stack import slice_numbers
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array

DESCRIPTION = "order of acquisition and series description (0008,103E)"
USER = "user, in order of acquisition"

_LIST = re.compile(r"(?<![A-Za-z])[Bb][ =_-]?(\d{1,4}(?:[/,;_ -]+[Bb]?\d{1,4})*)(?![\dA-Za-z.])")
_BODY_SHARE = 0.1


def described_b_values(description: str) -> tuple[float, ...]:
    """The b-values that a series description lists, in its order; empty where it lists none or not clearly.

    Examples
    --------
    >>> described_b_values("DWI B100/600/1000")
    (100.0, 600.0, 1000.0)
    """
    lists = [tuple(float(n) for n in re.findall(r"\d+", found[1])) for found in _LIST.finditer(description)]
    values = tuple(v for found in lists for v in found)
    return values if values and len(set(values)) == len(values) else ()


def assign_by_order(
    frames: Sequence[Frame], b_values: Sequence[float], *, source: str, what: str
) -> tuple[Frame, ...]:
    """Give listed b-values to images, at each slice in the order of acquisition.

    Parameters
    ----------
    frames : sequence of Frame
        Of one series, none with a b-value.
    b_values : sequence of float
        s/mm², in the order in which the scanner took them.
    source : str
        Where the list came from.
    what : str
        What the images belong to, for messages.

    Raises
    ------
    UserError
        If a slice has another number of images than there are b-values, their order is unknown, or the signal
        does not fall with b.
    """
    slices = _by_slice(frames)
    listed = ", ".join(f"{b:g}" for b in b_values)
    for images in slices:
        numbers = {image.number for image in images}
        if len(images) != len(b_values) or len(numbers) != len(images):
            raise _refused(
                what,
                f"a slice has {len(images)} images with {len(numbers)} different Instance Numbers, "
                f"and the b-values {listed} are listed",
            )
    means = _mean_signals(slices)
    order = np.argsort(b_values)
    if (np.diff(means[order]) >= 0).any():
        shown = ", ".join(f"{mean:.0f}" for mean in means)
        raise _refused(
            what,
            f"with b {listed} in the order of acquisition the mean signal is {shown}: "
            "it does not fall with b",
        )
    return tuple(
        replace(image, b_value=BValue(float(b), source))
        for images in slices
        for image, b in zip(images, b_values, strict=True)
    )


def _by_slice(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Images of each slice, in the order of acquisition."""
    slices: dict[int, list[Frame]] = defaultdict(list)
    for number, frame in zip(slice_numbers(frames), frames, strict=True):
        slices[int(number)].append(frame)
    return [sorted(slices[number], key=lambda frame: frame.number) for number in sorted(slices)]


def _mean_signals(slices: Sequence[Sequence[Frame]]) -> Array:
    """Mean signal inside the body of the first, second … image of every slice."""
    every = [image for images in slices for image in images]
    pixels = {id(frame): image for frame, image in rescaled(every, comparable=True)}
    volumes = np.stack([[pixels[id(image)] for image in images] for images in slices], axis=1)
    brightest = volumes.max(axis=0)
    body = brightest > _BODY_SHARE * np.percentile(brightest, 99)
    return np.asarray(volumes[:, body].mean(axis=1, dtype=np.float64))


def _refused(what: str, problem: str) -> UserError:
    return UserError(
        f"The headers of {what} hold no b-values, and {problem}.",
        expected="one image of each listed b-value at every slice, darker with every higher b-value.",
        fix="set `b_values` in the order of acquisition, or export the series with its private attributes.",
    )
