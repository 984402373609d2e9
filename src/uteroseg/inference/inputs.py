"""What to predict: the studies in a DICOM folder, a NIfTI file or a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from uteroseg.dataset.store import Dataset
from uteroseg.dataset.study_files import read_study
from uteroseg.dicom.choices import Reading
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

if TYPE_CHECKING:
    from uteroseg.dicom.studies import FoundStudy

MANY = 4000
"""DICOM files; with more of them, headers are not kept in memory but read again when a study's turn comes."""


@dataclass(frozen=True)
class StudyInput:
    """A study to predict, not read yet.

    Parameters
    ----------
    case : str
        Names its folder in the output; for DICOM it tells nothing of the patient.
    origin : Path
        Where it was found, for people.
    load : callable
        Read its images.
    digest : callable
        What tells it from every other study: a hash of its files or of its images' UIDs.
    dicom : callable, optional
        Find the scanner files that a DICOM SEG refers to.
    reading : Reading, optional
        How they are read.
    """

    case: str
    origin: Path
    load: Callable[[], DwiStudy]
    digest: Callable[[], str]
    dicom: Callable[[], FoundStudy] | None = None
    reading: Reading | None = None


def find_inputs(path: Path, reading: Reading | None = None, *, shown: Path | None = None) -> list[StudyInput]:
    """Find the studies to predict.

    Parameters
    ----------
    path : Path
    reading : Reading, optional
        How DICOM studies are read, where their files leave a choice.
    shown : Path, optional
        What the path is called where it is an archive that was unpacked.

    Raises
    ------
    UserError
        If the path does not exist or holds no diffusion study, or ``reading`` is given and it is not DICOM.
    """
    reading, shown = reading or Reading(), shown or path
    if reading != Reading() and (path.is_file() or (path / "dataset_description.json").is_file()):
        raise UserError(
            f"{path} is not a folder or zip archive of DICOM files.",
            expected="DICOM, where it is to be said how its files are read.",
            fix="leave out --b-values, --drop-incomplete, --align and --adc-b-min.",
        )
    if path.is_file():
        name = path.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_dwi")
        return [StudyInput(name, shown, partial(read_study, path), partial(_file_digest, path))]
    if not path.is_dir():
        raise UserError(
            f"{path} does not exist.",
            expected="a DICOM folder, a NIfTI file with its .bval, or a dataset.",
            fix="check the path for a typing error.",
        )
    if (path / "dataset_description.json").is_file():
        dataset = Dataset.open(path)
        images = [(case, path / case.dwi("nii.gz")) for case in dataset.cases()]
        return [
            StudyInput(str(case), image, partial(dataset.load_study, case), partial(_file_digest, image))
            for case, image in images
        ]
    return _dicom_inputs(path, shown, reading)


def _dicom_inputs(root: Path, shown: Path, reading: Reading) -> list[StudyInput]:
    from uteroseg.dicom.scan import files_by_study, list_files, scan_files
    from uteroseg.dicom.studies import find_studies, require_studies

    files = list_files(root)
    if len(files) <= MANY:
        studies = require_studies(scan_files(files), shown)
        return [_dicom_input(one, partial(_kept, one), root, shown, reading) for one in studies]
    inputs = [
        _dicom_input(one, partial(_found_again, tuple(members), one.series_uids), root, shown, reading)
        for members in files_by_study(files)
        for one in find_studies(scan_files(members))
    ]
    if not inputs:
        require_studies(scan_files(files), shown)  # says what is there instead
    return inputs


def _dicom_input(
    found: FoundStudy, find: Callable[[], FoundStudy], root: Path, shown: Path, reading: Reading
) -> StudyInput:
    def load() -> DwiStudy:
        from uteroseg.dicom.assemble import load_study

        return load_study(find().used, reading)

    return StudyInput(
        case=f"study-{_digest([found.series_uids.encode()])[:8]}",
        origin=shown / found.folder.relative_to(root),
        load=load,
        digest=lambda: _image_digest(find()),
        dicom=find,
        reading=reading,
    )


def _kept(found: FoundStudy) -> FoundStudy:
    return found


@lru_cache(maxsize=1)  # the study in hand
def _found_again(files: tuple[Path, ...], series_uids: str) -> FoundStudy:
    from uteroseg.dicom.scan import scan_files
    from uteroseg.dicom.studies import find_studies

    return next(one for one in find_studies(scan_files(files)) if one.series_uids == series_uids)


def _image_digest(found: FoundStudy) -> str:
    uids = [str(header.get("SOPInstanceUID")) for series in found.used for header in series.headers]
    return _digest(uid.encode() for uid in sorted(uids))


def _file_digest(image: Path) -> str:
    """Of the image and, if it is there, its .bval."""
    bval = image.with_name(f"{image.name.removesuffix('.gz').removesuffix('.nii')}.bval")
    return _digest(file.read_bytes() for file in (image, bval) if file.is_file())


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b" ")
    return digest.hexdigest()
