import errno
import json
import shutil
import subprocess
import sys

import pytest

from tests import tiny
from uteroseg.cli.main import main
from uteroseg.dataset.store import Dataset
from uteroseg.phantom.dicom_files import write_dicom


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process; its exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["uteroseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return run


def refused(result, *words):
    code, out, err = result
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    for word in ("Error:", "Expected:", "Fix:", *words):
        assert word in err


def test_help_lists_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['uteroseg', '--help']\n"
        "from uteroseg.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pydicom', 'highdicom', 'onnxruntime', 'pandas', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in ("demo", "simulate", "ingest", "split", "train", "adapt", "predict", "evaluate", "report"):
        assert verb in done.stdout


def test_importing_the_package_imports_no_torch():
    code = "import sys, uteroseg; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ingest_dry_run_says_why_each_series_is_used_or_not(run, real_data, tmp_path):
    source = real_data / "prostatex" / "0000"
    code, out, _ = run("ingest", source, tmp_path / "d", "--cohort", "male", "--dry-run", "--json")
    assert code == 0
    assert not (tmp_path / "d").exists()
    series = json.loads(out)["studies"][0]["series"]
    assert [(s["kind"], s["used"]) for s in series] == [
        ("t2", False),
        ("dwi", True),
        ("adc", True),
        ("calculated_b", False),
    ]
    code, out, _ = run("ingest", source, tmp_path / "d", "--cohort", "male", "--dry-run")
    assert out.count("not used") == 2


def test_ingest_says_what_was_added_and_where_b_values_were_read(run, real_data, tmp_path):
    arguments = ("ingest", real_data / "prostatex", tmp_path / "d", "--cohort", "male")
    code, out, _ = run(*arguments)
    assert code == 0
    assert "b 50, 400, 800 s/mm² (read from Siemens private (0019,100C))" in out
    assert "2 added" in out
    code, out, _ = run(*arguments)
    assert code == 0
    assert "2 present" in out


def test_a_study_that_fails_is_named_and_the_exit_code_says_it(run, real_data, tmp_path):
    source = shutil.copytree(real_data / "prostatex" / "0001", tmp_path / "source")
    damaged = sorted((source / "dwi").iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:6000])
    code, out, err = run("ingest", source, tmp_path / "d", "--cohort", "male")
    assert code == 2
    assert "FAILED" in out
    assert damaged.name in out
    assert "Expected:" in out
    assert "Fix:" in out
    assert "1 of 1 studies" in err
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_bad_input_is_refused_in_three_lines(run, real_data, tiny_cohorts, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    source = real_data / "prostatex"
    refused(
        run("ingest", source / "0000" / "t2", tmp_path / "d", "--cohort", "male"), "no diffusion-weighted"
    )
    refused(run("ingest", source, tmp_path / "other", "--cohort", "male"), "not a uteroseg dataset")
    refused(run("ingest", tmp_path / "gone", tmp_path / "d", "--cohort", "male"), "does not exist")
    refused(run("simulate", tmp_path / "d", "--cohort", "ovarian", "--cases", 1), "'ovarian'")
    refused(run("simulate", tmp_path / "d", "--cohort", "uterine", "--cases", 0), "0 virtual patients")
    refused(run("split", tmp_path / "other"), "not a dataset")
    refused(
        run("train", tiny_cohorts.root, "--cohort", "cervical", "-o", tmp_path / "other"), "holds something"
    )
    refused(run("train", tiny_cohorts.root, "--cohort", "ovarian", "-o", tmp_path / "m"), "no cohort")
    refused(
        run("predict", source / "0000", "-m", tmp_path / "other", "-o", tmp_path / "p"), "not a whole model"
    )
    refused(run("report", tmp_path / "other"))
    assert {p.name for p in tmp_path.iterdir()} == {"other"}
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["thesis.txt"]


def test_simulate_and_split_make_a_dataset(run, tmp_path):
    arguments = ("simulate", tmp_path / "d", "--cohort", "uterine", "--cases", 2, "--json")
    code, out, _ = run(*arguments)
    assert code == 0
    assert json.loads(out)["added"] == 2
    assert json.loads(run(*arguments)[1]) == {"added": 0, "present": 2, "dataset": str(tmp_path / "d")}
    code, out, _ = run("split", tmp_path / "d", "--test", 0.5)
    assert "uterine: 1 train, 1 test" in out


def test_train_adapt_predict_evaluate_in_a_row(run, tiny_cohorts, tmp_path):
    root = tiny_cohorts.root
    code, out, _ = run("train", root, "--cohort", "cervical", "-o", tmp_path / "m", "--steps", 4)
    assert code == 0
    assert "3 cervical cases, 4 steps" in out
    adapt = ("adapt", root, "--cohort", "uterine", "--cases", 2, "--from", tmp_path / "m")
    code, out, _ = run(*adapt, "-o", tmp_path / "m2", "--strategy", "encoder-early", "--steps", 3, "--json")
    assert json.loads(out)["training_cases"] == {"cervical": 3, "uterine": 2}
    refused(run(*adapt, "-o", tmp_path / "m3", "--strategy", "magic"), "no strategy 'magic'")
    code, out, _ = run("predict", root, "-m", tmp_path / "m2", "-o", tmp_path / "p")
    assert code == 0
    assert "means nothing clinically" in out
    code, out, _ = run("evaluate", root, "--predictions", tmp_path / "p", "-o", tmp_path / "e")
    assert code == 0
    assert "pooled: mean DSC" in out
    assert {p.name for p in (tmp_path / "e").iterdir()} == {"cases.csv", "summary.json"}


def test_a_missing_prediction_is_listed_and_the_exit_code_says_it(run, tiny_cohorts, tmp_path):
    (tmp_path / "p").mkdir()
    cases = tiny_cohorts.cases(split="test")
    for case in cases[:3]:
        shutil.copy(tiny_cohorts.root / case.annotation("nii.gz"), tmp_path / "p" / f"{case}.nii.gz")
    code, out, err = run(
        "evaluate", tiny_cohorts.root, "--predictions", tmp_path / "p", "-o", tmp_path / "e", "--json"
    )
    assert code == 2
    assert json.loads(out)["dsc"]["pooled"] == {"patients": 3, "mean": 1.0, "missed_tumours": 0}
    assert f"1 of 4 cases could not be measured:\n{cases[3]}" in err


def test_a_case_without_a_mask_stops_training(run, tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    tiny.add(dataset, split="train", with_mask=False)
    refused(
        run("train", dataset.root, "--cohort", "cervical", "-o", tmp_path / "m"), "have no mask: sub-0001"
    )


def test_a_package_that_is_not_installed_names_the_extra(run, tiny_cohorts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [n for n in sys.modules if n.startswith(("uteroseg.training", "uteroseg.network"))]:
        monkeypatch.delitem(sys.modules, name)
    refused(
        run("train", tiny_cohorts.root, "--cohort", "cervical", "-o", tmp_path / "m"),
        "pip install 'uteroseg[train]'",
    )


def test_a_full_disk_is_no_traceback(run, tiny_cohorts, tiny_model, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "mask.nii.gz")

    monkeypatch.setattr("uteroseg.inference.outputs.write_mask", full)
    refused(
        run("predict", tiny_cohorts.root, "-m", tiny_model, "-o", tmp_path / "p"),
        "No space left on device: mask.nii.gz",
    )
    assert list((tmp_path / "p").iterdir()) == []


def test_a_zip_is_ingested_and_predicted_like_a_folder(run, tiny_model, tmp_path):
    write_dicom(tiny.study(5)[0], tmp_path / "scan", patient_id="p", seed=1)
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "scan")
    code, out, _ = run("ingest", tmp_path / "scan.zip", tmp_path / "d", "--cohort", "uterine")
    assert code == 0
    assert "1 added" in out
    code, out, _ = run("predict", tmp_path / "scan.zip", "-m", tiny_model, "-o", tmp_path / "p", "--json")
    assert code == 0
    (study,) = json.loads(out)["studies"]
    assert (tmp_path / "p" / study["case"] / "seg.dcm").is_file()


def test_b_values_that_are_no_numbers_are_refused(run, tmp_path):
    for text in ("0,x", "0,0", "-5,100"):
        refused(
            run("ingest", tmp_path, tmp_path / "d", "--cohort", "uterine", f"--b-values={text}"), "--b-values"
        )
