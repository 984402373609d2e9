"""Check a case's masks: grid, values, size, border, ADC inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uteroseg.dataset.check.finding import Finding, error, refused, warning
from uteroseg.dataset.check.images import CheckedImages
from uteroseg.dataset.layout import CaseId
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import MM3_PER_ML, PLAUSIBLE_TUMOUR_ADC
from uteroseg.imaging.nifti import read_image
from uteroseg.imaging.quality import body_in
from uteroseg.imaging.study import DwiStudy, Mask

MIN_ML = 0.2
MIN_VOXELS = 10
_OUTSIDE = 0.2


def mask_problems(
    mask: Mask, study: DwiStudy, where: object = "the mask", *, tumour: bool | None = None
) -> Iterator[Finding]:
    """What is wrong with a mask on its study, wherever they come from: size, border, place.

    Parameters
    ----------
    mask : Mask
        On the study's grid.
    study : DwiStudy
    where : object
        What to call it in the findings.
    tumour : bool or None
        Whether there is said to be a tumour; None where that is not known.
    """
    body = body_in(study.signal[0])
    yield from _problems(where, "the mask", mask.data, mask.geometry, body, tumour)


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
    if tumour is None and _said_empty(root / case.annotation("json")):
        tumour = False
    for path in (current, *sorted((root / others).parent.glob(others.name))):
        if path.is_file():
            yield from _check(path, case, images, tumour if path == current else None)


def _said_empty(sidecar: Path) -> bool:
    """Whether a table stated, when the mask came in, that there is no tumour."""
    try:
        return read_json(sidecar).get("annotation_source") == "none"
    except UserError:
        return False


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
        fix = "move the mask to the images' grid: ingest it as an annotation, which does so"
        yield error("mask-grid", case, f"{name} lies on another grid than the images ({difference})", fix)
        return
    inside = data != 0
    problems = list(_problems(case, name, inside, geometry, images.body, tumour))
    yield from problems
    if inside.any() and images.adc is not None and not any(p.severity == "error" for p in problems):
        yield from _adc(case, name, images.adc[inside])


def _problems(
    where: object, name: str, inside: Array, grid: Geometry, body: Array | None, tumour: bool | None
) -> Iterator[Finding]:
    voxels = int(np.count_nonzero(inside))
    yield from _size(where, name, voxels * grid.voxel_volume_mm3 / MM3_PER_ML, voxels, tumour)
    if voxels:
        yield from _border(where, name, inside)
        outside = 0.0 if body is None else float((~body)[inside].mean())
        if outside > _OUTSIDE:
            fix = (
                "check that mask and images belong to the same patient and date, and that it is not mirrored"
            )
            yield error("mask-outside", where, f"{outside:.0%} of {name} lies outside the body", fix)


def _size(where: object, name: str, ml: float, voxels: int, tumour: bool | None) -> Iterator[Finding]:
    if not voxels:
        if tumour is not False:
            fix = "annotate the case; where there is no tumour, write histology none in participants.tsv"
            yield warning("mask-empty", where, f"{name} is empty", fix)
    elif tumour is False:
        fix = "correct the histology in participants.tsv, or empty the mask"
        yield warning("mask-unexpected", where, f"histology none, and {name} holds {ml:.1f} mL", fix)
    elif ml < MIN_ML or voxels < MIN_VOXELS:
        fix = "look at the case; were only a few voxels drawn, or is this what is left after moving the mask?"
        yield warning("mask-tiny", where, f"{name} holds {ml:.2f} mL ({voxels} voxels)", fix)


def _border(where: object, name: str, inside: Array) -> Iterator[Finding]:
    edges = ("slice", "row", "column")
    touched = [
        f"{end} {edge}"
        for axis, edge in enumerate(edges)
        for end, index in (("first", 0), ("last", -1))
        if inside.take(index, axis=axis).any()
    ]
    if touched:
        fix = "look at the case: a tumour that is cut gives a wrong volume and diameter"
        yield warning("mask-border", where, f"{name} reaches the {', '.join(touched)} of the images", fix)


def _adc(case: CaseId, name: str, values: Array) -> Iterator[Finding]:
    median, (low, high) = float(np.median(values)), PLAUSIBLE_TUMOUR_ADC
    if not low <= median <= high:
        fix = "look at the case: is the mask on the tumour, of the same date, and are the b-values right?"
        found = f"median ADC inside {name} is {median:.2f} · 10⁻³ mm²/s (tumours: {low:g} to {high:g})"
        yield warning("mask-adc", case, found, fix)
