"""The formats of image files besides DICOM: their endings, what lies beside a file, one way to read any."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.nifti import Form, read_image

NIFTI, NRRD, METAIMAGE = (".nii.gz", ".nii"), (".nrrd", ".nhdr"), (".mha", ".mhd")
_ENDING = re.compile(r"\.(nii\.gz|nii|mha|mhd|nrrd|nhdr)$", re.IGNORECASE)


def image_stem(name: str) -> str:
    """An image file's name without its ending (``.nii.gz``)."""
    return _ENDING.sub("", name)


def companion(image: Path, ending: str) -> Path:
    """The file of the same name with another ending, such as ``json``."""
    return image.with_name(f"{image_stem(image.name)}.{ending}")


def read_any(path: Path, form: Form | None = None) -> tuple[Array, Geometry]:
    """An image of any format that is read, float32; of a single volume, shape (slices, rows, columns)."""
    ending = path.suffix.lower()
    if ending in METAIMAGE:
        from uteroseg.imaging.metaimage import read_metaimage  # formats that few have

        image, geometry = read_metaimage(path)
    elif ending in NRRD:
        from uteroseg.imaging.nrrd import read_nrrd

        image, geometry, _ = read_nrrd(path)
    else:
        image, geometry = read_image(path, form=form)
    image = np.asarray(image, np.float32)
    return image[0] if image.ndim == 4 and len(image) == 1 else image, geometry
