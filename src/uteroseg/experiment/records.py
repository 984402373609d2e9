"""What a finished run leaves on disk: its record (`run.json`) and its table of measures (`cases.csv`)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from uteroseg.errors import UserError
from uteroseg.evaluation.measurements import Rank
from uteroseg.files import write_text

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
        Annotated patients of the target cohort that there are to train on; 0 where it was not recorded.
    unannotated_cases : int
        Cases of the target cohort that taught without a mask.
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
    overlays: dict[Rank, Overlay]
    steps: int = Field(default=0, ge=0)
    settings: dict[str, Any] = {}
    target_patients: int = Field(default=0, ge=0)
    unannotated_cases: int = Field(default=0, ge=0)


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
    return parse_run(path.read_bytes(), str(path))


def parse_run(text: bytes, where: str) -> RunRecord:
    """Parse a run's record as `read_run` does; ``where`` it stands is what an error names."""
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the file as a whole"
        raise UserError(
            f"{where} is not the record of a run ({field}: {first['msg']}).",
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
    return checked_cases(text, path)


def checked_cases(text: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Check a table that was read as text, as `read_cases` does; ``path`` is what an error names."""
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
