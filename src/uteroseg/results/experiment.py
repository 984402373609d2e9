"""An experiment as it lies on disk: its finished runs and their tables, checked against each other."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from uteroseg.errors import UserError
from uteroseg.files import write_file
from uteroseg.results import cases, runs
from uteroseg.results.runs import RunRecord

TABLE = "results.parquet"


@dataclass(frozen=True)
class FinishedRun:
    """A run that has its `run.json`, and the folder it lies in."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True, eq=False)
class Experiment:
    """The finished runs of an experiment.

    Parameters
    ----------
    directory : Path
    runs : tuple of FinishedRun
        At least one; by number of target cases, strategy and seed.
    cases : DataFrame
        Every run's `cases.csv`, one below the other.
    unfinished : int
        Run folders without `run.json`, left out.
    """

    directory: Path
    runs: tuple[FinishedRun, ...]
    cases: pd.DataFrame
    unfinished: int

    @property
    def source_cohort(self) -> str:
        """The cohort that the models come from."""
        return self.runs[0].record.source_cohort

    @property
    def target_cohort(self) -> str:
        """The cohort that they are adapted to."""
        return self.runs[0].record.target_cohort

    @property
    def target_patients(self) -> int | None:
        """Patients of the target cohort to train on; None where it was not recorded."""
        found = {run.record.target_patients for run in self.runs} - {0}
        return found.pop() if len(found) == 1 else None

    @property
    def virtual(self) -> bool:
        """Whether any run saw virtual patients."""
        return any(run.record.virtual for run in self.runs)


def read_experiment(directory: Path) -> Experiment:
    """Read `runs/*/run.json` and `runs/*/cases.csv`.

    Raises
    ------
    UserError
        If no run is finished, a file is defective, or runs do not belong together: other cohorts, other
        test cases, one run twice.
    """
    folders = sorted(folder for folder in directory.glob("runs/*") if folder.is_dir())
    finished = [folder for folder in folders if (folder / runs.FILE_NAME).is_file()]
    if not finished:
        raise UserError(
            f"{directory} holds no finished run ({len(folders)} unfinished).",
            expected=f"an experiment folder with at least one runs/NAME/{runs.FILE_NAME}.",
            fix="name the folder that 'uteroseg experiment' or 'uteroseg demo' wrote, or let it finish.",
        )
    found = sorted((FinishedRun(folder, _record_of(folder)) for folder in finished), key=_order)
    tables = [_cases_of(run) for run in found]
    _check_together(found, tables)
    return Experiment(
        directory=directory,
        runs=tuple(found),
        cases=pd.concat(tables, ignore_index=True),
        unfinished=len(folders) - len(finished),
    )


def write_results(experiment: Experiment) -> Path | None:
    """Write `results.parquet`: the rows of all runs, sorted, with numbers as numbers.

    Returns
    -------
    Path or None
        None where pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        return None
    table = experiment.cases.sort_values(
        ["strategy", "target_cases", "seed", "test_set", "case"], ignore_index=True
    )
    for column in table.columns.difference(list(cases.COLUMNS)):
        filled = table[column].replace("", pd.NA)
        numbers = pd.to_numeric(filled, errors="coerce")
        if numbers.notna().sum() == filled.notna().sum():
            table[column] = numbers.astype("float64")
    path = experiment.directory / TABLE
    write_file(path, lambda stage: table.to_parquet(stage, index=False))
    return path


def _record_of(folder: Path) -> RunRecord:
    """The run's record; without pictures where they were left behind, as in an archive of results."""
    record = runs.read_run(folder / runs.FILE_NAME)
    if any((folder / overlay.file).exists() for overlay in record.overlays.values()):
        return record
    return record.model_copy(update={"overlays": {}})


def _order(run: FinishedRun) -> tuple[int, str, int, str]:
    record = run.record
    return record.target_cases, record.strategy, record.seed, record.run


def _cases_of(run: FinishedRun) -> pd.DataFrame:
    path = run.folder / cases.FILE_NAME
    table = cases.read_cases(path)
    for column in ("run", "strategy", "target_cases", "seed"):
        stated = getattr(run.record, column)
        if (other := table.loc[table[column] != stated, column]).size:
            raise UserError(
                f"{path} says {column} {other.iloc[0]}, but {runs.FILE_NAME} beside it says {stated}.",
                expected="a table and a record of one and the same run.",
                fix="delete this run's folder and repeat the run; do not copy files between run folders.",
            )
    return table


def _check_together(found: list[FinishedRun], tables: list[pd.DataFrame]) -> None:
    first = found[0]
    expected_cases = _test_cases(tables[0])
    seen: dict[tuple[str, int, int], FinishedRun] = {}
    for run, table in zip(found, tables, strict=True):
        record = run.record
        cohorts = (record.source_cohort, record.target_cohort)
        if cohorts != (first.record.source_cohort, first.record.target_cohort):
            raise _mixed(
                first, run, f"the cohorts {' → '.join(cohorts)}", "the same two cohorts in every run."
            )
        if difference := expected_cases ^ _test_cases(table):
            raise _mixed(
                first,
                run,
                f"other test cases ({len(difference)} differ)",
                "the same test cases in every run.",
            )
        cell = (record.strategy, record.target_cases, record.seed)
        if cell in seen:
            raise _mixed(
                seen[cell], run, "the same strategy, target cases and seed", "each combination once."
            )
        seen[cell] = run


def _test_cases(table: pd.DataFrame) -> set[tuple[str, str, str]]:
    return set(zip(table["test_set"], table["participant"], table["case"], strict=True))


def _mixed(first: FinishedRun, second: FinishedRun, difference: str, expected: str) -> UserError:
    return UserError(
        f"{second.folder} does not belong beside {first.folder}: it has {difference}.",
        expected=expected,
        fix="move the runs of another experiment out of this folder, then report again.",
    )
