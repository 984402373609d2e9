import json

import pandas as pd
import pytest

from tests.experiment.small import config
from uteroseg.experiment.config import save_config
from uteroseg.model.strategy import STRATEGIES, Strategy


@pytest.fixture
def file(tiny_cohorts, tmp_path):
    save_config(config(tiny_cohorts.root, strategies=(STRATEGIES["head"],)), tmp_path / "e.yaml")
    return tmp_path / "e.yaml"


def test_an_experiment_ends_with_a_table_a_report_and_an_archive(run, file, tmp_path):
    out = tmp_path / "x"
    code, answer, errors = run(
        "experiment", file, "-o", out, "--workers", 1, "--archive", tmp_path / "x.zip", "--json"
    )
    assert code == 0, errors
    values = json.loads(answer)
    assert (values["runs"], values["finished"], values["made"], values["remaining"]) == (2, 2, 2, 0)
    assert (out / "report.html").is_file()
    assert (tmp_path / "x.zip").is_file()
    table = pd.read_parquet(out / "results.parquet")
    assert len(table) == 2 * 4
    assert table["dsc"].dtype == "float64"
    assert {"run", "strategy", "target_cases", "seed", "test_set", "case", "cohort"} <= set(table)
    code, answer, _ = run("experiment", file, "-o", out)
    assert code == 0
    assert "2 of 2 runs are finished" in answer


def test_failed_runs_are_told_and_end_with_an_error(run, tiny_cohorts, tmp_path):
    impossible = Strategy(name="impossible", trains=("no-such-layers",))
    save_config(config(tiny_cohorts.root, strategies=(impossible,)), tmp_path / "e.yaml")
    code, answer, errors = run("experiment", tmp_path / "e.yaml", "-o", tmp_path / "x", "--workers", 1)
    assert code == 2
    assert "1 of 2 runs are finished" in answer
    assert "1 runs failed:\n  impossible, 2 cases, seed 1" in errors


def test_what_is_impossible_is_said_at_once(run, file, tmp_path):
    code, _, errors = run("experiment", file, "-o", tmp_path / "x", "--archive", tmp_path / "x.tar")
    assert (code, "ends in .zip" in errors) == (2, True)
    code, _, errors = run("experiment", "nothing", "-o", tmp_path / "x")
    assert (code, "paper, public, quick, reduced" in errors) == (2, True)
    assert not (tmp_path / "x").exists()
