"""The images that a study's slices came from, for DICOM objects that refer to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import Stack, arrange_map
from uteroseg.imaging.geometry import Geometry


@dataclass(frozen=True, eq=False)
class SourceImages:
    """One image for each slice of a grid: of a diffusion study, those of the lowest b-value.

    Images of several b-values would share positions, which the standard's derivation macros and viewers do
    not tell apart. The headers identify the patient: this is kept in memory alone.

    Parameters
    ----------
    geometry : Geometry
    images : tuple of Frame
        In the order of the slices.
    headers : tuple of Dataset
        Of each image's file.
    """

    geometry: Geometry
    images: tuple[Frame, ...]
    headers: tuple[Dataset, ...]

    @classmethod
    def of_stack(cls, stack: Stack, series: Sequence[Series]) -> SourceImages:
        """Of the diffusion images that were read."""
        return cls._of(stack.geometry, [cell[0] for cell in stack.cells[0]], series)

    @classmethod
    def of_series(cls, series: Series) -> SourceImages:
        """Of a series without b-values, such as T2; raises UserError where it is no stack of slices."""
        geometry, frames = arrange_map(frames_of(series), what=series.name)
        return cls._of(geometry, frames, [series])

    @classmethod
    def _of(cls, geometry: Geometry, frames: Sequence[Frame], series: Sequence[Series]) -> SourceImages:
        known = {file: header for one in series for file, header in zip(one.files, one.headers, strict=True)}
        return cls(geometry, tuple(frames), tuple(known[frame.file] for frame in frames))

    def __repr__(self) -> str:  # names and identifiers stay out of logs
        return f"SourceImages({len(self.images)} slices)"
