"""What to predict: the studies in a DICOM folder, in image files or in a dataset."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.dataset.study_files import bval_of
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy
from uteroseg.intake.images import ImageStudy, find_images, holds_only_images, load_images, study_at

if TYPE_CHECKING:
    from uteroseg.dicom.studies import FoundStudy

MANY = 4000
"""DICOM files; with more of them, headers are not kept in memory but read again when a study's turn comes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyInput(ABC):
    """A study to predict, not read yet.

    Parameters
    ----------
    case : str
        Names its folder in the output; for DICOM it tells nothing of the patient.
    origin : Path
        Where it was found, for people.
    description : str
        What tells it from others of one examination, and nothing of the patient: the numbers of its series
        and their b-values.
    notes : tuple of str
        What was decided about its files, for people: it can hold what headers say.
    """

    case: str
    origin: Path
    description: str = ""
    notes: tuple[str, ...] = ()

    @abstractmethod
    def load(self) -> DwiStudy:
        """Read its images; raises UserError where that is not possible."""

    @abstractmethod
    def digest(self) -> str:
        """What tells it from every other study: a hash of its files or of its images' UIDs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DatasetInput(StudyInput):
    """A case of a dataset."""

    dataset: Dataset
    id: CaseId

    def load(self) -> DwiStudy:
        """Read its images."""
        return self.dataset.load_study(self.id)

    def digest(self) -> str:
        """Of its image file."""
        return _file_digest(self.dataset.root / self.id.dwi("nii.gz"))


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageInput(StudyInput):
    """Image files; ``options`` say the b-value of a pair's image and which form of NIfTI counts."""

    images: ImageStudy
    options: ReadOptions

    def load(self) -> DwiStudy:
        """Read its images."""
        return load_images(self.images, self.options.b_values, form=self.options.nifti_form)

    def digest(self) -> str:
        """Of its file; of a pair, of what its files hold: their voxels can lie in further files."""
        if not self.images.is_pair:
            return _file_digest(self.images.image)
        study = self.load()
        b_values = " ".join(f"{b:g}" for b in study.b_values)
        return _digest([study.signal.tobytes(), b_values.encode(), study.geometry.affine.tobytes()])


@dataclass(frozen=True, eq=False, kw_only=True)
class DicomInput(StudyInput):
    """Scanner files. Of thousands no header is kept: the study is found in its files again.

    Parameters
    ----------
    series_uids : str
        Tells it among the studies in its files.
    found : FoundStudy, optional
    files : tuple of Path
        Of its examination, where it was not kept.
    options : ReadOptions
    """

    series_uids: str
    options: ReadOptions
    found: FoundStudy | None = None
    files: tuple[Path, ...] = ()

    def load(self) -> DwiStudy:
        """Read its images."""
        from uteroseg.dicom.assemble import load_study

        return load_study(self._study().used, self.options)

    def digest(self) -> str:
        """Of its images' UIDs."""
        headers = [header for series in self._study().used for header in series.headers]
        return _digest(uid.encode() for uid in sorted(str(one.get("SOPInstanceUID")) for one in headers))

    def _study(self) -> FoundStudy:
        return self.found or _found_again(self.files, self.series_uids)


def find_inputs(
    path: Path, options: ReadOptions | None = None, *, shown: Path | None = None
) -> list[StudyInput]:
    """Find the studies to predict.

    Parameters
    ----------
    path : Path
        A folder of DICOM or of image files (see `uteroseg.intake.images.find_images`), one image file, or a
        dataset. A folder that holds both is one of DICOM.
    options : ReadOptions, optional
        How DICOM studies are read, where their files leave a choice. Its ``b_values`` serve an image of high
        b beside an ADC map too.
    shown : Path, optional
        What the path is called where it is an archive that was unpacked.

    Raises
    ------
    UserError
        If the path does not exist or holds no diffusion study, or ``options`` say what these files have no
        use for.
    """
    options, shown = options or ReadOptions(), shown or path
    if path.is_file():
        return _image_inputs([study_at(path)], path.parent, shown.parent, options)
    if not path.is_dir():
        raise UserError(
            f"{path} does not exist.",
            expected="a folder of DICOM or NIfTI files, an image file, or a dataset.",
            fix="check the path for a typing error.",
        )
    if (path / "dataset_description.json").is_file():
        _require_unused(options, path)
        dataset = Dataset.open(path)
        return [
            DatasetInput(case=str(case), origin=path / case.dwi("nii.gz"), dataset=dataset, id=case)
            for case in dataset.cases()
        ]
    images = find_images(path)
    if images and holds_only_images(path):
        return _image_inputs(images, path, shown, options)
    try:
        found = _dicom_inputs(path, shown, options)
    except UserError:
        if not images:
            raise
    else:
        if options.nifti_form:
            raise UserError(
                f"{shown} holds DICOM, and `nifti_form` is given.",
                expected="`nifti_form` for NIfTI images whose header gives two places.",
                fix="leave out `nifti_form`.",
            )
        return found
    return _image_inputs(images, path, shown, options)


