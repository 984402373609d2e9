"""An annotation, drawn on any image of the examination, on the grid of its diffusion study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uteroseg.annotations.belonging import drawn_on, why_not
from uteroseg.annotations.file import is_dicom, read_annotation
from uteroseg.annotations.label_map import is_label_map
from uteroseg.annotations.reference import Reference, read_object, reference_of
from uteroseg.annotations.table import Annotation
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import Series
from uteroseg.dicom.studies import FoundStudy
from uteroseg.dicom.volume import load_volume, series_grid
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.resample import resample_mask, transformed, volume_outside_ml
from uteroseg.imaging.study import DwiStudy, Mask

_SOURCE_NAMES = {SeriesKind.DWI: "another DWI series", SeriesKind.OTHER: "another series"}


@dataclass(frozen=True, eq=False)
class Arrived:
    """An annotation on its study's grid.

    Parameters
    ----------
    mask : Mask
    source : str
        What it was drawn on: ``DWI``, ``T2`` …, or ``another grid`` where no such series was found.
    drawn_ml, outside_ml : float
        Volume as drawn, and of that the volume outside the study.
    registration : mapping, optional
        How that series was found to lie on the study, where that was looked for.
    unregistered : Mask, optional
        Where that was applied, the mask without it.
    """

    mask: Mask
    source: str
    drawn_ml: float
    outside_ml: float
    registration: Mapping[str, Any] | None = None
    unregistered: Mask | None = None

    @property
    def sidecar(self) -> dict[str, Any]:
        """What is written beside the mask; nothing of the file's own text, which may name people."""
        return {
            "annotation_source": self.source,
            "volume_ml_as_drawn": round(self.drawn_ml, 3),
            "volume_ml_outside": round(self.outside_ml, 3),
            "volume_ml": round(volume_ml(self.mask), 3),
            **({"registration": self.registration} if self.registration else {}),
            "tool": "unknown",
        }


def arrive(
    annotation: Annotation, found: FoundStudy, study: DwiStudy, *, with_registration: bool = False
) -> Arrived:
    """Read an annotation and move it to its study's grid through patient coordinates.

    Parameters
    ----------
    annotation : Annotation
    found : FoundStudy
        Whose other series tell what it was drawn on.
    study : DwiStudy
    with_registration : bool
        Find how the patient moved between the series that it was drawn on and the image of the lowest
        b-value, and move the mask where that is beyond doubt.

    Raises
    ------
    UserError
        If the annotation belongs to another patient, frame of reference or examination, cannot be read, or
        does not arrive; each names its file.
    """
    reference = _reference(annotation)
    if reference and (reason := why_not(reference, found, annotation.mask)):
        raise reason
    series = drawn_on(found, reference.instances, reference.series) if reference else None

    def grid_of(instances: frozenset[str]) -> Geometry | None:
        nonlocal series
        series = drawn_on(found, instances, reference.series if reference else frozenset())
        return None if series is None else _grid(series, found, study)

    drawn = read_annotation(annotation.mask, choice=annotation.choice, grid_of=grid_of)
    on_dwi = series in found.used if series else _same_voxels(drawn.geometry, study.geometry)
    if not on_dwi and series is None:
        series = _series_on_grid(drawn.geometry, found.others)
    moved, registration = drawn, None
    if with_registration and not on_dwi:
        moved, registration = _registered(drawn, series, study, annotation)
    try:
        mask = resample_mask(moved, study.geometry)
    except UserError as error:
        found_there = f"{annotation.mask}: {error.found}"
        raise UserError(found_there, expected=error.expected, fix=error.fix) from error
    return Arrived(
        mask,
        "DWI" if on_dwi else _name(series),
        drawn_ml=volume_ml(drawn),
        outside_ml=volume_outside_ml(moved, study.geometry),
        registration=registration,
        unregistered=None if moved is drawn else resample_mask(drawn, study.geometry),
    )


def _reference(annotation: Annotation) -> Reference | None:
    """What a DICOM annotation says it belongs to; None for other formats."""
    path = annotation.mask
    return None if is_label_map(path) or not is_dicom(path) else reference_of(read_object(path), path)


def _name(series: Series | None) -> str:
    """What was drawn on, where it was not the study; a series' own description is not copied."""
    return _SOURCE_NAMES.get(series.kind, series.kind.upper()) if series else "another grid"


def _grid(series: Series, found: FoundStudy, study: DwiStudy) -> Geometry:
    return study.geometry if series in found.used else series_grid(series)


def _series_on_grid(geometry: Geometry, others: Iterable[Series]) -> Series | None:
    """The series with the same voxels, of several a T2 series."""
    fitting = []
    for series in others:
        try:
            if _same_voxels(series_grid(series), geometry):
                fitting.append(series)
        except UserError:  # no stack of slices
            continue
    return min(fitting, key=lambda series: series.kind is not SeriesKind.T2, default=None)


def _same_voxels(one: Geometry, other: Geometry, tolerance_mm: float = 0.1) -> bool:
    """Whether two grids have the same voxels, in whatever order."""
    if sorted(one.shape) != sorted(other.shape):
        return False
    corners = [
        grid.to_patient(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)
        for grid in (one, other)
    ]
    apart = np.linalg.norm(corners[0][:, None] - corners[1][None], axis=2)
    return bool(apart.min(axis=1).max() <= tolerance_mm)


def _registered(
    drawn: Mask, series: Series | None, study: DwiStudy, annotation: Annotation
) -> tuple[Mask, dict[str, Any]]:
    """The mask, moved as the patient was where that is beyond doubt, and the record of it."""
    if series is None:
        raise UserError(
            f"The images on which {annotation.mask} was drawn are not in the source folder.",
            expected="for --register, the series that the annotation was drawn on.",
            fix="add that series to the folder, or leave out --register.",
        )
    from uteroseg.imaging.register import METHOD, register  # scipy's optimiser is slow to import

    found = register(study.signal[0], study.geometry, *load_volume(series))
    numbers = {**asdict(found.motion), "displacement_mm": found.displacement_mm}
    rounded = {name: round(number, 3) for name, number in numbers.items()}
    record = {"method": METHOD, **rounded, "applied": found.applied}
    return (transformed(drawn, found.undoing) if found.applied else drawn), record
