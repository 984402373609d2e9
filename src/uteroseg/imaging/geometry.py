"""Where an array lies in the patient: the one geometry type of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from uteroseg.errors import UserError

Array = npt.NDArray[Any]
Plane = Literal["sagittal", "coronal", "axial"]

_PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
SQUARE = 0.01
"""How far from unit vectors at right angles directions in DICOM may be: rounding stays far below."""
VOXEL_MM = (1e-3, 1e3)  # beyond are damaged headers; what is likely, `check` says
_NIFTI_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False, repr=False)
class Geometry:
    """A regular grid in patient coordinates.

    Parameters
    ----------
    shape : tuple of int
        Number of slices, rows and columns.
    affine : ndarray, shape (4, 4)
        Maps ``(slice, row, column, 1)`` to DICOM patient coordinates (LPS, mm) of the voxel's centre.

    Raises
    ------
    ValueError
        If the affine is singular or not 4 × 4, or voxels have impossible sizes.

    References
    ----------
    DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1 (the column order here is slice, row, column).
    """

    shape: tuple[int, int, int]
    affine: Array

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
            raise ValueError(f"an affine is a finite, invertible 4 × 4 matrix, got {affine!r}")
        (low, high), edges = VOXEL_MM, np.linalg.norm(affine[:3, :3], axis=0)
        if not all(low <= mm <= high for mm in edges):
            got = " × ".join(f"{mm:g}" for mm in edges)
            raise ValueError(f"voxels have edges of {low:g} to {high:g} mm, got {got} mm")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @classmethod
    def from_dicom(
        cls,
        shape: tuple[int, int, int],
        *,
        position: Sequence[float],
        orientation: Sequence[float],
        pixel_spacing: Sequence[float],
        slice_step: Sequence[float],
    ) -> Geometry:
        """Build from DICOM attributes.

        Parameters
        ----------
        shape : tuple of int
            Number of slices, rows and columns.
        position : sequence of 3 floats
            Image Position (Patient) of the first slice, mm.
        orientation : sequence of 6 floats
            Image Orientation (Patient): direction of increasing column index, then of increasing row index.
        pixel_spacing : sequence of 2 floats
            Pixel Spacing: distance between rows, then between columns, mm.
        slice_step : sequence of 3 floats
            Vector from one slice to the next, mm.
        """
        along_columns, along_rows = np.asarray(orientation, float).reshape(2, 3)
        affine = np.eye(4)
        affine[:3, 0] = slice_step
        affine[:3, 1] = along_rows * pixel_spacing[0]
        affine[:3, 2] = along_columns * pixel_spacing[1]
        affine[:3, 3] = position
        return cls(shape, affine)

    @classmethod
    def from_nifti(cls, shape: Sequence[int], affine: Array) -> Geometry:
        """Build from the shape ``(i, j, k)`` and affine (RAS, mm) of a NIfTI image, read as ``[k, j, i]``."""
        i, j, k = shape
        return cls((k, j, i), _NIFTI_FROM_LPS @ np.asarray(affine, float)[:, [2, 1, 0, 3]])

    @property
    def nifti_affine(self) -> Array:
        """The affine (RAS, mm) of the transposed array ``[column, row, slice]``."""
        return (_NIFTI_FROM_LPS @ self.affine)[:, [2, 1, 0, 3]]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between slices, rows and columns, mm."""
        slice_mm, row_mm, column_mm = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slice_mm), float(row_mm), float(column_mm)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def normal(self) -> Array:
        """Unit normal of the slices: direction of columns × direction of rows, as DICOM orders them."""
        normal = np.cross(self.affine[:3, 2], self.affine[:3, 1])
        return np.asarray(normal / np.linalg.norm(normal))

    @property
    def plane(self) -> Plane:
        """The anatomical plane that the slices are nearest to."""
        return _PLANES[int(np.argmax(np.abs(self.normal)))]

    @property
    def described(self) -> str:
        """Voxels, their size and the plane, for people."""
        millimetres = " × ".join(f"{mm:.4g}" for mm in self.spacing)
        return f"{_sizes(self.shape)} voxels of {millimetres} mm, {self.plane}"

    def __repr__(self) -> str:
        return f"Geometry({self.described})"

    def to_patient(self, index: npt.ArrayLike) -> Array:
        """Patient coordinates (LPS, mm), shape (…, 3), of indices ``(slice, row, column)``, shape (…, 3)."""
        return np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, point: npt.ArrayLike) -> Array:
        """Fractional indices ``(slice, row, column)``, shape (…, 3), of points (LPS, mm), shape (…, 3)."""
        return (np.asarray(point, float) - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def difference(self, other: Geometry, tolerance_mm: float = 0.1) -> str | None:
        """Say how two grids differ, or None where every voxel centre agrees within the tolerance."""
        if self.shape != other.shape:
            return f"{_sizes(self.shape)} against {_sizes(other.shape)} slices × rows × columns"
        corners = corners_of(self.shape)
        distance = np.linalg.norm(self.to_patient(corners) - other.to_patient(corners), axis=1).max()
        if distance > tolerance_mm:
            return f"the same number of voxels, but corners up to {distance:.1f} mm apart"
        return None

    def require_same(self, other: Geometry, *, what: str, fix: str) -> None:
        """Raise a UserError that names the difference where two grids that should agree do not."""
        if difference := self.difference(other):
            raise UserError(
                f"{what}: the grids differ ({difference}).", expected="one grid for both.", fix=fix
            )


def corners_of(shape: Sequence[int], *, beyond: float = 0) -> Array:
    """Indices of a grid's corner voxels, shape (8, 3); with ``beyond`` 0.5 of the corners of its outline."""
    return np.array(np.meshgrid(*[(-beyond, n - 1 + beyond) for n in shape])).reshape(3, -1).T


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
