"""What to predict: the studies in a DICOM folder, a NIfTI file or a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uteroseg.dataset.store import Dataset
from uteroseg.dataset.study_files import read_study
from uteroseg.dicom.assemble import Reading, load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import FoundStudy, require_studies
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy


@dataclass(frozen=True)
class StudyInput:
    """A study to predict, not read yet.

    Parameters
    ----------
    case : str
        Names its folder in the output; for DICOM it tells nothing of the patient.
    origin : Path
    load : callable
    dicom : FoundStudy, optional
        The scanner files that a DICOM SEG refers to.
    reading : Reading, optional
        How they are read.
    """

    case: str
    origin: Path
    load: Callable[[], DwiStudy]
    dicom: FoundStudy | None = None
    reading: Reading | None = None


def find_inputs(path: Path, reading: Reading | None = None) -> list[StudyInput]:
    """Find the studies to predict.

    Parameters
    ----------
    path : Path
    reading : Reading, optional
        How DICOM studies are read, where their files leave a choice.

    Raises
    ------
    UserError
        If the path does not exist or holds no diffusion study, or ``reading`` is given and it is not DICOM.
    """
    reading = reading or Reading()
    if reading != Reading() and (path.is_file() or (path / "dataset_description.json").is_file()):
        raise UserError(
            f"{path} is not a folder or zip archive of DICOM files.",
            expected="DICOM, where it is to be said how its files are read.",
            fix="leave out --b-values, --drop-incomplete, --align and --adc-b-min.",
        )
    if path.is_file():
        name = path.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_dwi")
        return [StudyInput(name, path, partial(read_study, path))]
    if not path.is_dir():
        raise UserError(
            f"{path} does not exist.",
            expected="a DICOM folder, a NIfTI file with its .bval, or a dataset.",
            fix="check the path for a typing error.",
        )
    if (path / "dataset_description.json").is_file():
        dataset = Dataset.open(path)
        return [
            StudyInput(str(case), path / case.dwi("nii.gz"), partial(dataset.load_study, case))
            for case in dataset.cases()
        ]
    return [
        StudyInput(_case_name(found), found.folder, partial(load_study, found.used, reading), found, reading)
        for found in require_studies(scan_folder(path), path)
    ]


def _case_name(found: FoundStudy) -> str:
    return f"study-{hashlib.sha256(found.series_uids.encode()).hexdigest()[:8]}"
