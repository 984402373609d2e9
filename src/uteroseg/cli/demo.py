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
from uteroseg.errors import UserError

if TYPE_CHECKING:
    from uteroseg.experiment.config import ExperimentConfig

SOURCE: Final = "cervical"
TARGET: Final = "uterine"
PATIENTS = {SOURCE: (24, 12), TARGET: (20, 20)}
"""To train on, and to test on."""
TARGET_CASES = (0, 2, 5, 13)
STRATEGY = "replay"
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
    import uteroseg.experiment.report.page  # before training: is all installed that the last step needs?

    started = time.monotonic()
    with progress() as update:
        models = _learn(output, seed, update)
        with _step("Report", output / "report.html"):
            report = uteroseg.experiment.report.page.write_report(output)
        finding = _predict(output, models[max(TARGET_CASES)], seed, update)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    typer.echo(f"\nReport: {report.resolve()}\n")
    typer.echo(_summary(output))
    typer.echo(finding)
    typer.echo(f"All of it took {minutes} min {seconds} s, on virtual patients. {RESEARCH_USE}")


def _learn(output: Path, seed: int, update: OnProgress) -> dict[int, Path]:
    """Make the patients and every run of the learning curve; the model folder of each number of cases."""
    from uteroseg.experiment.cohorts import make_cohorts
    from uteroseg.experiment.runner import run_experiment

    config = _config(seed)
    patients = " and ".join(f"{sum(number)} {cohort}" for cohort, number in PATIENTS.items())
    with _step(f"Simulate {patients} patients", output / "dataset"):
        make_cohorts(config, output, update)
    sizes = ", ".join(map(str, TARGET_CASES[1:]))
    what = f"Train on {SOURCE} cases, adapt with {sizes} {TARGET} cases, evaluate on all test cases"
    with _step(what, output / "runs"):
        outcome = run_experiment(config, output, on_progress=update, on_run=lambda text: warn(f"  {text}"))
    if outcome.failures:
        raise UserError(
            f"{outcome.failures[0].title} could not be made: {outcome.failures[0].error}",
            expected="four models.",
            fix="repeat the command, which goes on from here, or delete the folder and begin anew.",
        )
    return {one.target_cases: one.folder(output) / "model" for one in outcome.planned}


def _config(seed: int) -> ExperimentConfig:
    """The demo as an experiment."""
    from uteroseg.experiment.config import Budget, CohortConfig, ExperimentConfig, Simulate
    from uteroseg.model.strategy import strategy_named

    source, target = (
        CohortConfig(cohort=cohort, simulate=Simulate(train=train, test=test, seed=seed))
        for cohort, (train, test) in PATIENTS.items()
    )
    return ExperimentConfig(
        source=source,
        target=target,
        sizes=TARGET_CASES,
        strategies=(strategy_named(STRATEGY),),
        seeds=(seed,),
        budget=Budget(
            source_steps=TRAIN_STEPS,
            adapt_steps=ADAPT_STEPS,
            batch_size=8,
            source_learning_rate=4e-3,
            adapt_learning_rate=2e-3,
        ),
        keep_models=True,
    )


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
        if any((out / name).is_file() for name in ("settings.json", "predictions.csv")):
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
    from uteroseg.experiment.results import read_experiment
    from uteroseg.experiment.summary import summarise

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
