"""Whether a mask is of the patient that its name says."""

from __future__ import annotations

from pathlib import Path

from uteroseg.dataset.identity import Pseudonyms, key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import read_geometry
from uteroseg.imaging.study import Mask


def require_own(dataset: Dataset, case: CaseId, mask: Mask, file: Path) -> None:
    """Refuse a mask that is evidently another patient's.

    It is, where it lies on the grid of another case and not on this one's, or is a DICOM Segmentation of
    another examination than the study's (which only the dataset's key can tell).

    Raises
    ------
    UserError
        That names whose it seems to be.
    """
    if mask.geometry.difference(_grid(dataset, case)) is not None:
        for other in dataset.cases():
            if other != case and mask.geometry.difference(_grid(dataset, other)) is None:
                raise _another(file, case, f"lies on the grid of {other}")
    if file.suffix == ".dcm" and (key := _examination(dataset, file)):
        own = dataset.sidecar(case).get("examination_key", key)
        if key != own:
            raise _another(file, case, "is a segmentation of another examination")


def _grid(dataset: Dataset, case: CaseId) -> Geometry:
    return read_geometry(dataset.root / case.dwi("nii.gz"))


def _examination(dataset: Dataset, file: Path) -> str | None:
    """Keyed hash of the examination that a segmentation states; None without one, or the dataset's key."""
    if not key_file(dataset.root).is_file():
        return None
    import pydicom

    header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    stated = str(header.get("StudyInstanceUID") or "")
    return Pseudonyms.for_dataset(dataset.root, is_new=False).of(stated) if stated else None


def _another(file: Path, case: CaseId, found: str) -> UserError:
    return UserError(
        f"{file} {found}, not of {case}: it seems to belong to another patient or visit.",
        expected="the mask of this study.",
        fix="correct the file's name, or predict this case again.",
    )
