"""What an experiment leaves on disk: each finished run's record and table, and all of them as one file."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from uteroseg.errors import UserError
from uteroseg.experiment.config import CONFIG_FILE
from uteroseg.files import write_file, write_text

RUN_FILE = "run.json"


def _inside_run(file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
        raise ValueError("must be a path with / inside the run's folder")
    return file


class Overlay(BaseModel):
    """A picture of one test case with truth and prediction.

    Parameters
    ----------
    case : str
    dsc : float
    file : str
        PNG, relative to the run's folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    dsc: float = Field(ge=0, le=1)
    file: Annotated[str, AfterValidator(_inside_run)]


class RunRecord(BaseModel):
    """One training (strategy × number of target cases × seed) and its evaluation.

    Parameters
    ----------
    run : str
        Hash of settings, data and recipe.
    strategy : str
        How the model was adapted.
    target_cases : int
        Annotated cases of the target cohort that it was adapted with.
    seed : int
    source_cohort, target_cohort : str
    virtual : bool
        Whether any of the patients are virtual.
    training_cases : dict of str to int
        Number of cases per cohort.
    seconds : dict of str to float
        Duration of each step.
    versions : dict of str to str
        Version of each package that matters.
    machine : str
    overlays : dict
        Worst, median and best test case by DSC.
    steps : int
        Of the optimiser; 0 where it was not recorded.
    settings : dict
        All that the run's hash is of; empty where it was not recorded.
    target_patients : int
        Patients of the target cohort that there are to train on; 0 where it was not recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(min_length=1)
    strategy: str = Field(min_length=1)
    target_cases: int = Field(ge=0)
    seed: int
    source_cohort: str = Field(min_length=1)
    target_cohort: str = Field(min_length=1)
    virtual: bool
    training_cases: dict[str, int]
    seconds: dict[str, float]
    versions: dict[str, str]
    machine: str
    overlays: dict[Literal["worst", "median", "best"], Overlay]
    steps: int = Field(default=0, ge=0)
    settings: dict[str, Any] = {}
    target_patients: int = Field(default=0, ge=0)


def write_run(path: Path, record: RunRecord) -> None:
    """Write a `run.json`, whole or not at all. Written last, it marks the run as finished."""
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read_run(path: Path) -> RunRecord:
    """Read a `run.json`.

    Raises
    ------
    UserError
        If it is not JSON or a field is missing, unknown or of the wrong type; the first one is named.
    """
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the file as a whole"
        raise UserError(
            f"{path} is not the record of a run ({field}: {first['msg']}).",
            expected="run.json as uteroseg wrote it.",
            fix="delete this run's folder and repeat the run with the same command.",
        ) from error


CASES_FILE = "cases.csv"

CASE_COLUMNS = (
    "run",
    "strategy",
    "target_cases",
    "seed",
    "test_set",
    "case",
    "participant",
    "cohort",
    "histology",
    "volume_ml",
    "predicted_volume_ml",
    "dsc",
    "sensitivity",
    "ppv",
    "volume_error_ml",
)
"""Columns that every `cases.csv` has; a name carries its unit. Pooled is computed, never stored."""

TEST_SETS = ("source", "target")

_WHOLE = {"target_cases": (0, math.inf), "seed": (-math.inf, math.inf)}
_NUMBERS = {
    "volume_ml": (0, math.inf),
    "predicted_volume_ml": (0, math.inf),
    "dsc": (0, 1),
    "sensitivity": (0, 1),
    "ppv": (0, 1),
    "volume_error_ml": (-math.inf, math.inf),
}
_REQUIRED_TEXT = ("run", "strategy", "test_set", "case", "participant", "cohort")


def write_cases(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `cases.csv`, whole or not at all.

    Parameters
    ----------
    path : Path
    rows : iterable of mappings
        Each with the keys `CASE_COLUMNS`, and further measures, the same in every row; None becomes empty.

    Raises
    ------
    ValueError
        If a row lacks a column.
    """
    listed = list(rows)
    columns = list(dict.fromkeys([*CASE_COLUMNS, *(name for row in listed for name in row)]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in listed:
        if missing := set(columns) - set(row):
            raise ValueError(f"a row of cases.csv lacks the columns {sorted(missing)}")
        writer.writerow(row)
    write_text(path, text.getvalue())


def read_cases(path: Path) -> pd.DataFrame:
    """Read and check a `cases.csv`.

    Returns
    -------
    DataFrame
        `CASE_COLUMNS` with text, whole numbers and finite floats; further columns stay as text.

    Raises
    ------
    UserError
        If the file cannot be read, a column is missing, a value is missing or impossible, or a case stands
        there twice. File, column and row are named.
    """
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8", index_col=False)
    except FileNotFoundError:
        raise _defect(path, "does not exist", "a table of measures, one row per test case.") from None
    except (OSError, ValueError) as error:
        raise _defect(
            path, f"cannot be read ({error})", "a table of comma-separated values in UTF-8."
        ) from error
    if missing := [name for name in CASE_COLUMNS if name not in text.columns]:
        raise _defect(
            path, f"lacks the columns {', '.join(missing)}", f"the columns {', '.join(CASE_COLUMNS)}."
        )
    if text.empty:
        raise _defect(path, "has no rows", "one row per test case.")
    for column in _REQUIRED_TEXT:
        _refuse(path, text[column], text[column] == "", "some text")
    _refuse(path, text["test_set"], ~text["test_set"].isin(TEST_SETS), f"one of {', '.join(TEST_SETS)}")
    table = text.copy()
    for column, limits in (_WHOLE | _NUMBERS).items():
        table[column] = _numbers(path, text[column], limits=limits, whole=column in _WHOLE)
    repeated = table.duplicated(["run", "test_set", "case"])
    _refuse(path, text["case"], repeated, "each case once per run")
    return table


def _numbers(
    path: Path, column: pd.Series[str], *, limits: tuple[float, float], whole: bool
) -> pd.Series[Any]:
    low, high = limits
    values = pd.Series([_number(text) for text in column], index=column.index, dtype="float64")
    wrong = ~values.map(math.isfinite) | (values < low) | (values > high)
    kind = "a whole number" if whole else "a number"
    if whole:
        wrong |= values != values.round()
    if math.isfinite(high):
        kind += f" from {low:g} to {high:g}"
    elif math.isfinite(low):
        kind += f" of at least {low:g}"
    _refuse(path, column, wrong, kind)
    return values.astype("int64") if whole else values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _refuse(path: Path, column: pd.Series[str], wrong: pd.Series[bool], expected: str) -> None:
    """Raise for the first wrong value of a column; rows are counted from 1, below the header."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise _defect(
            path,
            f"has {column.iloc[row]!r} in column {column.name!r}, row {row + 1} "
            f"({int(wrong.sum())} such row{'s' if wrong.sum() > 1 else ''})",
            f"{expected}.",
        )


def _defect(path: Path, problem: str, expected: str) -> UserError:
    return UserError(
        f"{path} {problem}.",
        expected=expected,
        fix="evaluate again: delete this run's folder and repeat the run, or restore the file from a copy.",
    )


TABLE = "results.parquet"


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
    finished = [folder for folder in folders if (folder / RUN_FILE).is_file()]
    if not finished:
        raise UserError(
            f"{directory} holds no finished run ({len(folders)} unfinished).",
            expected=f"an experiment folder with at least one runs/NAME/{RUN_FILE}.",
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
    for column in table.columns.difference(list(CASE_COLUMNS)):
        filled = table[column].replace("", pd.NA)
        numbers = pd.to_numeric(filled, errors="coerce")
        if numbers.notna().sum() == filled.notna().sum():
            table[column] = numbers.astype("float64")
    path = experiment.directory / TABLE
    write_file(path, lambda stage: table.to_parquet(stage, index=False))
    return path


def _record_of(folder: Path) -> RunRecord:
    """The run's record; without pictures where they were left behind, as in an archive of results."""
    record = read_run(folder / RUN_FILE)
    if any((folder / overlay.file).exists() for overlay in record.overlays.values()):
        return record
    return record.model_copy(update={"overlays": {}})


def _order(run: FinishedRun) -> tuple[int, str, int, str]:
    record = run.record
    return record.target_cases, record.strategy, record.seed, record.run


def _cases_of(run: FinishedRun) -> pd.DataFrame:
    path = run.folder / CASES_FILE
    table = read_cases(path)
    for column in ("run", "strategy", "target_cases", "seed"):
        stated = getattr(run.record, column)
        if (other := table.loc[table[column] != stated, column]).size:
            raise UserError(
                f"{path} says {column} {other.iloc[0]}, but {RUN_FILE} beside it says {stated}.",
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
