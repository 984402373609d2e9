"""An experiment's folder: which runs are finished, all of them together, and their results as files."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from uteroseg.errors import UserError
from uteroseg.experiment.config import CONFIG_FILE
from uteroseg.experiment.records import (
    CASE_COLUMNS,
    CASES_FILE,
    RUN_FILE,
    RunRecord,
    checked_cases,
    parse_run,
    read_cases,
    read_run,
)
from uteroseg.files import write_file, write_text

TABLE_FILE = "results.parquet"
RECORDS_FILE = "runs.jsonl"


def run_folder(directory: Path, run: str) -> Path:
    """Where a run lies in an experiment's folder."""
    return directory / "runs" / run


def is_finished(folder: Path) -> bool:
    """Whether a run's record and its table are there."""
    return (folder / RUN_FILE).is_file() and (folder / CASES_FILE).is_file()


def finished_folders(directory: Path) -> list[Path]:
    """The folders of an experiment's finished runs, planned or not."""
    return [folder for folder in sorted(directory.glob("runs/*")) if is_finished(folder)]


@dataclass(frozen=True)
class FinishedRun:
    """A run that has its `run.json`, and the folder it lies in, or would lie in."""

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
    """Read an experiment's finished runs.

    They lie in ``runs/*/run.json`` and ``runs/*/cases.csv``, or, where no run's folder is left, together in
    ``runs.jsonl`` and ``results.parquet``, as `write_results` wrote them.

    Raises
    ------
    UserError
        If no run is finished, a file is defective, or runs do not belong together: other cohorts, other
        test cases, one run twice.
    """
    folders = sorted(folder for folder in directory.glob("runs/*") if folder.is_dir())
    finished = [folder for folder in folders if (folder / RUN_FILE).is_file()]
    if finished:
        found = sorted((_finished(folder, read_run(folder / RUN_FILE)) for folder in finished), key=_order)
        tables = [_cases_of(run) for run in found]
    elif (directory / TABLE_FILE).is_file() and (directory / RECORDS_FILE).is_file():
        found = sorted(_read_records(directory), key=_order)
        tables = _read_table(directory, found)
    else:
        raise UserError(
            f"{directory} holds no finished run ({len(folders)} unfinished).",
            expected=f"an experiment folder with at least one runs/NAME/{RUN_FILE}, or with {RECORDS_FILE} "
            f"and {TABLE_FILE}.",
            fix="name the folder that 'uteroseg experiment' or 'uteroseg demo' wrote, or let it finish.",
        )
    _check_together(found, tables)
    return Experiment(
        directory=directory,
        runs=tuple(found),
        cases=pd.concat(tables, ignore_index=True),
        unfinished=len(folders) - len(finished) if finished else 0,
    )


def write_results(experiment: Experiment) -> Path | None:
    """Write `results.parquet` and `runs.jsonl`: every run's rows and records, enough to report from.

    Rows are sorted, with numbers as numbers. Each record stands on a line of its own.

    Returns
    -------
    Path or None
        The table; None where pyarrow is not installed, and then nothing is written.
    """
    if find_spec("pyarrow") is None:
        return None
    table = experiment.cases.sort_values(
        ["strategy", "target_cases", "seed", "test_set", "case"], ignore_index=True
    )
    for column in table.columns.difference(list(CASE_COLUMNS)):
        filled = table[column].replace("", pd.NA)
        numbers = pd.to_numeric(filled, errors="coerce")
        if numbers.notna().sum() == filled.notna().sum():
            table[column] = numbers.astype("float64")
    records = [run.record.model_dump_json() for run in experiment.runs]
    write_text(experiment.directory / RECORDS_FILE, "\n".join(records) + "\n")
    path = experiment.directory / TABLE_FILE
    write_file(path, lambda stage: table.to_parquet(stage, index=False))
    return path


