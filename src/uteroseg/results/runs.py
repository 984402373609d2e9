"""The record of one finished run (`run.json`): its settings, cost and pictures."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from uteroseg.errors import UserError
from uteroseg.files import write_text

FILE_NAME = "run.json"


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
