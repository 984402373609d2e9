import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image

from tests import tiny
from tests.dicom.readers import by_highdicom, dciodvfy_errors
from tests.grids import grid
from tests.test_work import die, wait
from uteroseg.dataset.study_files import write_study
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_mask
from uteroseg.inference.batch import predict_all
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.work import HERE, Item, Workers


@pytest.fixture
def scanned(tmp_path):
    """A tiny study as DICOM files."""
    study, _ = tiny.study(5)
    write_dicom(study, tmp_path / "scan", patient_id="p", seed=1)
    return tmp_path / "scan"


def test_a_dicom_study_gives_every_output_on_its_own_grid(scanned, tiny_model, tmp_path):
    predictions, card = predict_all(scanned, tiny_model, tmp_path / "out")
    folder = tmp_path / "out" / predictions[0].case
    written = {"mask.nii.gz", "seg.dcm", "sr.dcm", "result.json", "overlay.png"}
    assert {p.name for p in folder.iterdir()} == written
    study = load_study(find_studies(scan_folder(scanned))[0].used)
    mask = read_mask(folder / "mask.nii.gz")
    assert mask.geometry.difference(study.geometry, tolerance_mm=1e-2) is None
    assert mask.data.any()
    np.testing.assert_array_equal(by_highdicom(folder / "seg.dcm", study.geometry), mask.data)
    result = json.loads((folder / "result.json").read_text())
    volume = mask.data.sum() * mask.geometry.voxel_volume_mm3 / 1000
    assert result["volume_ml"] == pytest.approx(volume, abs=2e-3)
    assert predictions[0].volume_ml == result["volume_ml"]
    adc = -np.log(study.signal[1] / study.signal[0])[mask.data].mean()
    assert result["mean_adc"] == pytest.approx(adc, abs=2e-3)
    assert result["notice"] == "Research use, not for diagnosis."
    assert "virtual patients" in result["warnings"][0]
    assert result["model"]["id"] == card.id
    with Image.open(folder / "overlay.png") as picture:
        assert picture.size[0] >= 300


def test_the_prediction_is_right_where_the_model_is_at_home(tiny_cohorts, tiny_model, tmp_path):
    predictions, _ = predict_all(tiny_cohorts.root, tiny_model, tmp_path / "out")
    assert len(predictions) == 10
    for predicted in predictions:
        truth = sitk.ReadImage(
            str(
                tiny_cohorts.root
                / f"derivatives/annotations/{predicted.case}/dwi/{predicted.case}_label-tumour_mask.nii.gz"
            )
        )
        ours = sitk.ReadImage(str(tmp_path / "out" / predicted.case / "mask.nii.gz"))
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(truth, ours)
        assert overlap.GetDiceCoefficient() > 0.6
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [predicted.case for predicted in predictions]


