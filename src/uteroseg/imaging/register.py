"""Find how a patient moved between two series of one examination, T2 and DWI: rigid in the DWI's plane.

Through the plane nothing is looked for: slices are thick, and two series seldom share them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.align import Motion, judged_motion
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.resample import resample_image

METHOD = "rigid in plane; normalised mutual information with the image of the lowest b-value"


@dataclass(frozen=True)
class Registration:
    """How the other series lies on the DWI.

    Parameters
    ----------
    motion : Motion
        Of the other series, against the image of the lowest b-value.
    displacement_mm : float
        How far it takes the body, root mean square.
    applied : bool
        Whether that is more than a threshold and beyond doubt, as of `uteroseg.imaging.align.align`.
    geometry : Geometry
        Of the DWI.
    """

    motion: Motion
    displacement_mm: float
    applied: bool
    geometry: Geometry

    @property
    def undoing(self) -> Array:
        """Takes points (LPS, mm) of the other series to where the DWI has them, shape (4, 4)."""
        _, *spacing = self.geometry.spacing
        to_plane = np.diag([1.0, *spacing, 1.0])  # from indices to mm from the slice's centre
        to_plane[1:3, 3] = -(np.array(self.geometry.shape[1:]) - 1) / 2 * spacing
        moved = np.eye(4)
        moved[1:3, 1:3] = self.motion.rotation
        moved[1:3, 3] = self.motion.rows_mm, self.motion.columns_mm
        in_patient = self.geometry.affine @ np.linalg.inv(to_plane)
        return np.asarray(in_patient @ np.linalg.inv(moved) @ np.linalg.inv(in_patient))


def register(b0: Array, geometry: Geometry, other: Array, other_geometry: Geometry) -> Registration:
    """Register another series to the DWI.

    Parameters
    ----------
    b0, other : ndarray, shape (slices, rows, columns)
    geometry, other_geometry : Geometry
    """
    on_grid = resample_image(other, other_geometry, geometry)
    return Registration(*judged_motion(b0, on_grid, geometry.spacing[1:]), geometry)
