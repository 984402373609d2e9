"""The README's first command, for real, and then the real patient with the demo's model."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import highdicom
import pytest

from uteroseg.experiment.results import read_experiment
from uteroseg.experiment.summary import summarise


def command(*arguments, timeout):
    program = Path(sys.executable).with_name("uteroseg")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    return out, command("demo", "-o", out, timeout=850)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_ends_with_a_report_in_which_more_cases_help(demo):
    out, run = demo
    assert run.returncode == 0, run.stderr
    assert f"Report: {out / 'report.html'}" in run.stdout
    assert len(run.stdout.split("\n\n")[-1].strip().splitlines()) == 3
    assert run.stderr.count("done in") == 5
    page = (out / "report.html").read_text("utf-8")
    assert "Virtual patients" in page
    assert "not for diagnosis" in page
    assert not re.search(r"(?:src|href)=[\"']https?:", page)
    table = summarise(read_experiment(out).cases)
    pooled = table[table["test_set"] == "pooled"].set_index("target_cases")["dsc_mean"].sort_index()
    assert list(pooled.index) == [0, 2, 5, 13]
    assert pooled[13] > pooled[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_study_that_came_as_dicom_has_every_output(demo):
    (folder,) = [p for p in (demo[0] / "prediction").iterdir() if p.is_dir()]
    assert {p.name for p in folder.iterdir()} == {
        "mask.nii.gz",
        "seg.dcm",
        "sr.dcm",
        "result.json",
        "overlay.png",
    }
    assert highdicom.seg.segread(folder / "seg.dcm").number_of_segments == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demos_model_runs_through_on_a_real_patient(demo, real_data, tmp_path):
    (final,) = [r for r in read_experiment(demo[0]).runs if r.record.target_cases == 13]
    model = final.folder / "model"
    source = real_data / "prostatex"
    ingested = command("ingest", source, tmp_path / "d", "--cohort", "male_pelvis", timeout=60)
    assert ingested.returncode == 0, ingested.stderr
    run = command("predict", source / "0000", "-m", model, "-o", tmp_path / "p", timeout=60)
    assert run.returncode == 0, run.stderr
    assert "means nothing clinically" in run.stdout
    (folder,) = [p for p in (tmp_path / "p").iterdir() if p.is_dir()]
    seg = highdicom.seg.segread(folder / "seg.dcm")
    assert seg.pixel_array.shape[-2:] == (128, 84)
    assert json.loads((folder / "result.json").read_text())["grid"]["slices"] == 19


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_demo_makes_nothing_again(demo):
    out, _ = demo
    runs = {p: p.stat().st_mtime_ns for p in (out / "runs").rglob("*") if p.is_file()}
    again = command("demo", "-o", out, timeout=120)
    assert again.returncode == 0, again.stderr
    assert {p: p.stat().st_mtime_ns for p in (out / "runs").rglob("*") if p.is_file()} == runs
