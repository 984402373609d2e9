"""The whole way on virtual patients, on a CPU: ``uteroseg demo``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from uteroseg import RESEARCH_USE
from uteroseg.cli.console import OnProgress, progress, warn

if TYPE_CHECKING:
    from uteroseg.dataset.store import Dataset

SOURCE: Final = "cervical"
TARGET: Final = "uterine"
PATIENTS = {SOURCE: 36, TARGET: 40}
TEST_SHARE = {SOURCE: 1 / 3, TARGET: 0.5}
TARGET_CASES = (0, 2, 5, 13)
STRATEGY = "encoder-early"
TRAIN_STEPS, ADAPT_STEPS = 220, 80
"""Fewer than by default: enough to learn these patients, and short enough for a coffee."""
CLINIC_SEED = 1_000
"""The virtual patient who comes as DICOM is of another seed than those of the cohorts."""


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; a demo that was cut short goes on.")
    ] = Path("uteroseg-demo"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same patients and models.")] = 1,
) -> None:
    """Go the whole way on virtual patients: simulate, train, adapt, evaluate, report, predict."""
    import uteroseg.report.page  # before training: is everything installed that the last step needs?

    started = time.monotonic()
    with progress() as update:
        dataset = _simulate(output / "dataset", seed, update)
        models = _learn(dataset, output, seed, update)
        with _step("Report", output / "report.html"):
            report = uteroseg.report.page.write_report(output)
        finding = _predict(output, models[max(TARGET_CASES)], seed, update)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    typer.echo(f"\nReport: {report.resolve()}\n")
    typer.echo(_summary(output))
    typer.echo(finding)
    typer.echo(f"All of it took {minutes} min {seconds} s, on virtual patients. {RESEARCH_USE}")


def _simulate(root: Path, seed: int, update: OnProgress) -> Dataset:
    from uteroseg.dataset.split import assign_splits
    from uteroseg.dataset.store import Dataset
    from uteroseg.phantom.cohort import simulate_cohort

    for cohort, cases in PATIENTS.items():

        def on_case(done: int, cohort: str = cohort, cases: int = cases) -> None:
            update(f"{cohort} patients", done, cases, "")

        with _step(f"Simulate {cases} {cohort} patients", root):
            simulate_cohort(root, cohort, cases=cases, seed=seed, on_case=on_case)
            dataset = Dataset.open(root)
            assign_splits(dataset, test=TEST_SHARE[cohort], seed=seed)
    return dataset


def _learn(dataset: Dataset, output: Path, seed: int, update: OnProgress) -> dict[int, Path]:
    """Make every run of the learning curve; the model folder of each number of target cases."""
    from dataclasses import replace

    from uteroseg.experiment.curve import CurveSettings, LearningCurve
    from uteroseg.model.spec import ModelSpec
    from uteroseg.training.strategy import strategy_named
    from uteroseg.training.train import ADAPT, TRAIN

    settings = CurveSettings(
        source_cohort=SOURCE,
        target_cohort=TARGET,
        target_cases=TARGET_CASES,
        strategy=strategy_named(STRATEGY),
        spec=ModelSpec(),
        train_recipe=replace(TRAIN, steps=TRAIN_STEPS),
        adapt_recipe=replace(ADAPT, steps=ADAPT_STEPS),
        seed=seed,
    )
    curve = LearningCurve(dataset, settings, output, update)
    for size in TARGET_CASES:
        what = f"Adapt with {size} {TARGET} cases" if size else f"Train on {SOURCE} cases"
        with _step(f"{what}, evaluate on all test cases", curve.folder(size)):
            curve.run(size)
    return {size: curve.folder(size) / "model" for size in TARGET_CASES}


def _predict(output: Path, model: Path, seed: int, update: OnProgress) -> str:
    """Write a new virtual patient as DICOM and predict it as a clinic would; say what was found."""
    import shutil

    from uteroseg.imaging.measure import volume_ml
    from uteroseg.inference.batch import predict_all
    from uteroseg.phantom.dicom_files import write_dicom
    from uteroseg.phantom.patient import simulate_patient

    scan, out = output / "dicom", output / "prediction"
    patient = simulate_patient(TARGET, 1, seed=seed + CLINIC_SEED)
    with _step("Write another virtual patient as DICOM", scan):
        if not scan.exists():
            write_dicom(patient.study, scan, patient_id="virtual", seed=seed + CLINIC_SEED)
    with _step("Predict it from DICOM, without torch", out):
        if (out / "predictions.csv").is_file():
            shutil.rmtree(out)  # an earlier demo's, perhaps of another model
        findings, _ = predict_all(
            scan, model, out, on_study=lambda finding, done, total: update("studies", done, total, "")
        )
    return (
        f"In the patient who came as DICOM it found {findings[0].volume_ml:.1f} mL of tumour; "
        f"{volume_ml(patient.mask):.1f} mL are there ({out / findings[0].case})."
    )


def _summary(output: Path) -> str:
    """One line on what the curve shows."""
    from uteroseg.results.experiment import read_experiment
    from uteroseg.results.summary import summarise

    table = summarise(read_experiment(output).cases)
    pooled = table[table["test_set"] == "pooled"].sort_values("target_cases")
    points = ", ".join(f"{row.target_cases} → {row.dsc_mean:.2f}" for row in pooled.itertuples())
    return f"Mean DSC on all test patients by number of {TARGET} cases: {points}."


@contextmanager
def _step(what: str, where: Path) -> Iterator[None]:
    """Say what is done, how long it took and where the result is."""
    warn(f"{what} …")
    started = time.monotonic()
    yield
    warn(f"  done in {time.monotonic() - started:.1f} s → {where}")
