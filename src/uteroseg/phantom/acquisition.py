"""How a virtual patient is scanned: plane, grid, b-values, echo time and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry

ScanPlane = Literal["sagittal", "axial"]

_ORIENTATION: dict[ScanPlane, tuple[float, ...]] = {
    "sagittal": (0, 1, 0, 0, 0, -1),
    "axial": (1, 0, 0, 0, 1, 0),
}
_SLICE_DIRECTION: dict[ScanPlane, tuple[float, float, float]] = {"sagittal": (-1, 0, 0), "axial": (0, 0, 1)}


@dataclass(frozen=True)
class Acquisition:
    """A single-shot echo-planar diffusion protocol.

    The defaults are of the kind used for pelvic DWI at 3 T: TE 58–99 ms, 1.5–2 mm in plane, 18–40 slices of
    4–5 mm.

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
        Signal of soft tissue with T2 90 ms at b 0 over the noise of one Gaussian channel, 2–1000.

    Raises
    ------
    UserError
        If a value lies outside its range.
    """

    name: str = "siemens-skyra-3t"
    plane: ScanPlane = "sagittal"
    matrix: tuple[int, int] = (128, 128)
    spacing_mm: float = 2.0
    slices: int = 24
    slice_mm: float = 4.5
    b_values: tuple[float, ...] = (0.0, 1000.0)
    echo_time_ms: float = 70.0
    snr: float = 42.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "b_values", tuple(float(b) for b in self.b_values))
        if self.plane not in _ORIENTATION:
            raise UserError(
                f"The scan plane is {self.plane!r}.",
                expected="sagittal or axial.",
                fix="choose one of them.",
            )
        for size in self.matrix:
            _require(size, "matrix size", low=32, high=512, unit="pixels")
        _require(self.spacing_mm, "pixel spacing", low=0.5, high=6, unit="mm")
        _require(self.slices, "number of slices", low=1, high=128, unit="slices")
        _require(self.slice_mm, "slice thickness", low=1, high=12, unit="mm")
        _require(self.echo_time_ms, "echo time", low=20, high=200, unit="ms")
        _require(self.snr, "signal-to-noise ratio", low=2, high=1000, unit="")
        for b_value in self.b_values:
            _require(b_value, "b-value", low=0, high=3000, unit="s/mm²")
        ascending = all(b < c for b, c in zip(self.b_values, self.b_values[1:], strict=False))
        if len(self.b_values) < 2 or not ascending:
            raise UserError(
                f"The b-values are {', '.join(f'{b:g}' for b in self.b_values) or 'missing'}.",
                expected="at least two, each larger than the one before.",
                fix="list them in ascending order, such as 0, 1000.",
            )

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


def _require(value: float, what: str, *, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(
            f"The {what} is {value:g}.",
            expected=f"{low:g} to {high:g} {unit}".rstrip() + ".",
            fix=f"set the {what} within that range.",
        )


DEFAULT = Acquisition()
"""Sagittal, 128 × 128 × 24, b 0 and 1000: the protocol of the virtual cohorts."""
