"""A picture of an annotation that was moved to its study, for a person to check at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from uteroseg.annotations.placement import PlacedAnnotation
from uteroseg.files import write_file
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.measure import bounding_box, volume_ml
from uteroseg.imaging.overlay import overlay
from uteroseg.imaging.study import DwiStudy, Mask

_TILES = 6
_MARGIN_MM = 40.0


def write_sheet(path: Path, name: str, study: DwiStudy, placed: PlacedAnnotation) -> None:
    """Write the slices with most of a mask as PNG: above on the lowest b-value, below on the highest.

    The mask is magenta; where it was registered, green is the mask before.
    """
    sheet = contact_sheet(name, study, placed)
    write_file(path, lambda temporary: sheet.save(temporary, format="PNG"))


def contact_sheet(name: str, study: DwiStudy, placed: PlacedAnnotation) -> Image.Image:
    """The picture that `write_sheet` writes."""
    text = f"{name}: drawn on {placed.source}, {volume_ml(placed.mask):.2f} mL"
    if placed.outside_ml:
        text += f", {placed.outside_ml:.2f} mL outside"
    if placed.unregistered is not None:
        text += ", green before registration"
    box = _around(placed)
    mask, before = _cut(placed.mask, box), placed.unregistered and _cut(placed.unregistered, box)
    parts = [
        overlay(signal[box], mask, truth=before, caption=f"b {b:g} · {text}", tiles=_TILES)
        for signal, b in ((study.signal[i], study.b_values[i]) for i in (0, -1))
    ]
    sheet = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _around(placed: PlacedAnnotation) -> tuple[slice, slice, slice]:
    """All slices, cut in plane to the mask and what is around it."""
    data, geometry = placed.mask.data, placed.mask.geometry
    if placed.unregistered is not None:
        data = data | placed.unregistered.data
    if not data.any():
        return slice(None), slice(None), slice(None)
    margins = [int(np.ceil(_MARGIN_MM / mm)) for mm in geometry.spacing[1:]]
    _, rows, columns = bounding_box(data)
    return (
        slice(0, geometry.shape[0]),
        slice(max(0, rows.start - margins[0]), rows.stop + margins[0]),
        slice(max(0, columns.start - margins[1]), columns.stop + margins[1]),
    )


def _cut(mask: Mask, box: tuple[slice, slice, slice]) -> Mask:
    data = mask.data[box]
    affine = mask.geometry.affine.copy()
    affine[:3, 3] = mask.geometry.to_patient([part.start or 0 for part in box])
    slices, rows, columns = data.shape
    return Mask(data, Geometry((slices, rows, columns), affine))
