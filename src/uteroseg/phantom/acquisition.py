"""How a virtual patient is scanned: plane, grid, b-values, echo time, noise and artefacts.

In-plane phase encoding runs along the rows of pixels (DICOM's ROW: the column index changes), from front to
back in sagittal images and from right to left in axial ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry

ScanPlane = Literal["sagittal", "axial"]
Vendor = Literal["siemens", "ge", "philips"]

_ORIENTATION: dict[ScanPlane, tuple[float, ...]] = {
    "sagittal": (0, 1, 0, 0, 0, -1),
    "axial": (1, 0, 0, 0, 1, 0),
}
_SLICE_DIRECTION: dict[ScanPlane, tuple[float, float, float]] = {"sagittal": (-1, 0, 0), "axial": (0, 0, 1)}
_PROTON_MHZ_PER_T = 42.577


def _require(value: float, what: str, *, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(
            f"The {what} is {value:g}.",
            expected=f"{low:g} to {high:g} {unit}".rstrip() + ".",
            fix=f"set the {what} within that range.",
        )


def _require_one_of(value: str, what: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(
            f"The {what} is {value!r}.",
            expected=f"{', '.join(known[:-1])} or {known[-1]}.",
            fix="choose one of them.",
        )


@dataclass(frozen=True)
class Artefacts:
    """How strong a protocol's artefacts are; what a patient gets of each is drawn. 0 is none.

    Parameters
    ----------
    distortion : float
        Of the field around gas that is left after shimming, 0–2; 1 is all of it. A patient gets 0.4–1 of it.
    fat_residue : float
        Largest share of the fat's signal that escapes suppression and is shifted by its frequency, 0–0.5.
    ghost : float
        Largest level of the Nyquist ghost, half a field of view away, relative to the image, 0–0.2.
    motion_mm : float
        Standard deviation of the shift between b-values, in plane along either axis, 0–10 mm.
    motion_deg : float
        Standard deviation of the rotation between b-values, in plane, 0–10 degrees.

    Raises
    ------
    UserError
        If a value lies outside its range.
    """

    distortion: float = 0.0
    fat_residue: float = 0.0
    ghost: float = 0.0
    motion_mm: float = 0.0
    motion_deg: float = 0.0

    def __post_init__(self) -> None:
        _require(self.distortion, "distortion", low=0, high=2, unit="")
        _require(self.fat_residue, "residual fat", low=0, high=0.5, unit="")
        _require(self.ghost, "ghost level", low=0, high=0.2, unit="")
        _require(self.motion_mm, "motion between b-values", low=0, high=10, unit="mm")
        _require(self.motion_deg, "rotation between b-values", low=0, high=10, unit="degrees")


@dataclass(frozen=True)
class Acquisition:
    """A single-shot echo-planar diffusion protocol; the defaults are one at 3 T without artefacts.

    Parameters
    ----------
    name : str
        What the protocol is called; it becomes part of a simulated study's key.
    plane : {"sagittal", "axial"}
    matrix : tuple of int
        Rows and columns, 32–512 each.
    spacing_mm : float
        Distance between rows and between columns, 0.5–6 mm.
    slices : int
        1–128.
    slice_mm : float
        Slice thickness and distance, without a gap, 1–12 mm.
    b_values : tuple of float
        s/mm², strictly ascending, at least two of 0–3000.
    echo_time_ms : float
        20–200 ms.
    snr : float
        Signal of soft tissue with T2 90 ms at b 0 over the standard deviation of the noise in the middle of
        the stored image, 2–1000.
    averages : int
        How many magnitude images a stored one is the mean of (directions and repeats), 1–64.
    field_t : float
        Field strength, 1–3 T.
    vendor : {"siemens", "ge", "philips"}
        Whose scanner it is, for DICOM.
    model : str
        The scanner's name.
    blur_pixels : tuple of float
        Standard deviation of the point spread along rows and columns (phase encoding), 0–3 pixels.
    noise_pixels : float
        Width over which interpolation and filters correlate the noise, 0–2 pixels.
    echo_spacing_ms : float
        Time between two echoes, 0.2–2 ms.
    acceleration : float
        Of parallel imaging along phase encoding, 1–4.
    artefacts : Artefacts

    Raises
    ------
    UserError
        If a value lies outside its range.
    """

    name: str = "plain"
    plane: ScanPlane = "sagittal"
    matrix: tuple[int, int] = (128, 128)
    spacing_mm: float = 2.0
    slices: int = 24
    slice_mm: float = 4.5
    b_values: tuple[float, ...] = (0.0, 1000.0)
    echo_time_ms: float = 70.0
    snr: float = 40.0
    averages: int = 1
    field_t: float = 3.0
    vendor: Vendor = "siemens"
    model: str = ""
    blur_pixels: tuple[float, float] = (0.35, 0.55)
    noise_pixels: float = 0.0
    echo_spacing_ms: float = 0.6
    acceleration: float = 2.0
    artefacts: Artefacts = Artefacts()

    def __post_init__(self) -> None:
        object.__setattr__(self, "b_values", tuple(float(b) for b in self.b_values))
        _require_one_of(self.plane, "scan plane", get_args(ScanPlane))
        _require_one_of(self.vendor, "vendor", get_args(Vendor))
        for size in self.matrix:
            _require(size, "matrix size", low=32, high=512, unit="pixels")
        _require(self.spacing_mm, "pixel spacing", low=0.5, high=6, unit="mm")
        _require(self.slices, "number of slices", low=1, high=128, unit="slices")
        _require(self.slice_mm, "slice thickness", low=1, high=12, unit="mm")
        _require(self.echo_time_ms, "echo time", low=20, high=200, unit="ms")
        _require(self.snr, "signal-to-noise ratio", low=2, high=1000, unit="")
        _require(self.averages, "number of averages", low=1, high=64, unit="")
        _require(self.field_t, "field strength", low=1, high=3, unit="T")
        for sigma in self.blur_pixels:
            _require(sigma, "blur", low=0, high=3, unit="pixels")
        _require(self.noise_pixels, "width of the noise", low=0, high=2, unit="pixels")
        _require(self.echo_spacing_ms, "echo spacing", low=0.2, high=2, unit="ms")
        _require(self.acceleration, "acceleration", low=1, high=4, unit="")
        for b_value in self.b_values:
            _require(b_value, "b-value", low=0, high=3000, unit="s/mm²")
        ascending = all(b < c for b, c in zip(self.b_values, self.b_values[1:], strict=False))
        if len(self.b_values) < 2 or not ascending:
            raise UserError(
                f"The b-values are {', '.join(f'{b:g}' for b in self.b_values) or 'missing'}.",
                expected="at least two, each larger than the one before.",
                fix="list them in ascending order, such as 0, 1000.",
            )

    @property
    def t2_factor(self) -> float:
        """How much longer T2 is than at 3 T: 1.19 at 1.5 T (general knowledge: 10–30 %)."""
        return (3.0 / self.field_t) ** 0.25

    @property
    def pixels_per_ppm(self) -> float:
        """Shift along phase encoding that one ppm of the main field causes.

        Δf · echo spacing · N_PE / R: 100 Hz, 0.6 ms, 128, R 2 give 3.8 pixels.
        """
        train_s = self.echo_spacing_ms * 1e-3 * self.matrix[1] / self.acceleration
        return _PROTON_MHZ_PER_T * self.field_t * train_s

    def geometry(self, centre: Sequence[float]) -> Geometry:
        """The grid of this protocol around a point (LPS, mm).

        Sagittal: columns run to posterior, rows to inferior, slices along the normal, to the right.
        Axial: columns run to the left, rows to posterior, slices to superior.
        """
        rows, columns = self.matrix
        orientation = _ORIENTATION[self.plane]
        step = tuple(self.slice_mm * part for part in _SLICE_DIRECTION[self.plane])
        position = tuple(
            middle
            - orientation[axis] * self.spacing_mm * (columns - 1) / 2
            - orientation[axis + 3] * self.spacing_mm * (rows - 1) / 2
            - step[axis] * (self.slices - 1) / 2
            for axis, middle in enumerate(centre)
        )
        return Geometry.from_dicom(
            (self.slices, rows, columns),
            position=position,
            orientation=orientation,
            pixel_spacing=(self.spacing_mm, self.spacing_mm),
            slice_step=step,
        )


DEFAULT = Acquisition(
    name="siemens-skyra-3t",
    model="Skyra",
    averages=3,
    noise_pixels=0.6,
    artefacts=Artefacts(distortion=0.7, fat_residue=0.06, ghost=0.03, motion_mm=0.5, motion_deg=0.3),
)
"""Sagittal, 128 × 128 × 24, b 0 and 1000: the protocol of the virtual cohorts."""
