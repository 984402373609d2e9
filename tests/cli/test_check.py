"""uteroseg check: table, JSON, exit codes."""

import json

from tests import tiny
from uteroseg.dataset.store import Dataset


def test_check_prints_a_table_and_its_code_tells_errors_from_warnings(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    dataset = Dataset.open_or_create(tmp_path / "d")
    case = tiny.add(dataset, seed=2)
    code, out, _ = run("check", dataset.root)
    assert code == 0
    assert "1 cases, 1 of them annotated, 0 errors" in out
    (dataset.root / case.dwi("bvec")).unlink()
    code, out, _ = run("check", dataset.root)
    assert code == 0
    assert "missing-file" in out
    assert "write three lines of zeros" in out
    (dataset.root / case.dwi("bval")).write_text("0 0\n")
    code, out, _ = run("check", dataset.root, "--json", "--pictures", tmp_path / "p")
    assert code == 2
    report = json.loads(out)
    assert (report["errors"], report["warnings"]) == (1, 2)
    assert [finding["check"] for finding in report["findings"]] == [
        "b-values",
        "mask-border",
        "missing-file",
    ]
    assert report["sheets"] == [str(tmp_path / "p" / "sheet-001.png")]


def test_info_tells_what_a_folder_is(run, tiny_cohorts):
    code, out, _ = run("info", tiny_cohorts.root)
    assert code == 0
    assert "is a dataset (BIDS): 10 cases of 10 virtual patients" in out
    assert "split train: 3" in out
    code, out, _ = run("info", tiny_cohorts.root, "--json")
    assert json.loads(out)["kind"] == "dataset"
