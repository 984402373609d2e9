"""Check a case's masks: grid, values, size, border, ADC inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uteroseg.dataset.check.finding import Finding, error, refused, warning
from uteroseg.dataset.check.images import CheckedImages
from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.measure import MM3_PER_ML
from uteroseg.imaging.nifti import read_image

MIN_ML = 0.2
MIN_VOXELS = 10
ADC_RANGE = (0.4, 1.8)
"""Median ADC that a tumour of cervix or corpus can have, 10⁻³ mm²/s: reported 0.7 to 1.2, with room for
necrosis, mucinous types and noise. Urine has 3, normal myometrium 1.5, fat and air less than 0.3."""
_OUTSIDE = 0.2


def check_masks(root: Path, case: CaseId, images: CheckedImages, *, tumour: bool | None) -> Iterator[Finding]:
    """Check every mask of a case: the current one and those of single readers.

    Parameters
    ----------
    root : Path
    case : CaseId
    images : CheckedImages
    tumour : bool or None
        Whether the participants' table says that there is one; None where it does not say.
    """
    current = root / case.annotation("nii.gz")
    others = case.readers_annotation("*")
    for path in (current, *sorted((root / others).parent.glob(others.name))):
        if path.is_file():
            yield from _check(path, case, images, tumour if path == current else None)


def usable_mask(root: Path, case: CaseId, images: CheckedImages) -> Array | None:
    """The current mask, where it lies on the images' grid; None otherwise."""
    try:
        data, geometry = read_image(root / case.annotation("nii.gz"))
    except UserError:
        return None
    if images.geometry is None or data.ndim != 3 or geometry.difference(images.geometry):
        return None
    return np.asarray(data != 0)


def _check(path: Path, case: CaseId, images: CheckedImages, tumour: bool | None) -> Iterator[Finding]:
    name = "the mask" if "_desc-" not in path.name else path.name
    try:
        data, geometry = read_image(path)
    except UserError as problem:
        yield refused("unreadable", case, problem)
        return
    values = np.unique(data)
    if data.ndim != 3 or not np.isin(values, (0, 1)).all():
        listed = ", ".join(f"{v:g}" for v in values[:5])
        fix = "keep the tumour's label as 1 and everything else as 0"
        yield error("mask-values", case, f"{name} holds other values than 0 and 1 ({listed} …)", fix)
        return
    if images.geometry is not None and (difference := geometry.difference(images.geometry)):
        fix = "move the mask to the images' grid: ingest it with --annotations, which does so"
        yield error("mask-grid", case, f"{name} lies on another grid than the images ({difference})", fix)
        return
    inside = data != 0
    ml = float(np.count_nonzero(inside)) * geometry.voxel_volume_mm3 / MM3_PER_ML
    yield from _size(case, name, ml, int(np.count_nonzero(inside)), tumour)
    if ml > 0:
        yield from _border(case, name, inside)
        yield from _content(case, name, inside, images)


def _size(case: CaseId, name: str, ml: float, voxels: int, tumour: bool | None) -> Iterator[Finding]:
    if not voxels:
        if tumour is not False:
            fix = "annotate the case; where there is no tumour, write histology none in participants.tsv"
            yield warning("mask-empty", case, f"{name} is empty", fix)
    elif tumour is False:
        fix = "correct the histology in participants.tsv, or empty the mask"
        yield warning("mask-unexpected", case, f"histology none, and {name} holds {ml:.1f} mL", fix)
    elif ml < MIN_ML or voxels < MIN_VOXELS:
        fix = "look at the case; were only a few voxels drawn, or is this what is left after moving the mask?"
        yield warning("mask-tiny", case, f"{name} holds {ml:.2f} mL ({voxels} voxels)", fix)


def _border(case: CaseId, name: str, inside: Array) -> Iterator[Finding]:
    edges = ("slice", "row", "column")
    touched = [
        f"{end} {edge}"
        for axis, edge in enumerate(edges)
        for end, index in (("first", 0), ("last", -1))
        if inside.take(index, axis=axis).any()
    ]
    if touched:
        fix = "look at the case: a tumour that is cut gives a wrong volume and diameter"
        yield warning("mask-border", case, f"{name} reaches the {', '.join(touched)} of the images", fix)


def _content(case: CaseId, name: str, inside: Array, images: CheckedImages) -> Iterator[Finding]:
    if images.adc is None or images.body is None:
        return
    outside = float((~images.body)[inside].mean())
    if outside > _OUTSIDE:
        fix = "check that mask and images belong to the same patient and date, and that it is not mirrored"
        yield error("mask-outside", case, f"{outside:.0%} of {name} lies outside the body", fix)
        return
    values = images.adc[inside]
    median = float(np.median(values))
    if not ADC_RANGE[0] <= median <= ADC_RANGE[1]:
        low, high = ADC_RANGE
        fix = "look at the case: is the mask on the tumour, of the same date, and are the b-values right?"
        found = f"median ADC inside {name} is {median:.2f} · 10⁻³ mm²/s (tumours: {low:g} to {high:g})"
        yield warning("mask-adc", case, found, fix)
