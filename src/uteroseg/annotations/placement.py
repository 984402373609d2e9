"""An annotation, drawn on any image of the examination, on the grid of its diffusion study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uteroseg.annotations.belonging import drawn_on, mismatch
from uteroseg.annotations.file import AnnotationFile
from uteroseg.annotations.regions import OFF_MM
from uteroseg.annotations.table import Annotation
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import Series
from uteroseg.dicom.studies import FoundStudy
from uteroseg.dicom.volume import load_volume, series_grid
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry, corners_of
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.nifti import Form
from uteroseg.imaging.resample import resample_mask, transformed, volume_outside_ml
from uteroseg.imaging.study import DwiStudy, Mask

_SOURCE_NAMES = {SeriesKind.DWI: "another DWI series", SeriesKind.OTHER: "another series"}
_MOST_OUTSIDE = 0.5


@dataclass(frozen=True, eq=False)
class PlacedAnnotation:
    """An annotation on its study's grid.

    Parameters
    ----------
    mask : Mask
        Empty where it is said that there is no tumour.
    source : str
        What it was drawn on: ``DWI``, ``T2`` …, ``another grid`` where no such series was found, or ``none``
        where it is said that there is no tumour.
    drawn_ml, outside_ml : float
        Volume as drawn, and of that the volume outside the study.
    registration : mapping, optional
        How that series was found to lie on the study, where that was looked for.
    unregistered : Mask, optional
        Where that was applied, the mask without it.
    reader : str
        Who drew it, where a table says so.
    drawn_by : str
        The model or algorithm that drew it; empty for people.
    notes : tuple of str
        What must be said of it.
    series : Series, optional
        That it was drawn on.
    """

    mask: Mask
    source: str
    drawn_ml: float = 0.0
    outside_ml: float = 0.0
    registration: Mapping[str, Any] | None = None
    unregistered: Mask | None = None
    reader: str = ""
    drawn_by: str = ""
    notes: tuple[str, ...] = ()
    series: Series | None = None

    @property
    def sidecar(self) -> dict[str, Any]:
        """What is written beside the mask; of the file's own text, which may name people, only a model."""
        known = {"registration": self.registration, "reader": self.reader, "drawn_by": self.drawn_by}
        return {
            "annotation_source": self.source,
            "volume_ml_as_drawn": round(self.drawn_ml, 3),
            "volume_ml_outside": round(self.outside_ml, 3),
            "volume_ml": round(volume_ml(self.mask), 3),
            **{name: value for name, value in known.items() if value},
            "tool": "unknown",
        }


def place_annotation(
    annotation: Annotation,
    study: DwiStudy,
    *,
    found: FoundStudy | None = None,
    with_registration: bool = False,
    nifti_form: Form | None = None,
) -> PlacedAnnotation:
    """Read an annotation and move it to its study's grid through patient coordinates.

    Parameters
    ----------
    annotation : Annotation
    study : DwiStudy
    found : FoundStudy, optional
        Of a study in DICOM: whose other series tell what the annotation was drawn on.
    with_registration : bool
        Find how the patient moved between the series that it was drawn on and the image of the lowest
        b-value, and move the mask where that is beyond doubt.
    nifti_form : {"qform", "sform"}, optional
        Where a NIfTI mask lies, if its header says two things.

    Raises
    ------
    UserError
        If the annotation belongs to another patient, frame of reference or examination, cannot be read, is
        empty where nobody said so, or arrives by less than half; each names its file.
    """
    file, choice = annotation.open(nifti_form), annotation.choice
    reference = file.reference if file and found else None
    if file and found and reference and (reason := mismatch(reference, found, file.path)):
        raise reason
    if file is None or choice.no_tumour:
        if file:
            file.require_empty()
        nothing = Mask(np.zeros(study.geometry.shape, bool), study.geometry)
        said = "the table says that there is no tumour"
        return PlacedAnnotation(nothing, "none", reader=annotation.reader, notes=(said,))
    notes, named = [*file.notes], reference.series if reference else frozenset()
    series = drawn_on(found, reference.instances, named) if found and reference else None

    def grid_of(instances: frozenset[str], points: Array) -> Geometry | None:
        nonlocal series
        series = drawn_on(found, instances, named) if found and instances else series
        if series is None:
            depths = study.geometry.to_index(points)[:, 0]
            off_mm = np.abs(depths - np.rint(depths).clip(0, study.geometry.shape[0] - 1)).max()
            lies_there = off_mm * study.geometry.spacing[0] <= OFF_MM
            how = "it lies in the study's slices" if lies_there else "slices lie as far apart as it says"
            notes.append(f"the images it was drawn on are not at hand: {how}")
            return study.geometry if lies_there else None
        return study.geometry if found and series in found.used else series_grid(series)

    drawn = file.mask(choice, grid_of)
    on_dwi = series in found.used if found and series else _same_voxels(drawn.geometry, study.geometry)
    if found and not on_dwi and series is None:
        series = _series_on_grid(drawn.geometry, found.others)
    moved, registration = drawn, None
    if with_registration and not on_dwi:
        moved, registration = _registered(drawn, series, study, file)
    drawn_ml, outside_ml = volume_ml(drawn), volume_outside_ml(moved, study.geometry)
    if outside_ml > _MOST_OUTSIDE * drawn_ml:
        raise UserError(
            f"{file.path}: {outside_ml:.2f} of {drawn_ml:.2f} mL lie outside the study.",
            expected="a mask of which at least half lies inside the study.",
            fix="check that mask and study belong to the same patient and the same examination.",
        )
    try:
        mask = resample_mask(moved, study.geometry)
    except UserError as error:
        raise UserError(f"{file.path}: {error.found}", expected=error.expected, fix=error.fix) from error
    if drawn_by := file.drawn_by(choice):
        notes.append(f"it was drawn by {drawn_by}, not by a person")
    return PlacedAnnotation(
        mask,
        "DWI" if on_dwi else _name(series),
        drawn_ml=drawn_ml,
        outside_ml=outside_ml,
        registration=registration,
        unregistered=None if moved is drawn else resample_mask(drawn, study.geometry),
        reader=annotation.reader,
        drawn_by=drawn_by,
        notes=tuple(notes),
        series=series,
    )


def _name(series: Series | None) -> str:
    """What was drawn on, where it was not the study; a series' own description is not copied."""
    return _SOURCE_NAMES.get(series.kind, series.kind.upper()) if series else "another grid"


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
    corners = [grid.to_patient(corners_of(grid.shape)) for grid in (one, other)]
    apart = np.linalg.norm(corners[0][:, None] - corners[1][None], axis=2)
    return bool(apart.min(axis=1).max() <= tolerance_mm)


def _registered(
    drawn: Mask, series: Series | None, study: DwiStudy, file: AnnotationFile
) -> tuple[Mask, dict[str, Any]]:
    """The mask, moved as the patient was where that is beyond doubt, and the record of it."""
    if series is None:
        raise UserError(
            f"The images on which {file.path} was drawn are not in the source.",
            expected="for `register`, the series that the annotation was drawn on.",
            fix="add that series to the source, or leave out `register`.",
        )
    from uteroseg.imaging.register import METHOD, register  # scipy's optimiser is slow to import

    found = register(study.signal[0], study.geometry, *load_volume(series))
    numbers = {**asdict(found.motion), "displacement_mm": found.displacement_mm}
    rounded = {name: round(number, 3) for name, number in numbers.items()}
    record = {"method": METHOD, **rounded, "applied": found.applied}
    return (transformed(drawn, found.undoing) if found.applied else drawn), record
