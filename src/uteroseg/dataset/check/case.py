"""Check one case, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uteroseg.dataset.check.finding import Finding
from uteroseg.dataset.check.images import check_images
from uteroseg.dataset.check.masks import check_masks, usable_mask
from uteroseg.dataset.layout import CaseId
from uteroseg.imaging.measure import MM3_PER_ML


@dataclass(frozen=True)
class CaseToCheck:
    """A case to check.

    Parameters
    ----------
    root : Path
    case : CaseId
    tumour : bool or None
        Whether the participants' table says that there is one.
    picture : bool
        Draw it too.
    """

    root: Path
    case: CaseId
    tumour: bool | None = None
    picture: bool = False


@dataclass(frozen=True)
class CheckedCase:
    """What was found of a case.

    Parameters
    ----------
    case : CaseId
    findings : tuple of Finding
    measures : mapping
        ``snr``, ``ghost``, ``mask_ml``, ``mask_adc`` where they could be measured.
    key : str
        The same for the same images.
    picture : bytes, optional
        PNG.
    """

    case: CaseId
    findings: tuple[Finding, ...]
    measures: Mapping[str, float]
    key: str
    picture: bytes | None = None


def check_case(to_check: CaseToCheck) -> CheckedCase:
    """Check a case's images and masks."""
    images = check_images(to_check.root, to_check.case)
    findings = [*images.findings, *check_masks(to_check.root, to_check.case, images, tumour=to_check.tumour)]
    measures = {"snr": images.snr, "ghost": images.ghost}
    mask = usable_mask(to_check.root, to_check.case, images)
    if mask is not None and images.geometry is not None:
        measures["mask_ml"] = np.count_nonzero(mask) * images.geometry.voxel_volume_mm3 / MM3_PER_ML
        if images.adc is not None and mask.any():
            measures["mask_adc"] = float(np.median(images.adc[mask]))
    picture = None
    if to_check.picture:
        from uteroseg.dataset.check.sheet import strip

        picture = strip(str(to_check.case), images, mask, sorted({f.check for f in findings}))
    known = {name: round(float(value), 4) for name, value in measures.items() if value is not None}
    return CheckedCase(to_check.case, tuple(findings), known, images.key, picture)
