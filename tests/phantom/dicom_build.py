"""A small study to write as DICOM: signal and tumour of known values on any plane."""

import numpy as np

from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import DwiStudy, Mask

VENDORS = ("siemens", "ge", "philips", "canon", "uih")
ENCODINGS = ("classic", "enhanced")
B_VALUES = (0.0, 50.0, 1000.0)
SLICES, ROWS, COLUMNS = 6, 40, 34
_PLANES = {
    "axial": ((1, 0, 0, 0, 1, 0), (0, 0, 4.5)),
    "sagittal": ((0, 1, 0, 0, 0, -1), (-4.5, 0, 0)),
}


def small_study(plane="sagittal", *, brightest=3000, b_values=B_VALUES, **acquisition):
    """Whole numbers, other in every voxel; b 1000 is about a sixth of b 0."""
    orientation, step = _PLANES[plane]
    geometry = Geometry.from_dicom(
        (SLICES, ROWS, COLUMNS),
        position=(-30.12, 20.5, -55.25),
        orientation=orientation,
        pixel_spacing=(4, 3.5),
        slice_step=step,
    )
    rng = np.random.default_rng(7)
    adc = rng.uniform(0.8, 2.5, geometry.shape)
    at_b0 = rng.uniform(brightest / 6, brightest, geometry.shape)
    signal = np.stack([np.rint(at_b0 * np.exp(-b / 1000 * adc)) for b in b_values])
    return DwiStudy(signal.astype(np.float32), tuple(map(float, b_values)), geometry, acquisition=acquisition)


def small_mask(geometry):
    """A box without symmetry, and one voxel in the corner of the last slice."""
    data = np.zeros(geometry.shape, bool)
    data[1:4, 5:20, 3:9] = True
    data[-1, -1, 0] = True
    return Mask(data, geometry)
