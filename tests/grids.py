"""Grids for tests: every plane, oblique, negated columns and rows, anisotropic spacing."""

import numpy as np
from hypothesis import strategies as st

from uteroseg.imaging.geometry import Geometry

ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "negated columns": (-1, 0, 0, 0, 1, 0),
    "negated rows": (0, 1, 0, 0, 0, 1),
    "rows and columns exchanged": (0, 0, -1, 0, 1, 0),
    "oblique": (0.9938, 0.0, -0.1113, 0.0, 0.9484, 0.3171),
}


def grid(name="axial", shape=(5, 7, 9), spacing=(4.0, 2.0, 1.5), position=(-10.0, 20.0, 5.0)):
    """A grid with slices that ascend along its normal."""
    columns, rows = np.array(ORIENTATIONS[name], float).reshape(2, 3)
    columns /= np.linalg.norm(columns)
    rows -= columns * (rows @ columns)
    rows /= np.linalg.norm(rows)
    return Geometry.from_dicom(
        shape,
        position=position,
        orientation=(*columns, *rows),
        pixel_spacing=spacing[1:],
        slice_step=np.cross(columns, rows) * spacing[0],
    )


sizes = st.integers(1, 12)
millimetres = st.floats(0.5, 8)
positions = st.floats(-300, 300)
grids = st.builds(
    grid,
    st.sampled_from(sorted(ORIENTATIONS)),
    st.tuples(sizes, sizes, sizes),
    st.tuples(millimetres, millimetres, millimetres),
    st.tuples(positions, positions, positions),
)
