"""An ADC map and one image of high b, where an archive keeps nothing else of a diffusion acquisition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uteroseg.dicom.bvalues import merge
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.described import described_b_values
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.grouping import SeriesGroup
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import is_directional, slice_numbers
from uteroseg.dicom.volume import series_grid
from uteroseg.errors import UserError
from uteroseg.imaging.derived import LEAST_B

_BEST_B = 1000.0
"""What the network sees."""


def find_pairs(others: Sequence[Series], acquisitions: Sequence[SeriesGroup]) -> list[tuple[Series, Series]]:
    """The pairs of an image of high b and an ADC map in one examination.

    None where an acquisition has several b-values. A measured image comes before a calculated one, one
    nearer to b 1000 before others, then the one that the map follows most closely. Where no map lies on the
    grid of such an image, the nearest two are a pair all the same: loading it names what is wrong.

    Parameters
    ----------
    others : sequence of Series
        Maps and calculated images among them.
    acquisitions : sequence of SeriesGroup
        Of the DWI series.

    Returns
    -------
    list of (Series, Series)
        Image and map.
    """
    dwi = [one for group in acquisitions for one in _stacks(group)]
    if any(len(group.series) > 1 for group in acquisitions) or not all(map(_b_values, dwi)):
        return []
    calculated = [one for one in others if one.kind is SeriesKind.CALCULATED_B]
    free = [one for one in (*dwi, *calculated) if not _high_b(one) < LEAST_B]
    maps = [one for one in others if one.kind is SeriesKind.ADC]
    pairs = []
    for adc in maps:
        if fitting := [image for image in free if _on_one_grid(image, adc)]:
            image = min(fitting, key=lambda image: _rank(image, adc))
            free.remove(image)
            pairs.append((image, adc))
    every = [(image, adc) for image in free for adc in maps]
    return pairs or sorted(every, key=lambda pair: _rank(*pair))[:1]


def high_b_of(b_values: Sequence[float]) -> float:
    """Of the b-values of calculated images the one that is used: high, and nearest to b 1000."""
    return min(b_values, key=lambda b: (b < LEAST_B, abs(b - _BEST_B)))


def _stacks(group: SeriesGroup) -> Sequence[Series]:
    """The series of an acquisition; where whole stacks of one b-value were joined, each: they are repeats."""
    try:
        whole = frames_of(group.series[0])
        slices = [len(np.unique(slice_numbers(frames_of(one)))) for one in group.joined]
        if not slices or is_directional(whole) or min(slices) < len(np.unique(slice_numbers(whole))):
            return group.series
    except UserError:
        return group.series
    return group.joined


def _b_values(series: Series) -> tuple[float, ...]:
    """The b-value of DWI that has one only, not a number where nothing says it; empty where it has several.

    Of calculated images all.
    """
    is_dwi = series.kind is SeriesKind.DWI
    try:
        frames = frames_of(series)
        if values := set(merge([frame.b_value.value for frame in frames if frame.b_value]).values()):
            return () if is_dwi and len(values) > 1 else tuple(values)
        if not frames or len(np.unique(slice_numbers(frames))) < len(frames):
            return ()
    except UserError:
        return ()
    described = described_b_values(series.description)
    return described if len(described) == 1 else () if described else (float("nan"),)


def _high_b(series: Series) -> float:
    values = _b_values(series)
    return high_b_of(values) if values else 0.0


def _on_one_grid(image: Series, adc: Series) -> bool:
    try:
        same = series_grid(image).difference(series_grid(adc)) is None
    except UserError:
        return False
    return same and image.frame_of_reference_uid == adc.frame_of_reference_uid


def _rank(image: Series, adc: Series) -> tuple[bool, float, int]:
    b_value = _high_b(image)
    apart = abs(b_value - _BEST_B) if b_value >= LEAST_B else float("inf")
    step = (adc.number or 0) - (image.number or 0)
    return image.kind is not SeriesKind.DWI, apart, step if step >= 0 else 100_000 - step
