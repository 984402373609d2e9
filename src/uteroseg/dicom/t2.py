"""Which T2 goes with a diffusion study: the one drawn on, else the nearest."""

from __future__ import annotations

import re

import numpy as np

from uteroseg.dicom.acquisition import acquisition
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import Series
from uteroseg.dicom.studies import FoundStudy
from uteroseg.dicom.volume import load_volume, series_grid
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import Volume

_RELAXATION_MAP = re.compile(r"(?<![A-Z])MAPS?(?![A-Z])", re.IGNORECASE)


def load_t2(
    found: FoundStudy, grid: Geometry, drawn_on: Series | None = None
) -> tuple[Volume | None, tuple[str, ...]]:
    """The T2 of a study's examination: the one drawn on, else the one nearest to the diffusion images.

    Nearest is, in this order: the same plane, the same frame of reference, most of the images covered, the
    smallest angle, the most similar matrix and spacing.

    Parameters
    ----------
    found : FoundStudy
    grid : Geometry
        Where the diffusion images lie.
    drawn_on : Series, optional
        What the annotation was drawn on, whatever that is.

    Returns
    -------
    t2 : Volume or None
    passed_over : tuple of str
        Which series were no stack, damaged or elsewhere, and why.
    """
    passed_over: list[str] = []
    nearest: list[tuple[tuple[float, ...], Series]] = []
    frames = {series.frame_of_reference_uid for series in found.dwi}
    for series in found.others:
        if series.kind is SeriesKind.T2 and not _RELAXATION_MAP.search(series.description):
            try:
                same_frame = series.frame_of_reference_uid in frames
                distance = _distance(_stack_of(series), grid, same_frame=same_frame)
                nearest.append(((series is not drawn_on, *distance), series))
            except UserError as error:
                passed_over.append(f"{series.name}: {error.found}")
    for _, series in sorted(nearest, key=lambda one: one[0]):
        try:
            image, geometry = load_volume(series)
        except UserError as error:
            passed_over.append(f"{series.name}: {error.found}")
            continue
        return Volume(image, geometry, acquisition(series.headers[0]), series.name), tuple(passed_over)
    return None, tuple(passed_over)


def _stack_of(series: Series) -> Geometry:
    if series.unreadable:
        file = series.unreadable[0]
        found = f"{file.path} cannot be read: {file.reason}"
        raise UserError(found, expected="a whole series.", fix="export the series again.")
    grid = series_grid(series)
    if grid.shape[0] < 2:
        raise UserError("it holds one slice", expected="a stack of slices.", fix="export the series again.")
    return grid


def _distance(t2: Geometry, dwi: Geometry, *, same_frame: bool) -> tuple[float, ...]:
    """How far a T2 is from the diffusion images; raises UserError where it covers nothing of them."""
    sample = np.stack(np.meshgrid(*[np.linspace(0, n - 1, 5) for n in dwi.shape]), axis=-1)
    index = t2.to_index(dwi.to_patient(sample))
    covered = float(((index > -0.5) & (index < np.array(t2.shape) - 0.5)).all(axis=-1).mean())
    if same_frame and not covered:
        raise UserError(
            "it covers nothing of the diffusion images", expected="a T2 of the same region.", fix="leave it."
        )
    angle = float(np.degrees(np.arccos(min(1.0, abs(float(t2.normal @ dwi.normal))))))
    ratios = np.sort([t2.shape, t2.spacing]) / np.sort([dwi.shape, dwi.spacing])
    size_difference = float(np.abs(np.log(ratios)).sum())
    return t2.plane != dwi.plane, not same_frame, round(1 - covered, 1), round(angle, -1), size_difference
