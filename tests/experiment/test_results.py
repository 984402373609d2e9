from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.records import write_cases
from uteroseg.experiment.results import read_experiment, write_results

from .rows import row
from .test_records_runs import FIELDS


def write_run_folder(
    directory: Path, run: str, *, rows: list[dict[str, Any]] | None = None, **changes: Any
) -> Path:
    folder = directory / "runs" / run
    folder.mkdir(parents=True)
    record = FIELDS | {"run": run} | changes
    settings = {name: record[name] for name in ("run", "strategy", "target_cases", "seed")}
    write_cases(folder / "cases.csv", [row(**settings) | changed for changed in rows or [{}]])
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_finished_runs_are_read_in_order_and_unfinished_ones_counted(tmp_path: Path) -> None:
    write_run_folder(tmp_path, "a", target_cases=13)
    write_run_folder(tmp_path, "b", target_cases=0, strategy="source_only")
    (tmp_path / "runs" / "c").mkdir()
    (tmp_path / "runs" / "c" / "cases.csv").write_text("half a tab")
    (tmp_path / "runs" / "notes.txt").write_text("not a run")
    experiment = read_experiment(tmp_path)
    assert [run.record.target_cases for run in experiment.runs] == [0, 13]
    assert experiment.cases["run"].tolist() == ["b", "a"]
    assert experiment.unfinished == 1
    assert (experiment.source_cohort, experiment.target_cohort, experiment.virtual) == (
        "cervical",
        "uterine",
        True,
    )


def test_one_virtual_run_makes_the_experiment_virtual(tmp_path: Path) -> None:
    write_run_folder(tmp_path, "a", virtual=False)
    write_run_folder(tmp_path, "b", virtual=True, seed=1)
    assert read_experiment(tmp_path).virtual


@pytest.mark.parametrize("unfinished", [0, 2])
def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path, unfinished: int) -> None:
    for number in range(unfinished):
        (tmp_path / "runs" / str(number)).mkdir(parents=True)
    with pytest.raises(UserError, match=rf"no finished run \({unfinished} unfinished\)"):
        read_experiment(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run"):
        read_experiment(tmp_path / "nowhere")


def test_a_finished_run_without_its_table_is_refused(tmp_path: Path) -> None:
    (write_run_folder(tmp_path, "a") / "cases.csv").unlink()
    with pytest.raises(UserError, match=r"cases.csv does not exist"):
        read_experiment(tmp_path)


@pytest.mark.parametrize("column", ["run", "strategy", "target_cases", "seed"])
def test_a_table_of_another_run_is_refused(tmp_path: Path, column: str) -> None:
    write_run_folder(tmp_path, "a", rows=[{column: 7}])
    with pytest.raises(UserError, match=f"says {column} 7"):
        read_experiment(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1, "target_cohort": "bladder"}, "cervical → bladder"),
        ({"seed": 1, "rows": [{"case": "sub-0009"}]}, r"other test cases \(2 differ\)"),
        ({"seed": 1, "rows": [{}, {"case": "sub-0009"}]}, r"other test cases \(1 differ\)"),
        ({}, "the same strategy, target cases and seed"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    write_run_folder(tmp_path, "a")
    write_run_folder(tmp_path, "b", **changes)
    with pytest.raises(UserError, match=named):
        read_experiment(tmp_path)


def test_pictures_that_were_left_behind_are_none(tmp_path: Path) -> None:
    folder = write_run_folder(tmp_path, "a")
    assert not read_experiment(tmp_path).runs[0].record.overlays
    (folder / "overlays").mkdir()
    (folder / "overlays" / "worst.png").write_bytes(b"")
    assert set(read_experiment(tmp_path).runs[0].record.overlays) == {"worst"}


def test_the_table_of_all_runs_is_sorted_and_its_numbers_are_numbers(tmp_path: Path) -> None:
    write_run_folder(tmp_path, "b", target_cases=13, rows=[{"nsd_2mm": 0.5, "scanner": "GE"}])
    write_run_folder(tmp_path, "c", target_cases=5, rows=[{"nsd_2mm": None, "scanner": ""}])
    path = write_results(read_experiment(tmp_path))
    assert path == tmp_path / "results.parquet"
    table = pd.read_parquet(path)
    assert table["target_cases"].tolist() == [5, 13]
    assert table["run"].tolist() == ["c", "b"]
    assert table["nsd_2mm"].isna().tolist() == [True, False]
    assert table["nsd_2mm"].dtype == "float64"
    assert table["scanner"].tolist() == ["", "GE"]
    assert {p.name for p in tmp_path.iterdir()} == {"runs", "results.parquet", "runs.jsonl"}
