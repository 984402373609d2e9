import csv
import json
import shutil

from tests.cli.test_commands import refused


def test_predictions_and_the_same_masks_in_a_flat_folder_are_measured_the_same(
    run, tiny_cohorts, tiny_model, tmp_path
):
    code, _, _ = run("predict", tiny_cohorts.root, "-m", tiny_model, "-o", tmp_path / "p")
    assert code == 0
    (tmp_path / "flat").mkdir()
    for name in ("dataset.json", "plans.json"):
        (tmp_path / "flat" / name).write_text("{}")
    expected = {}
    for folder in (path for path in (tmp_path / "p").iterdir() if path.is_dir()):
        shutil.copy(folder / "mask.nii.gz", tmp_path / "flat" / f"{folder.name}.nii.gz")
        result = json.loads((folder / "result.json").read_text()) | {"expected_dsc": 0.625}
        (folder / "result.json").write_text(json.dumps(result))
        expected[folder.name] = "0.625"
    assert len(expected) == 10
    tables, summaries = [], []
    for source in ("p", "flat"):
        out = tmp_path / f"evaluated-{source}"
        code, printed, _ = run(
            *("evaluate", tiny_cohorts.root, "--predictions", tmp_path / source, "-o", out),
            *("--split", "all", "--json"),
        )
        assert code == 0
        summaries.append(json.loads(printed))
        with (out / "cases.csv").open() as file:
            tables.append(list(csv.DictReader(file)))
        assert (out / "figures" / "expected_dsc.svg").exists() == (source == "p")
    assert summaries[0] == summaries[1]
    stated, none = ({row["case"]: row.pop("expected_dsc") for row in table} for table in tables)
    assert stated == expected
    assert set(none.values()) == {""}
    assert tables[0] == tables[1]
    assert len({row["dsc"] for row in tables[0]}) > 5


def test_what_cannot_be_measured_is_listed_and_the_exit_code_says_it(run, tiny_cohorts, tmp_path):
    (tmp_path / "p").mkdir()
    cases = tiny_cohorts.cases(split="test")
    for case, name in zip(cases, [*cases[:3], "stranger"], strict=True):
        shutil.copy(tiny_cohorts.root / case.annotation("nii.gz"), tmp_path / "p" / f"{name}.nii.gz")
    (tmp_path / "p" / f"{cases[2]}.nii.gz").write_text("broken")
    evaluate = ("evaluate", tiny_cohorts.root, "--predictions", tmp_path / "p")
    code, out, err = run(*evaluate, "-o", tmp_path / "e", "--json")
    assert code == 2
    assert "Traceback" not in err
    summary = json.loads(out)
    assert summary == json.loads((tmp_path / "e" / "summary.json").read_text())
    pooled = summary["groups"]["pooled"]
    assert (pooled["patients"], pooled["dsc"]["mean"], pooled["missed_tumours"]) == (2, 1, 0)
    assert "3 masks or cases do not count:\n" in err
    assert [problem.split(": ")[0] for problem in summary["problems"]] == [
        str(cases[2]),
        str(cases[3]),
        str(tmp_path / "p" / "stranger.nii.gz"),
    ]
    assert all(problem in err for problem in summary["problems"])
    for path in (tmp_path / "p").iterdir():
        path.write_text("broken")
    code, out, err = run(*evaluate, "-o", tmp_path / "nothing")
    assert code == 2
    assert "pooled: nothing was measured" in out
    assert "5 masks or cases do not count:\n" in err
    assert {path.name for path in (tmp_path / "nothing").iterdir()} == {
        "cases.csv",
        "summary.json",
        "table.md",
        "table.tex",
    }


def test_evaluate_refuses_what_it_cannot_begin(run, tiny_cohorts, tmp_path):
    (tmp_path / "p").mkdir()
    evaluate = ("evaluate", tiny_cohorts.root, "--predictions", tmp_path / "p", "-o", tmp_path / "e")
    refused(run(*evaluate), "holds no masks")
    case = tiny_cohorts.cases(split="test")[0]
    shutil.copy(tiny_cohorts.root / case.annotation("nii.gz"), tmp_path / "p" / f"{case}.nii.gz")
    refused(run(*evaluate, "--split", "tset"), "no split 'tset'")
    refused(run(*evaluate, "--tolerance", "inf"), "no distance")
    refused(run(*evaluate[:-1], tmp_path / "p"), "holds something already")
    for option, value in (("--label", 0), ("--tolerance", -1), ("--tolerance", "nan")):
        code, out, err = run(*evaluate, option, value)
        assert (code, out) == (2, "")
        assert option in err
    assert not (tmp_path / "e").exists()
