import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests import tiny
from uteroseg.dataset.study_files import write_study
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.inference.batch import PredictedStudy
from uteroseg.inference.inputs import DicomInput


@pytest.fixture
def swapped(tmp_path):
    """A study whose images are in the wrong order, as NIfTI."""
    study, _ = tiny.study(3)
    path = tmp_path / "x_dwi.nii.gz"
    write_study(
        path,
        replace(study, signal=study.signal[::-1].copy()),
        scanner_adc=tmp_path / "none.nii.gz",
        sidecar={},
    )
    return path


def test_a_flagged_study_is_told_everywhere_and_fails_where_that_is_asked(run, swapped, tiny_model, tmp_path):
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "a")
    assert code == 0
    assert "\n  other-adc: The median of the body's ADC is -" in out
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "b", "--strict", "--json")
    assert code == 3
    told = json.loads(out)["studies"][0]["flags"]
    assert told == json.loads((tmp_path / "b" / "x" / "result.json").read_text())["flags"]
    assert {flag["name"] for flag in told} >= {"other-adc", "other-intensity"}
    with (tmp_path / "b" / "predictions.csv").open() as file:
        names = next(csv.DictReader(file))["flags"].split()
    assert names == list(dict.fromkeys(flag["name"] for flag in told))


def test_strict_passes_where_nothing_is_flagged(run, swapped, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("uteroseg.model.prediction.quality_flags", lambda *arguments: [])
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "p", "--strict", "--json")
    assert (code, json.loads(out)["studies"][0]["flags"]) == (0, [])


def test_a_dicom_object_that_is_missing_is_told_and_fails_where_that_is_asked(
    run, swapped, tiny_model, tmp_path, monkeypatch
):
    def one(source, *arguments):
        return PredictedStudy("x", str(source.origin), volume_ml=1.0, not_written={"sr.dcm": "A bug."})

    monkeypatch.setattr("uteroseg.inference.batch.predict_one", one)
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "a")
    assert code == 0
    assert "tumour 1.0 mL\n  sr.dcm was not written: A bug." in out
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "b", "--strict", "--json")
    assert (code, json.loads(out)["studies"][0]["not_written"]) == (3, {"sr.dcm": "A bug."})


def test_studies_of_one_origin_are_told_apart(run, swapped, tiny_model, tmp_path, monkeypatch):
    inputs = [
        DicomInput(
            case=f"study-{number}",
            origin=swapped,
            description=f"series {number}",
            series_uids="",
            options=ReadOptions(),
        )
        for number in (3, 4)
    ]
    monkeypatch.setattr("uteroseg.inference.batch.find_inputs", lambda *arguments, **options: inputs)
    monkeypatch.setattr(
        "uteroseg.inference.batch.predict_one",
        lambda source, *arguments: PredictedStudy(
            source.case, str(source.origin), source.description, volume_ml=1.0
        ),
    )
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "a")
    assert code == 0
    assert "study-3 (series 3): tumour" in out
    with (tmp_path / "a" / "predictions.csv").open() as file:
        assert [row["description"] for row in csv.DictReader(file)] == ["series 3", "series 4"]
    del inputs[1]
    _, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "b")
    assert "study-3: tumour" in out


@pytest.mark.skipif(sys.platform == "win32", reason="file names are text there")
def test_names_that_are_not_text_are_printed_all_the_same(swapped, tiny_model, tmp_path):
    path = swapped.with_name(os.fsdecode(b"\xfc_dwi.nii.gz"))
    swapped.rename(path)
    swapped.with_name("x_dwi.bval").rename(swapped.with_name(os.fsdecode(b"\xfc_dwi.bval")))
    command = [sys.executable, "-m", "uteroseg", "predict", path, "-m", tiny_model, "-o", tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONUTF8": "1"})
    assert (run.returncode, run.stderr) == (0, b"")
    assert b"_xfc: tumour" in run.stdout
    assert list((tmp_path / "out").glob("*/overlay.png"))
