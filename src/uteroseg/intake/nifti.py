"""Find diffusion studies in a folder of NIfTI images, each with its ``.bval`` (dcm2niix, BIDS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from uteroseg.annotations.arrive import Arrived
from uteroseg.annotations.file import read_annotation
from uteroseg.annotations.table import Annotation, Row
from uteroseg.dataset.study_files import read_study
from uteroseg.dicom.acquisition import acquisition_of_sidecar
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.resample import resample_mask, volume_outside_ml
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.intake.study import FileStudy, require_usable

_ENDINGS = (".nii.gz", ".nii")
_NOT_IMAGES = ("derivatives", "sourcedata")
"""Folders of BIDS that hold something else."""


def find_nifti(source: Path, rows: Sequence[Row] = ()) -> list[FileStudy]:
    """Find the studies below a folder: every NIfTI image that has a ``.bval``.

    The first folder below the source names the patient, or the file where it lies in none; a folder
    ``ses-…`` names the date.

    Parameters
    ----------
    source : Path
    rows : sequence of Row
        Masks, by the image's path or folder below the source.

    Raises
    ------
    UserError
        If there is no such image, or a row names none or several, or two rows name the same.
    """
    images = [_image_of(bval) for bval in sorted(source.rglob("*.bval")) if _is_data(bval, source)]
    if not images:
        raise UserError(
            f"{source} holds no NIfTI image with a .bval file.",
            expected="images such as patient7/dwi.nii.gz, each with patient7/dwi.bval.",
            fix="write the .bval files from the scanner's protocol, one b-value (s/mm²) for each volume.",
        )
    masks = _by_image(rows, images, source)
    return [_study(image, source, masks.get(image)) for image in images]


def _study(image: Path, source: Path, annotation: Annotation | None) -> FileStudy:
    name = _without_ending(image.relative_to(source))
    folders = name.parts[:-1]
    return FileStudy(
        name=name.as_posix(),
        patient=folders[0] if folders else name.name.removesuffix("_dwi"),
        load=partial(_load, image),
        load_mask=partial(_load_mask, annotation) if annotation else None,
        session=next((folder for folder in folders if folder.startswith("ses-")), ""),
    )


def _load(image: Path) -> DwiStudy:
    study = read_study(image)
    require_usable(
        study.b_values, where=str(image), fix="add the images of the other b-values, or leave this one out."
    )
    known = acquisition_of_sidecar(study.acquisition)
    return replace(study, acquisition={**known, "b_value_source": ".bval file"}, adc_b_min=0.0)


def _load_mask(annotation: Annotation, study: DwiStudy) -> tuple[Mask, Mapping[str, Any]]:
    """The annotation on the study's grid, with its sidecar."""
    drawn = read_annotation(annotation.mask, choice=annotation.choice)
    arrived = Arrived(
        resample_mask(drawn, study.geometry),
        "another grid" if drawn.geometry.difference(study.geometry) else "DWI",
        drawn_ml=volume_ml(drawn),
        outside_ml=volume_outside_ml(drawn, study.geometry),
    )
    return arrived.mask, arrived.sidecar


def _by_image(rows: Sequence[Row], images: Sequence[Path], source: Path) -> dict[Path, Annotation]:
    found: dict[Path, Annotation] = {}
    for row in rows:
        wanted = source / row.study
        named = [i for i in images if wanted in (i, _without_ending(i), *i.parents) and wanted != source]
        if len(named) != 1 or named[0] in found:
            problem = "the same image as another row" if len(named) == 1 else f"{len(named)} images"
            raise UserError(
                f"The row of the annotation table with study {row.study!r} names {problem} below {source}.",
                expected="for each row an image of its own, such as patient7/dwi.nii.gz, or its folder.",
                fix="correct the column 'study'; 'uteroseg ingest --dry-run' lists what was found.",
            )
        found[named[0]] = row.annotation
    return found


def _is_data(path: Path, source: Path) -> bool:
    parts = path.relative_to(source).parts
    return not any(part.startswith(".") or part in _NOT_IMAGES for part in parts)


def _image_of(bval: Path) -> Path:
    images = [bval.with_suffix(ending) for ending in _ENDINGS]
    return next((image for image in images if image.is_file()), images[0])


def _without_ending(image: Path) -> Path:
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii"))