def test_nifti_with_bval_is_enough(tiny_model, tmp_path):
    study, _ = tiny.study(6, geometry=grid("sagittal", (4, 60, 52), (5, 3.1, 3.1)))
    write_study(tmp_path / "x_dwi.nii.gz", study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    with Killed(1) as unasked:
        predictions, _ = predict_all(
            tmp_path / "x_dwi.nii.gz", tiny_model, tmp_path / "out", object_workers=unasked
        )
    assert predictions[0].not_written == {}
    mask = read_mask(tmp_path / "out" / "x" / "mask.nii.gz")
    assert mask.data.shape == (4, 60, 52)
    assert not (tmp_path / "out" / "x" / "seg.dcm").exists()
    assert predictions[0].error == ""


def test_prediction_imports_no_torch(scanned, tiny_model, tmp_path):
    code = (
        "import sys; sys.argv = ['uteroseg', 'predict', sys.argv[1], '-m', sys.argv[2], '-o', sys.argv[3]]\n"
        "from uteroseg.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'lightning_fabric', 'matplotlib', 'pandas', 'highdicom'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    arguments = [str(scanned), str(tiny_model), str(tmp_path / "out")]
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "Research use, not for diagnosis." in run.stdout
    assert (tmp_path / "out" / "predictions.csv").is_file()
    assert list((tmp_path / "out").glob("*/seg.dcm"))  # which a second process wrote, with highdicom


def test_a_real_pelvic_study_gets_a_valid_dicom_seg(real_data, tiny_model, tmp_path):
    folder = real_data / "prostatex" / "0000"
    predictions, _ = predict_all(folder, tiny_model, tmp_path / "out")
    out = tmp_path / "out" / predictions[0].case
    study = load_study(find_studies(scan_folder(folder))[0].used)
    mask = read_mask(out / "mask.nii.gz")
    assert mask.geometry.difference(study.geometry, tolerance_mm=1e-2) is None
    np.testing.assert_array_equal(by_highdicom(out / "seg.dcm", study.geometry), mask.data)
    seg, source = pydicom.dcmread(out / "seg.dcm"), pydicom.dcmread(next((folder / "dwi").iterdir()))
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    result = json.loads((out / "result.json").read_text())
    assert any("means nothing clinically" in w for w in result["warnings"])
    other_plane = next(flag for flag in result["flags"] if flag["name"] == "other-plane")
    assert other_plane["why"] == "The study is axial; the model was trained on sagittal slices."
    assert "other-plane" in (tmp_path / "out" / "predictions.csv").read_text()
    assert dciodvfy_errors(out / "seg.dcm") == []


def fail(*arguments, **options):
    raise ZeroDivisionError("a bug")


class Killed(Workers):
    """As a second process that is killed at its item."""

    def begin(self, item):
        return super().begin(Item(item.name, die))


@pytest.mark.parametrize(
    ("broken", "workers", "written", "why"),
    [
        ("uteroseg.dicom.seg.write_seg", HERE, set(), "Unexpected ZeroDivisionError: a bug"),
        ("uteroseg.dicom.sr.write_sr", HERE, {"seg.dcm"}, "Unexpected ZeroDivisionError: a bug"),
        ("uteroseg.model.prediction_folder._site", HERE, set(), "Unexpected ZeroDivisionError: a bug"),
        ("", Killed(1), set(), "Its process ended with code -9"),
    ],
    ids=["no SEG", "no SR", "not begun", "killed"],
)
def test_an_optional_output_that_fails_is_told_and_costs_nothing_else(
    broken, workers, written, why, scanned, tiny_model, tmp_path, monkeypatch
):
    if broken:
        monkeypatch.setattr(broken, fail)
    out = tmp_path / "out"
    with workers:
        (predicted,), _ = predict_all(scanned, tiny_model, out, object_workers=workers)
    folder = out / predicted.case
    assert {p.name for p in folder.iterdir()} == {"mask.nii.gz", "result.json", "overlay.png", *written}
    assert predicted.error == ""
    assert set(predicted.not_written) == {"seg.dcm", "sr.dcm"} - written
    first = next(iter(predicted.not_written))
    assert why in predicted.not_written[first]
    assert "report on seg.dcm" in predicted.not_written["sr.dcm"] or written
    assert json.loads((folder / "result.json").read_text())["not_written"] == predicted.not_written
    with (out / "predictions.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["error"], f"{first}: {predicted.not_written[first]}" in row["not_written"]) == ("", True)

    monkeypatch.undo()
    (again,), _ = predict_all(scanned, tiny_model, out)
    assert again == predicted


def test_a_prediction_that_fails_is_taken_away_when_nobody_writes_into_it(
    scanned, tiny_model, tmp_path, monkeypatch
):
    order = []

    class Slow(Workers):
        def begin(self, item):
            begun = super().begin(Item(item.name, partial(wait, 0.3, 0)))
            begun.add_done_callback(lambda _: order.append("written"))
            return begun

    monkeypatch.setattr("uteroseg.model.prediction_folder.write_mask", fail)
    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda *a, **o: order.append("removed") or remove(*a, **o))
    with Slow(1) as workers:
        (predicted,), _ = predict_all(scanned, tiny_model, tmp_path / "out", object_workers=workers)
    assert "a bug" in predicted.error
    assert order[:2] == ["written", "removed"]
    assert not list((tmp_path / "out").glob(".*"))


def test_nothing_is_said_of_what_was_written(scanned, tiny_model, tmp_path):
    (predicted,), _ = predict_all(scanned, tiny_model, tmp_path / "out")
    assert predicted.not_written == {}
    result = json.loads((tmp_path / "out" / predicted.case / "result.json").read_text())
    assert result["not_written"] == {}


def test_how_a_study_was_read_is_told_where_it_was_made_of_others(tiny_model, tmp_path, monkeypatch):
    study, _ = tiny.study(6)
    write_study(tmp_path / "x_dwi.nii.gz", study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    made = replace(study, acquisition={"derived_images": {"b 0": "from the ADC"}})
    monkeypatch.setattr("uteroseg.inference.inputs.load_images", lambda *found, **how: made)
    predict_all(tmp_path / "x_dwi.nii.gz", tiny_model, tmp_path / "out")
    result = json.loads((tmp_path / "out" / "x" / "result.json").read_text())
    assert result["derived_images"] == {"b 0": "from the ADC"}
    assert "scanner_adc_left_out" not in result


@pytest.mark.skipif(sys.platform == "win32", reason="file names are text there")
def test_names_that_are_not_text_cost_no_table(tiny_model, tmp_path):
    root = tmp_path / os.fsdecode(b"M\xfcller")
    write_dicom(tiny.study(5)[0], root / "scan", patient_id="p", seed=1)
    out = tmp_path / os.fsdecode(b"out\xfc")
    (predicted,), _ = predict_all(root, tiny_model, out)
    assert (predicted.error, predicted.not_written) == ("", {})
    with (out / "predictions.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["origin"].endswith("M\\udcfcller/scan")
    (again,), _ = predict_all(root, tiny_model, out)  # settings.json names the same input
    assert again == predicted


def test_one_bad_study_is_reported_and_the_others_go_on(tiny_model, tmp_path):
    for seed in (1, 2):
        write_dicom(tiny.study(seed)[0], tmp_path / "scan" / str(seed), patient_id=str(seed), seed=seed)
    damaged = sorted((tmp_path / "scan" / "1" / "dwi").iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:-500])
    predictions, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    bad, good = sorted(predictions, key=lambda predicted: not predicted.error)
    assert damaged.name in bad.error
    assert good.error == ""
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"settings.json", "predictions.csv", good.case}


def test_what_cannot_be_predicted_is_refused_and_nothing_is_written(scanned, tiny_model, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match="does not exist"):
        predict_all(tmp_path / "gone", tiny_model, out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no diffusion-weighted series"):
        predict_all(tmp_path / "empty", tiny_model, out)
    with pytest.raises(UserError, match="not a whole model"):
        predict_all(scanned, tmp_path / "empty", out)
    assert not out.exists()
    with pytest.raises(UserError, match="holds something already"):
        predict_all(scanned, tiny_model, scanned)


def test_one_b_value_only_is_refused(tiny_model, tmp_path):
    study, _ = tiny.study()
    write_dicom(study, tmp_path / "scan", patient_id="p", seed=1, adc=False)
    for path in (tmp_path / "scan").rglob("*.dcm"):
        if pydicom.dcmread(path, stop_before_pixels=True).get("DiffusionBValue") == 0:
            path.unlink()
    predictions, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    assert "one b-value only" in predictions[0].error
