"""Put virtual patients into a dataset, and on request write them as a scanner would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.participants import MISSING, VIRTUAL_COLUMNS, Participant
from uteroseg.dataset.skeleton import describe_columns
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.errors import UserError
from uteroseg.files import read_json
from uteroseg.imaging.formats import companion
from uteroseg.imaging.study import Mask
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.patient import VirtualPatient, simulate_patient
from uteroseg.phantom.person import Cohort
from uteroseg.phantom.presets import Encoding, T2Annotation
from uteroseg.phantom.reader import READER, case_dsc, second_reader
from uteroseg.phantom.settings import COHORTS, Settings
from uteroseg.phantom.t2 import T2Image, simulate_t2
from uteroseg.work import Failure, Item, in_order

CUT = 0.98
"""A tumour of which less than this share lies in the scanned slab is reported as cut."""


@dataclass(frozen=True)
class Simulated:
    """What became of a cohort.

    Parameters
    ----------
    added : int
        Patients that were not there yet.
    cut : tuple of str
        Cases among them of which the scanned slab holds less than 98 % of the tumour.
    """

    added: int
    cut: tuple[str, ...]


def simulate_cohort(
    root: Path,
    cohort: str,
    *,
    cases: int,
    seed: int,
    acquisition: Acquisition = DEFAULT,
    tumour_free: float = 0.0,
    reader_dsc: float | None = None,
    randomise: bool = False,
    dicom: Path | None = None,
    encoding: str = "classic",
    t2_annotation: str | None = None,
    workers: int | None = None,
    on_case: Callable[[int], None] = lambda done: None,
) -> Simulated:
    """Add the patients 1 … ``cases`` of a cohort to a dataset; those that are there already are left.

    A run that was killed is completed by the same call. The same patient on another scanner becomes another
    study of the same participant, so that no split separates the two.

    Parameters
    ----------
    root : Path
        A dataset, or a new or empty folder.
    cohort : {"cervical", "uterine"}
    cases, seed : int
        Patient 7 of a seed is the same however many are made.
    acquisition, tumour_free, reader_dsc, randomise, encoding, t2_annotation
        As of `Settings`.
    dicom : Path, optional
        Also write each patient's images and mask below this folder as DICOM, one folder per patient.
    workers : int, optional
        Processes, by default one for each core; the patients do not depend on it.
    on_case : callable
        Told how many patients are done.

    Raises
    ------
    UserError
        If a setting is impossible, the folder holds something else, or its second reader is another one;
        nothing is written then.
    """
    settings = Settings(
        cast(Cohort, cohort),
        seed,
        acquisition,
        tumour_free,
        reader_dsc,
        randomise,
        cast(Encoding, encoding),
        cast(T2Annotation | None, t2_annotation),
    )
    if cases < 1:
        raise UserError(
            f"{cases} virtual patients were asked for.", expected="at least 1.", fix="correct `cases`."
        )
    dataset = Dataset.open_or_create(root)
    known = {index: dataset.find(settings.study_key(index)) for index in range(1, cases + 1)}
    _require_same_reader(dataset, settings, known)
    describe_columns(root, VIRTUAL_COLUMNS)
    wanted = [index for index in known if known[index] is None or _lacks_dicom(settings, dicom, index)]
    added, cut = 0, []
    items = [Item(f"patient {index}", partial(_make, index, settings, dicom)) for index in wanted]
    for done, simulated in enumerate(in_order(items, workers=workers), start=1):
        if isinstance(simulated, Failure):
            raise simulated.error
        if known[simulated.index] is None:
            case = dataset.add(_new_case(simulated, settings))
            added += 1
            if simulated.share_in_slab < CUT:
                cut.append(str(case))
        on_case(cases - len(wanted) + done)
    _add_readers(dataset, settings, known)
    if dicom:
        from uteroseg.phantom.dicom_masks import has_mask, list_masks

        folders = {index: _scan_folder(settings, dicom, index) for index in known}
        bare = [f.name for i, f in folders.items() if settings.without_tumour(i) or not has_mask(f)]
        list_masks(dicom, bare)
    return Simulated(added, tuple(cut))


@dataclass(frozen=True, eq=False)
class _SimulatedPatient:
    """A patient as a worker returns it."""

    index: int
    patient: VirtualPatient
    second: Mask | None
    share_in_slab: float


def _make(index: int, settings: Settings, dicom: Path | None) -> _SimulatedPatient:
    """Simulate one patient and write the DICOM files if they are not there."""
    patient = simulate_patient(
        settings.cohort,
        index,
        seed=settings.seed,
        acquisition=settings.acquisition,
        with_tumour=not settings.without_tumour(index),
        randomise=settings.randomise,
    )
    if dicom and _lacks_dicom(settings, dicom, index):
        from uteroseg.phantom.dicom_files import write_dicom

        t2 = _t2_of(patient, index, settings) if settings.t2_annotation else None
        write_dicom(
            patient.study,
            _scan_folder(settings, dicom, index),
            patient_id=settings.person_key(index),
            study_id=settings.study_key(index),
            seed=settings.seed,
            mask=patient.mask,
            encoding=settings.encoding,
            t2=t2,
            t2_annotation=settings.t2_annotation or "rtstruct",
        )
    share = patient.person.share_within(patient.mask.geometry)
    return _SimulatedPatient(index, patient, _second(patient.mask, index, settings), share)


def _t2_of(patient: VirtualPatient, index: int, settings: Settings) -> T2Image:
    return simulate_t2(
        settings.cohort,
        index,
        seed=settings.seed,
        dwi=patient.study.geometry,
        t2_factor=settings.acquisition.t2_factor,
        with_tumour=not settings.without_tumour(index),
    )


def _new_case(simulated: _SimulatedPatient, settings: Settings) -> NewCase:
    person, key = simulated.patient.person, settings.study_key(simulated.index)
    plan = person.plan
    participant = Participant(
        participant_id="",
        cohort=settings.cohort,
        site=plan.site if plan else MISSING,
        histology=plan.histology if plan else "none",
        source="virtual",
        source_key=settings.person_key(simulated.index),
        others={
            "age": str(person.age),
            "volume_ml": f"{plan.volume_ml if plan else 0:.2f}",
            "invasion": person.invasion or MISSING,
            "scanner": settings.acquisition.name,
        },
    )
    annotation = {**_SIDECAR, "share_of_tumour_in_slab": round(simulated.share_in_slab, 3)}
    readers = {READER: simulated.second} if simulated.second is not None else {}
    new = NewCase(simulated.patient.study, participant, key, simulated.patient.mask, annotation, readers)
    return replace(new, annotation={**annotation, **_reader_fields(settings)}) if readers else new


_SIDECAR = {"reader": "simulation", "tool": "uteroseg simulate", "annotation_source": "DWI"}


def _reader_fields(settings: Settings) -> Mapping[str, Any]:
    return {"second_reader_mean_dsc": settings.reader_dsc}


def _second(mask: Mask, index: int, settings: Settings) -> Mask | None:
    """The second reader's mask: a function of the first one and the patient's number."""
    if settings.reader_dsc is None:
        return None
    rng = np.random.default_rng([settings.seed, COHORTS.index(settings.cohort), index, 2])
    return second_reader(mask, rng, dsc=case_dsc(settings.reader_dsc, index, seed=settings.seed))


def _add_readers(dataset: Dataset, settings: Settings, known: Mapping[int, CaseId | None]) -> None:
    """Add the second reader to cases that were there before without."""
    for index, case in known.items():
        if case and settings.reader_dsc and not (dataset.root / case.readers_annotation(READER)).is_file():
            second = _second(dataset.load_mask(case), index, settings)
            assert second is not None
            fields = {**_SIDECAR, "reader": READER, **_reader_fields(settings)}
            dataset.add_mask(case, second, fields, reader=READER)


def _require_same_reader(dataset: Dataset, settings: Settings, known: Mapping[int, CaseId | None]) -> None:
    for case in known.values():
        path = dataset.root / case.readers_annotation(READER) if case and settings.reader_dsc else None
        if path is None or not path.is_file():
            continue
        sidecar = read_json(companion(path, "json"))
        present = sidecar.get("second_reader_mean_dsc")
        if present != settings.reader_dsc:
            raise UserError(
                f"{case} has a second reader already, with a mean DSC of {present}.",
                expected=f"the same mean DSC, not {settings.reader_dsc}.",
                fix="correct `reader_dsc`, or simulate into another dataset.",
            )


def _scan_folder(settings: Settings, dicom: Path, index: int) -> Path:
    ending = "" if settings.encoding == "classic" else f"-{settings.encoding}"
    drawn = f"-t2-{settings.t2_annotation}" if settings.t2_annotation else ""
    return dicom / (settings.study_key(index) + ending + drawn)


def _lacks_dicom(settings: Settings, dicom: Path | None, index: int) -> bool:
    return dicom is not None and not _scan_folder(settings, dicom, index).exists()
