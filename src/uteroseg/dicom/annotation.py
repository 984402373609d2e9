"""Annotations from files: NIfTI masks and DICOM segmentations."""

from __future__ import annotations

from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_mask
from uteroseg.imaging.study import Mask

_PREAMBLE = 128


def read_annotation(path: Path, *, label: int | None = None) -> Mask:
    """Read a mask, on its own grid.

    Parameters
    ----------
    path : Path
        NIfTI (``.nii``, ``.nii.gz``) or a DICOM Segmentation, which is known by its content.
    label : int, optional
        The tumour's value in a NIfTI label map, its segment number in a DICOM Segmentation.

    Returns
    -------
    Mask
        `uteroseg.imaging.resample.resample_mask` moves it to another grid.

    Raises
    ------
    UserError
        If the file is of another kind, cannot be read, or holds several labels and none was chosen.
    """
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return read_mask(path, label)
    if _is_dicom(path):
        from uteroseg.dicom.seg import read_seg  # highdicom takes half a second to import

        return read_seg(path, segment=label)
    raise UserError(
        f"{path} is neither NIfTI nor DICOM.",
        expected="a mask as .nii, .nii.gz or DICOM Segmentation.",
        fix="export the mask in one of these formats.",
    )


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError as error:
        raise UserError(
            f"{path} cannot be opened ({error.strerror or error}).",
            expected="a file with a mask.",
            fix="check the path and its permissions.",
        ) from error