def _finished(folder: Path, record: RunRecord) -> FinishedRun:
    """A run; without pictures where they were left behind, as in an archive of results."""
    if not any((folder / overlay.file).exists() for overlay in record.overlays.values()):
        record = record.model_copy(update={"overlays": {}})
    return FinishedRun(folder, record)


def _read_records(directory: Path) -> list[FinishedRun]:
    path = directory / RECORDS_FILE
    lines = path.read_bytes().splitlines()
    records = [parse_run(line, f"{path}, line {place}") for place, line in enumerate(lines, start=1)]
    return [_finished(run_folder(directory, record.run), record) for record in records]


def _read_table(directory: Path, found: list[FinishedRun]) -> list[pd.DataFrame]:
    """The table's rows of each run, in the order of the runs."""
    path = directory / TABLE_FILE
    if find_spec("pyarrow") is None:
        raise UserError(
            f"{path} cannot be read: pyarrow is not installed.",
            expected="the packages of uteroseg's analysis extra.",
            fix="install them: pip install 'uteroseg[analysis]'",
        )
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise _results_defect(path, f"cannot be read ({error})") from error
    text = pd.read_csv(io.StringIO(rows.to_csv(index=False)), dtype=str, keep_default_na=False)
    table = checked_cases(text, path)
    tables = {str(run): own for run, own in table.groupby("run", sort=False)}
    if tables.keys() != (runs := {run.record.run for run in found}):
        raise _results_defect(
            path, f"does not hold the runs of {RECORDS_FILE} ({len(tables.keys() ^ runs)} differ)"
        )
    for run in found:
        _refuse_other_run(run.record, tables[run.record.run], path, RECORDS_FILE)
    return [tables[run.record.run] for run in found]


def _results_defect(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} {problem}.",
        expected=f"{TABLE_FILE} and {RECORDS_FILE} of one experiment, as uteroseg wrote them.",
        fix="restore both files from a copy, or write them again where the runs lie: uteroseg experiment.",
    )


def _order(run: FinishedRun) -> tuple[int, str, int, str]:
    record = run.record
    return record.target_cases, record.strategy, record.seed, record.run


def _cases_of(run: FinishedRun) -> pd.DataFrame:
    path = run.folder / CASES_FILE
    table = read_cases(path)
    _refuse_other_run(run.record, table, path, RUN_FILE)
    return table


def _refuse_other_run(record: RunRecord, table: pd.DataFrame, path: Path, records: str) -> None:
    """Refuse rows that are not of the run that they lie with."""
    for column in ("run", "strategy", "target_cases", "seed"):
        stated = getattr(record, column)
        if (other := table.loc[table[column] != stated, column]).size:
            raise UserError(
                f"{path} says {column} {other.iloc[0]}, but {records} beside it says {stated}.",
                expected="a table and a record of one and the same run.",
                fix="delete this run's folder and repeat the run; do not copy files between run folders.",
            )


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


_DATE = (1980, 1, 1, 0, 0, 0)
"""The same results make the same file."""


def require_name(path: Path) -> None:
    """Raise a UserError where a file's name does not end in ``.zip``."""
    if path.suffix.lower() != ".zip":
        raise UserError(
            f"The archive is to be {path}.", expected="a name that ends in .zip.", fix="correct `archive`."
        )


def write_archive(directory: Path, path: Path) -> int:
    """Write the results as a zip archive; unpacked into a folder, the experiment goes on from them there.

    Parameters
    ----------
    directory : Path
        The experiment's folder.
    path : Path
        File to write.

    Returns
    -------
    int
        The number of runs in it.

    Raises
    ------
    UserError
        If the file's name does not end in ``.zip``.
    """
    require_name(path)
    folders = finished_folders(directory)
    files = [directory / CONFIG_FILE]
    files += [folder / name for folder in folders for name in (RUN_FILE, CASES_FILE)]

    def write(stage: Path) -> None:
        with zipfile.ZipFile(stage, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(directory).as_posix(), _DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())

    write_file(path, write)
    return len(folders)