def _image_inputs(
    studies: Sequence[ImageStudy], root: Path, shown: Path, options: ReadOptions
) -> list[StudyInput]:
    """Image files as inputs; a case is called as its folders and image are."""
    needed = any(one.is_pair for one in studies)
    rest = replace(options, nifti_form=None, b_values=() if needed else options.b_values)
    _require_unused(rest, shown / studies[0].image.name)
    names = [re.sub(r"[\\/]", "_", one.name) for one in studies]
    names = [re.sub("_(dwi|hbv)$", "", name, flags=re.IGNORECASE) for name in names]
    taken = Counter(name.casefold() for name in names)
    return [
        ImageInput(
            case=name if taken[name.casefold()] == 1 else f"{name}-{_digest([one.name.encode()])[:8]}",
            origin=shown / one.image.relative_to(root),
            images=one,
            options=options,
        )
        for name, one in zip(names, studies, strict=True)
    ]


def _require_unused(options: ReadOptions, path: Path) -> None:
    if options != ReadOptions():
        raise UserError(
            f"{path} is not a folder or zip archive of DICOM files.",
            expected="DICOM, where it is to be said how its files are read.",
            fix="leave out `b_values` (they serve an image of high b beside an ADC map too), "
            "`drop_incomplete`, `align` and `adc_b_min`.",
        )


def _dicom_inputs(root: Path, shown: Path, options: ReadOptions) -> list[StudyInput]:
    from uteroseg.dicom.scan import files_by_study, list_files, scan_files
    from uteroseg.dicom.studies import find_studies, require_studies

    files = list_files(root)
    if len(files) <= MANY:
        studies = require_studies(scan_files(files), shown)
        return [_dicom_input(one, root, shown, options, found=one) for one in studies]
    inputs = [
        _dicom_input(one, root, shown, options, files=tuple(members))
        for members in files_by_study(files)
        for one in find_studies(scan_files(members))
    ]
    if not inputs:
        require_studies(scan_files(files), shown)  # says what is there instead
    return inputs


def _dicom_input(study: FoundStudy, root: Path, shown: Path, options: ReadOptions, **kept: Any) -> StudyInput:
    """A study that was found; ``kept`` is what it is to keep of it."""
    return DicomInput(
        case=f"study-{_digest([study.series_uids.encode()])[:8]}",
        origin=shown / study.folder.relative_to(root),
        description=_description(study),
        notes=study.notes,
        series_uids=study.series_uids,
        options=options,
        **kept,
    )


def _description(found: FoundStudy) -> str:
    """Numbers of series and b-values, as far as their headers say them."""
    from uteroseg.dicom.bvalues import merge
    from uteroseg.dicom.frames import frames_of

    numbers = [str(series.number) for series in found.used if series.number is not None]
    parts = [f"series {', '.join(numbers)}"] if numbers else []
    try:
        values = [frame.b_value.value for one in found.dwi for frame in frames_of(one) if frame.b_value]
    except UserError:  # which loading it will name
        values = []
    if values:
        parts.append(f"b {', '.join(f'{b:g}' for b in sorted(set(merge(values).values())))}")
    return ", ".join([*parts, "ADC map"] if found.is_pair else parts)


@lru_cache(maxsize=1)  # the study in hand
def _found_again(files: tuple[Path, ...], series_uids: str) -> FoundStudy:
    from uteroseg.dicom.scan import scan_files
    from uteroseg.dicom.studies import find_studies

    return next(one for one in find_studies(scan_files(files)) if one.series_uids == series_uids)


def _file_digest(image: Path) -> str:
    """Of the image and, if it is there, its .bval."""
    return _digest(file.read_bytes() for file in (image, bval_of(image)) if file.is_file())


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b" ")
    return digest.hexdigest()
