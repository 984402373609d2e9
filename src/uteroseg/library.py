"""What a Python user calls, under the names of the package: ``import uteroseg``.

Each function imports what it needs when it is called. The command line calls the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uteroseg.dataset.store import Dataset
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

if TYPE_CHECKING:
    from uteroseg.dicom.studies import FoundStudy
    from uteroseg.evaluation.assess import Assessment
    from uteroseg.imaging.nifti import Form
    from uteroseg.model.recipe import Recipe
    from uteroseg.model.spec import ModelCard
    from uteroseg.phantom.cohort import Simulated

OnProgress = Callable[[str, int, int, str], None]
"""Told what is being done, how much of it is done, how much there is, and a note."""


def _silent(what: str, done: int, total: int, note: str) -> None:
    pass


@dataclass(frozen=True, eq=False, repr=False)
class DicomStudies:
    """The diffusion studies in scanner files. Iterating over them reads one after the other.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    refused : dict of str to UserError
        Studies that could not be read, and why; whole once all have been read.
    """

    path: Path
    options: ReadOptions
    refused: dict[str, UserError] = field(default_factory=dict)

    def __iter__(self) -> Iterator[DwiStudy]:
        return iter(self.studies) if "studies" in vars(self) else self._read()

    def _read(self) -> Iterator[DwiStudy]:
        from uteroseg.dicom.archive import unpacked
        from uteroseg.dicom.assemble import load_study
        from uteroseg.dicom.scan import scan_folder
        from uteroseg.dicom.studies import require_studies

        self.refused.clear()
        with unpacked(self.path) as archive:
            found: Sequence[FoundStudy] = require_studies(scan_folder(archive.folder), archive.folder)
            for number, one in enumerate(found, 1):
                try:
                    study = load_study(one.used, self.options)
                except UserError as error:
                    self.refused[f"{number}: {archive.told(str(one.folder))}"] = archive.error_told(error)
                else:
                    yield study

    @cached_property
    def studies(self) -> list[DwiStudy]:
        """All of them, read."""
        return list(self._read())

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, index: int) -> DwiStudy:
        return self.studies[index]

    def __repr__(self) -> str:
        lines = [f"  {number}: {study!r}" for number, study in enumerate(self.studies)]
        lines += [f"  refused {name}: {error.found}" for name, error in self.refused.items()]
        return "\n".join([f"DicomStudies({self.path}: {len(self)} studies)", *lines])


def read_dicom(
    path: str | Path,
    *,
    b_values: Sequence[float] = (),
    drop_incomplete: bool = False,
    align: bool = False,
    adc_b_min: float = 0.0,
) -> DicomStudies:
    """Read the diffusion studies in a folder or zip archive of scanner files.

    Parameters
    ----------
    path : path
    b_values : sequence of float
        s/mm², in the order of acquisition, where no header holds them.
    drop_incomplete : bool
        Leave out b-values that are not whole, instead of refusing the study.
    align : bool
        Align the images of the b-values in plane, against motion.
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit.

    Returns
    -------
    DicomStudies
        Iterates over `DwiStudy`; ``.studies`` holds all, ``.refused`` what could not be read, and why.

    Raises
    ------
    UserError
        If the path does not exist; when it is read, if it holds no diffusion study.

    Examples
    --------
    >>> for study in uteroseg.read_dicom("scan.zip"):  # doctest: +SKIP
    ...     print(study)
    """
    path = Path(path)
    if not path.exists():
        raise UserError(
            f"{path} does not exist.",
            expected="a folder or zip archive of DICOM files.",
            fix="check the path for a typing error.",
        )
    return DicomStudies(path, ReadOptions(tuple(map(float, b_values)), drop_incomplete, align, adc_b_min))


def read_nifti(
    path: str | Path, *, b_values: Sequence[float] = (), nifti_form: Form | None = None
) -> DwiStudy:
    """Read a study from a NIfTI image with its ``.bval``, or from an ADC map with an image of high b.

    Parameters
    ----------
    path : path
        The image (NIfTI; of a pair also MetaImage or NRRD).
    b_values : sequence of float
        s/mm²: of an image of high b beside an ADC map, where no file says it.
    nifti_form : {"qform", "sform"}, optional
        Which place counts, where the two in a header differ.

    Raises
    ------
    UserError
        If a file is missing, broken or does not fit the others.
    """
    from uteroseg.intake.images import load_images, study_at

    return load_images(study_at(Path(path)), tuple(map(float, b_values)), form=nifti_form)


def train(
    dataset: str | Path | Dataset,
    cohorts: str | Sequence[str],
    output: str | Path,
    *,
    encoder: str | None = None,
    imagenet: bool = True,
    spacing_mm: float | None = None,
    matrix: tuple[int, int] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    patience: int | None = None,
    devices: int = 1,
    seed: int = 1,
    on_progress: OnProgress = _silent,
) -> ModelCard:
    """Train a model on the annotated training cases of one or more cohorts.

    Parameters
    ----------
    dataset : path or Dataset
    cohorts : str or sequence of str
    output : path
        Model folder to write. A training that was cut short goes on from ``<output>.training``.
    encoder : str, optional
        Any timm encoder; by default tf_efficientnet_lite0 on a CPU, resnet50 on a GPU.
    imagenet : bool
        Begin from ImageNet weights of the encoder.
    spacing_mm : float, optional
        Size of the pixels that the network sees; 2.5 by default.
    matrix : (int, int), optional
        How many of them, multiples of 16; 96 × 96 by default.
    steps, batch_size : int, optional
        As of `uteroseg.training.train.TRAIN`.
    patience : int, optional
        Stop after so many checks on validation cases without a gain.
    devices : int
        GPUs, or processes on a CPU.
    seed : int
    on_progress : callable

    Returns
    -------
    ModelCard
        What ``model.json`` says.

    Raises
    ------
    UserError
        If the folder is taken, a cohort is unknown or has no annotated case, or a mask cannot be used; before
        training.
    """
    from uteroseg.model.spec import ModelSpec
    from uteroseg.network.deeplab import default_encoder
    from uteroseg.training import train as training

    spec = {"encoder": encoder or default_encoder(), "spacing_mm": spacing_mm, "matrix": matrix}
    return training.train(
        _opened(dataset),
        [cohorts] if isinstance(cohorts, str) else list(cohorts),
        Path(output),
        spec=ModelSpec.model_validate({name: value for name, value in spec.items() if value}),
        recipe=_recipe(training.TRAIN, steps, batch_size, patience),
        seed=seed,
        imagenet=imagenet,
        devices=devices,
        on_progress=on_progress,
    )


def adapt(
    dataset: str | Path | Dataset,
    cohort: str,
    output: str | Path,
    *,
    cases: int,
    source: str | Path,
    strategy: str = "default",
    source_dataset: str | Path | Dataset | None = None,
    source_cohort: str | None = None,
    unannotated: bool = True,
    steps: int | None = None,
    batch_size: int | None = None,
    patience: int | None = None,
    devices: int = 1,
    seed: int = 1,
    on_progress: OnProgress = _silent,
) -> ModelCard:
    """Adapt a model to another cohort with a few of its cases.

    Parameters
    ----------
    dataset : path or Dataset
    cohort : str
    output : path
        Model folder to write.
    cases : int
        How many of the cohort's annotated training patients to use. The others' masks are not looked at.
    source : path
        Model folder to start from.
    strategy : str
        A name, or the path of a YAML file.
    source_dataset : path or Dataset, optional
        Of the source model's cases; by default the same.
    source_cohort : str, optional
        Cohort of the source model's cases, for strategies that train on them too.
    unannotated : bool
        Let the cohort's other training cases teach, where the strategy has a use for them.
    steps, batch_size, patience, devices, seed, on_progress
        As for `train`.

    Returns
    -------
    ModelCard

    Raises
    ------
    UserError
        As `train`; also if the strategy is unknown, or needs source cases and there are none.
    """
    from uteroseg.model.strategy import strategy_named
    from uteroseg.training import train as training

    if source_dataset and not source_cohort:
        raise UserError(
            "`source_dataset` was given without `source_cohort`.",
            expected="the cohort that the source model was trained on.",
            fix="add `source_cohort`.",
        )
    opened = _opened(dataset)
    of_source = _opened(source_dataset) if source_dataset else opened
    how = strategy_named(strategy)
    return training.adapt(
        opened,
        cohort,
        Path(output),
        cases=cases,
        source=Path(source),
        strategy=how if unannotated else how.model_copy(update={"unannotated": None}),
        source_cases=(of_source, source_cohort) if source_cohort else None,
        recipe=_recipe(training.ADAPT, steps, batch_size, patience),
        seed=seed,
        devices=devices,
        on_progress=on_progress,
    )


def evaluate(
    dataset: str | Path | Dataset,
    predictions: str | Path,
    *,
    output: str | Path | None = None,
    split: str = "test",
    label: int | None = None,
    tolerance_mm: float = 2.0,
    on_progress: OnProgress = _silent,
) -> Assessment:
    """Measure masks, whoever made them, against a dataset's annotations.

    Parameters
    ----------
    dataset : path or Dataset
    predictions : path
        A folder of masks as `predict` or nnU-Net (``<case>.nii.gz``) writes them, or SEG (``<case>.dcm``).
    output : path, optional
        A folder for tables and figures, new or empty.
    split : {"train", "test", "all"}
    label : int, optional
        The tumour's value in the masks, where they are not 0 and 1.
    tolerance_mm : float
        Of the NSD.
    on_progress : callable

    Returns
    -------
    Assessment
        ``rows`` (one for each case), ``summary``, ``problems`` (masks and cases that do not count).

    Raises
    ------
    UserError
        If there are no masks or no cases, or the output is taken.
    """
    from functools import partial

    from uteroseg.evaluation.assess import assess, own_mask
    from uteroseg.evaluation.predictions import Predictions
    from uteroseg.files import require_new, staged_folder

    if output:
        require_new(Path(output))
    store, masks = _opened(dataset), Predictions.find(Path(predictions), label=label)
    found = assess(
        store,
        masks,
        split=split,
        tolerance_mm=tolerance_mm,
        on_case=lambda done, total: on_progress("cases", done, total, ""),
    )
    if output:
        from uteroseg.evaluation.report import write_evaluation  # matplotlib

        with staged_folder(Path(output)) as stage:
            write_evaluation(stage, store, found.rows, found.summary, partial(own_mask, store, masks))
    return found


def simulate(
    dataset: str | Path,
    cohort: str,
    *,
    cases: int,
    seed: int = 1,
    scanner: str | None = None,
    plane: str | None = None,
    b_values: Sequence[float] = (),
    snr: float | None = None,
    tumour_free: float = 0.0,
    reader_dsc: float | None = None,
    randomise: bool = False,
    dicom: str | Path | None = None,
    encoding: str | None = None,
    annotate_t2: str | None = None,
    on_progress: OnProgress = _silent,
) -> Simulated:
    """Add virtual patients to a dataset; those that are there already are left.

    Parameters
    ----------
    dataset : path
        A dataset, or a new or empty folder.
    cohort : {"cervical", "uterine"}
    cases, seed : int
        Patient 7 of a seed is the same however many are made.
    scanner : str, optional
        Whose protocol and artefacts: siemens-skyra-3t (default), siemens-trio-3t, ge-signa-1.5t,
        philips-ingenia-3t.
    plane : {"sagittal", "axial"}, optional
    b_values : sequence of float, optional
        s/mm².
    snr : float, optional
        At the lowest b-value.
    tumour_free : float
        Share of patients without a tumour.
    reader_dsc : float, optional
        Add a second reader's masks, with this mean DSC between the readers.
    randomise : bool
        Contrasts beyond what is realistic, for pretraining.
    dicom : path, optional
        Also write images and masks here as DICOM.
    encoding : {"classic", "enhanced"}, optional
        Of the DICOM files; classic by default.
    annotate_t2 : {"rtstruct", "seg"}, optional
        Also write a T2 series as DICOM, with the tumour drawn on it instead.
    on_progress : callable

    Returns
    -------
    Simulated
        How many were added, and whose tumour the slices cut.

    Raises
    ------
    UserError
        If a setting is impossible, or the folder holds something else; nothing is written then.
    """
    from uteroseg.phantom.acquisition import DEFAULT
    from uteroseg.phantom.cohort import simulate_cohort
    from uteroseg.phantom.presets import acquisition_named

    for name, value in (("encoding", encoding), ("annotate_t2", annotate_t2)):
        if value and not dicom:
            raise UserError(
                f"`{name}` is {value!r}, and no DICOM files are to be written.",
                expected="`dicom` with a folder for them.",
                fix=f"add `dicom`, or leave out `{name}`.",
            )
    chosen = {"plane": plane, "b_values": tuple(map(float, b_values)) or None, "snr": snr}
    own: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return simulate_cohort(
        Path(dataset),
        cohort,
        cases=cases,
        seed=seed,
        acquisition=replace(acquisition_named(DEFAULT.name if scanner is None else scanner), **own),
        tumour_free=tumour_free,
        reader_dsc=reader_dsc,
        randomise=randomise,
        dicom=Path(dicom) if dicom else None,
        encoding=encoding or "classic",
        t2_annotation=annotate_t2,
        on_case=lambda number: on_progress("virtual patients", number, cases, ""),
    )


def _opened(dataset: str | Path | Dataset) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)


def _recipe(recipe: Recipe, steps: int | None, batch_size: int | None, patience: int | None) -> Recipe:
    return replace(
        recipe,
        steps=recipe.steps if steps is None else steps,
        batch_size=recipe.batch_size if batch_size is None else batch_size,
        patience=patience,
    )
