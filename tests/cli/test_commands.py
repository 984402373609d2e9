import errno
import json
import shutil
import subprocess
import sys

from tests import tiny
from tests.dicom.build import Recipe, write_series
from tests.grids import grid
from uteroseg import __version__
from uteroseg.dataset.store import Dataset
from uteroseg.phantom.dicom_files import write_dicom


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


def test_the_command_ends_with_its_code_and_all_that_it_printed(tmp_path):
    def command(*arguments):
        run = [sys.executable, "-m", "uteroseg", *map(str, arguments)]
        return subprocess.run(run, capture_output=True, text=True, check=False)

    version = command("--version")
    assert (version.returncode, version.stdout) == (0, f"{__version__}\n")
    gone = command("info", tmp_path / "gone")
    assert gone.returncode == 2
    assert "does not exist" in gone.stderr
    assert command("predict").returncode == 2


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
        ("t2", True),
        ("dwi", True),
        ("adc", True),
        ("calculated_b", False),
    ]
    code, out, _ = run("ingest", source, tmp_path / "d", "--cohort", "male", "--dry-run")
    assert out.count("not used") == 1
    assert "added    sub-0001 from" in out


def test_a_dry_run_names_what_would_be_refused_and_series_of_other_studies(run, tmp_path):
    write_series(tmp_path / "in" / "a", Recipe())[7].unlink()
    t2 = {"image_type": ("ORIGINAL", "PRIMARY", "M"), "description": "t2", "dialect": lambda ds, b: None}
    write_series(tmp_path / "in" / "b", Recipe((0,), **t2))
    arguments = ("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "c", "--dry-run")
    code, out, _ = run(*arguments)
    assert code == 2
    assert "no image for b 500" in out
    assert "not used  series 3 (t2), 5 files: its DICOM study has no diffusion series" in out
    code, out, _ = run(*arguments, "--drop-incomplete")
    assert code == 0
    assert "b 0, 1000 s/mm²" in out
    assert "left out b 500" in out
    assert not (tmp_path / "d").exists()


def test_a_dry_run_says_what_the_run_says_and_ends_with_its_code(run, tmp_path):
    write_series(tmp_path / "in/a", Recipe())
    write_series(tmp_path / "in/b", Recipe((0,)))
    command = ("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "c")
    for code, counts in ((2, "1 added"), (2, "1 present"), (0, "1 present")):
        dry_code, dry, dry_err = run(*command, "--dry-run")
        real_code, real, real_err = run(*command)
        assert (dry_code, dry_err) == (real_code, real_err)
        assert real_code == code
        *lines, total = real.splitlines()
        *dry_lines, dry_total = dry.splitlines()
        assert dry_lines[-len(lines) :] == lines
        assert dry_total == f"{total}; a dry run, nothing was written"
        assert counts in total
        assert ("1 failed" in total) == (code == 2)
        if counts == "1 present" and code:
            shutil.rmtree(tmp_path / "in/b")


def test_a_dry_run_of_an_archive_names_its_members(run, tmp_path):
    write_series(tmp_path / "in/a", Recipe())
    (tmp_path / "in/cut.dcm").write_bytes(b"no image")
    archive = shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "in")
    for how in ((), ("--json",)):
        code, out, _ = run("ingest", archive, tmp_path / "d", "--cohort", "c", "--dry-run", *how)
        assert (code, "scan.zip/a" in out, "scan.zip/cut.dcm" in out, "uteroseg-" in out) == (
            0,
            True,
            True,
            False,
        )


def test_the_help_says_what_paths_in_a_table_are_relative_to(run):
    _, out, _ = run("ingest", "--help")
    assert "relative to the table" in " ".join(out.replace("│", " ").split())


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
    assert "Not everything came in" in err
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
    assert json.loads(run(*arguments)[1]) == {
        "added": 0,
        "present": 2,
        "cut": [],
        "dataset": str(tmp_path / "d"),
    }
    code, out, _ = run("split", tmp_path / "d", "--test", 0.5)
    assert "uterine: 1 train, 1 test" in out


def test_train_adapt_predict_evaluate_in_a_row(run, tiny_cohorts, tmp_path):
    root = tiny_cohorts.root
    code, out, _ = run("train", root, "--cohort", "cervical", "-o", tmp_path / "m", "--steps", 4)
    assert code == 0
    assert "3 cervical cases, scratch, 4 steps" in out
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
    assert {p.name for p in (tmp_path / "e").iterdir()} == {
        "cases.csv",
        "summary.json",
        "table.md",
        "table.tex",
        "figures",
    }


def test_what_the_network_sees_can_be_finer(run, tiny_cohorts, tmp_path):
    train = ("train", tiny_cohorts.root, "--cohort", "cervical", "--steps", 2, "-o", tmp_path / "m")
    refused(run(*train, "--spacing", 4, "--matrix", 50, 64), "on 50 × 64 pixels")
    assert not (tmp_path / "m").exists()
    code, _, _ = run(*train, "--spacing", 4, "--matrix", 48, 64)
    assert code == 0
    spec = json.loads((tmp_path / "m" / "model.json").read_text("utf-8"))["spec"]
    assert (spec["spacing_mm"], spec["matrix"]) == (4.0, [48, 64])


def test_how_many_cases_are_annotated_is_said_and_none_is_an_error(run, tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    tiny.add(dataset, split="train", with_mask=False)
    train = ("train", dataset.root, "--cohort", "cervical", "--steps", 2, "--spacing", 4, "--matrix", 48, 48)
    refused(run(*train, "-o", tmp_path / "m"), "0 of 1 cervical train cases are annotated")
    tiny.add(dataset, seed=2, split="train")
    code, _, told = run(*train, "-o", tmp_path / "m")
    assert code == 0
    assert "1 of 2 cervical train cases are annotated." in told


def test_cases_without_a_mask_teach_unless_they_are_not_wanted(run, tiny_model, tmp_path):
    dataset = tiny.cohorts(tmp_path / "d")
    axial = grid("axial", (6, 48, 48), (5, 4, 4))
    other = tiny.add(dataset, "uterine", seed=9, split="train", with_mask=False, geometry=axial)
    adapt = ("adapt", dataset.root, "--cohort", "uterine", "--cases", 2, "--from", tiny_model, "--steps", 2)
    adapt = (*adapt, "--json", "-o")
    code, out, told = run(*adapt, tmp_path / "with")
    assert code == 0
    assert json.loads(out)["unannotated_cases"] == 1
    assert "3 of 4 uterine train cases are annotated." in told
    assert f"{other}: It is axial" in told
    code, out, _ = run(*adapt, tmp_path / "alone", "--no-unannotated")
    assert (code, json.loads(out)["unannotated_cases"]) == (0, 0)


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

    arguments = ("predict", tiny_cohorts.root, "-m", tiny_model, "-o", tmp_path / "p")
    monkeypatch.setattr("uteroseg.model.prediction_folder.write_mask", full)
    code, out, err = run(*arguments)
    assert code == 2
    assert out.count("FAILED") == 10
    assert "No space left on device" in out
    assert "Traceback" not in err
    assert {p.name for p in (tmp_path / "p").iterdir()} == {"settings.json", "predictions.csv"}
    monkeypatch.setattr("uteroseg.inference.batch.write_table", full)
    refused(run(*arguments), "No space left on device: mask.nii.gz")


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


def test_an_incomplete_b_value_is_refused_by_name_or_left_out_on_request(run, tmp_path):
    write_series(tmp_path / "in", Recipe())[7].unlink()
    where = "(-30.0, 20.0, -47.0) mm"
    code, out, _ = run("ingest", tmp_path / "in", tmp_path / "refused", "--cohort", "uterine")
    assert code == 2
    assert f"no image for b 500 at {where}" in out
    assert not (tmp_path / "refused").exists()
    code, out, _ = run("ingest", tmp_path / "in", tmp_path / "d", "--cohort", "uterine", "--drop-incomplete")
    assert code == 0
    assert "b 0, 1000 s/mm²" in out
    assert f"left out b 500: no image at {where}" in out
    sidecar = json.loads((tmp_path / "d/sub-0001/dwi/sub-0001_dwi.json").read_text())
    assert sidecar["b_values_left_out"] == {"500": f"no image at {where}"}


def test_dicom_options_are_refused_where_the_input_is_not_dicom(run, tiny_cohorts, tiny_model, tmp_path):
    result = run("predict", tiny_cohorts.root, "-m", tiny_model, "-o", tmp_path / "out", "--adc-b-min", 100)
    refused(result, "is not a folder or zip archive of DICOM files")
    assert not (tmp_path / "out").exists()


def test_predict_reads_dicom_as_it_is_told_to(run, tiny_model, tmp_path):
    def coarse(ds):
        ds.PixelSpacing = [8, 8]  # so that so few pixels are a body

    write_series(tmp_path / "in", Recipe((0, 400, 800), adjust=coarse))[7].unlink()
    code, _, _ = run("predict", tmp_path / "in", "-m", tiny_model, "-o", tmp_path / "refused")
    assert code == 2
    code, out, _ = run(
        "predict", tmp_path / "in", "-m", tiny_model, "-o", tmp_path / "out", "--drop-incomplete", "--json"
    )
    assert code == 0
    (study,) = json.loads(out)["studies"]
    result = json.loads((tmp_path / "out" / study["case"] / "result.json").read_text())
    assert result["b_values"] == [0, 800]
    assert (tmp_path / "out" / study["case"] / "seg.dcm").is_file()
