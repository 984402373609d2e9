"""Turn slices to the way a radiologist looks at their plane, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry, Plane

# For each plane the axis (LPS) and the sign of its direction, of increasing row and column index.
_DIRECTIONS: dict[Plane, tuple[tuple[int, int], tuple[int, int]]] = {
    "sagittal": ((2, -1), (1, 1)),  # rows to inferior, columns to posterior
    "coronal": ((2, -1), (0, 1)),  # rows to inferior, columns to the patient's left
    "axial": ((1, 1), (0, 1)),  # rows to posterior, columns to the patient's left
}


@dataclass(frozen=True)
class View:
    """The turn of a study's slices to the usual view: at most a transposition, then flips.

    Parameters
    ----------
    transpose, flip_rows, flip_columns : bool
    shape : tuple of int
        Rows and columns of the turned slice.
    spacing_mm : tuple of float
        Distance between its rows and between its columns.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]

    @classmethod
    def of(cls, geometry: Geometry) -> View:
        """The view of a study's plane."""
        (row_axis, row_sign), (column_axis, column_sign) = _DIRECTIONS[geometry.plane]
        rows, columns = geometry.affine[:3, 1], geometry.affine[:3, 2]
        _, n_rows, n_columns = geometry.shape
        _, row_mm, column_mm = geometry.spacing
        transpose = bool(abs(rows[column_axis]) > abs(rows[row_axis]))
        if transpose:
            rows, columns = columns, rows
            n_rows, n_columns, row_mm, column_mm = n_columns, n_rows, column_mm, row_mm
        return cls(
            transpose=transpose,
            flip_rows=bool(rows[row_axis] * row_sign < 0),
            flip_columns=bool(columns[column_axis] * column_sign < 0),
            shape=(n_rows, n_columns),
            spacing_mm=(row_mm, column_mm),
        )

    def turn(self, slices: Array) -> Array:
        """Slices (…, rows, columns) of the study, as the view shows them."""
        return self._flip(np.swapaxes(slices, -1, -2) if self.transpose else slices)

    def turn_back(self, slices: Array) -> Array:
        """Slices of the view, as the study has them."""
        flipped = self._flip(slices)
        return np.ascontiguousarray(np.swapaxes(flipped, -1, -2) if self.transpose else flipped)

    def _flip(self, slices: Array) -> Array:
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in (self.flip_rows, self.flip_columns))
        return slices[..., rows, columns]
