"""Scanners that virtual patients can be sent through: shifts of domain like those between hospitals.

The paper's uterine cohort comes from two Siemens 3 T scanners, Skyra and Trio TIM; its protocols are not
published. Every value here is of the usual kind for pelvic DWI (docs/virtual-cohorts.md), none the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from uteroseg.errors import UserError
from uteroseg.phantom.acquisition import DEFAULT, Acquisition, Artefacts

Encoding = Literal["classic", "enhanced"]
"""How a scanner's files hold images: one each, or all of a series."""

T2Annotation = Literal["rtstruct", "seg"]
"""How a tumour is drawn on a T2 series in DICOM."""

_TRIO = Acquisition(
    name="siemens-trio-3t",
    model="TrioTim",
    slices=22,
    slice_mm=5.0,
    echo_time_ms=84.0,
    snr=32.0,
    blur_pixels=(0.4, 0.75),
    averages=2,
    noise_pixels=0.5,
    echo_spacing_ms=0.75,
    artefacts=Artefacts(distortion=1.0, fat_residue=0.15, ghost=0.06, motion_mm=0.7, motion_deg=0.4),
)
_GE = Acquisition(
    name="ge-signa-1.5t",
    vendor="ge",
    model="SIGNA HDxt",
    spacing_mm=2.2,
    slices=20,
    slice_mm=6.0,
    b_values=(0.0, 800.0),
    echo_time_ms=78.0,
    snr=26.0,
    field_t=1.5,
    blur_pixels=(0.6, 0.8),
    averages=4,
    noise_pixels=0.8,
    echo_spacing_ms=0.7,
    artefacts=Artefacts(distortion=1.0, fat_residue=0.10, ghost=0.05, motion_mm=0.8, motion_deg=0.5),
)
_PHILIPS = Acquisition(
    name="philips-ingenia-3t",
    vendor="philips",
    model="Ingenia",
    matrix=(144, 144),
    spacing_mm=1.75,
    slices=28,
    slice_mm=4.0,
    b_values=(0.0, 400.0, 1000.0),
    echo_time_ms=64.0,
    snr=34.0,
    blur_pixels=(0.5, 0.6),
    averages=3,
    noise_pixels=0.65,
    echo_spacing_ms=0.55,
    artefacts=Artefacts(distortion=0.6, fat_residue=0.12, ghost=0.03, motion_mm=0.5, motion_deg=0.3),
)

PRESETS: Mapping[str, Acquisition] = {one.name: one for one in (DEFAULT, _TRIO, _GE, _PHILIPS)}
"""Every scanner by its name; ``dataclasses.replace(…, plane="axial")`` turns one to the other plane."""


def acquisition_named(name: str) -> Acquisition:
    """A scanner by its name.

    Raises
    ------
    UserError
        If there is no such scanner.
    """
    if name not in PRESETS:
        raise UserError(
            f"There is no virtual scanner {name!r}.",
            expected=f"{', '.join(PRESETS)}.",
            fix="choose one of them as `scanner`.",
        )
    return PRESETS[name]
