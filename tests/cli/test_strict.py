import csv
import json
from dataclasses import replace

import pytest

from tests import tiny
from uteroseg.dataset.study_files import write_study


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
    monkeypatch.setattr("uteroseg.inference.predict.quality_flags", lambda *arguments: [])
    code, out, _ = run("predict", swapped, "-m", tiny_model, "-o", tmp_path / "p", "--strict", "--json")
    assert (code, json.loads(out)["studies"][0]["flags"]) == (0, [])
