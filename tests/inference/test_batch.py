import csv
import json
import shutil
import subprocess
import sys

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.study_files import write_study
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_mask
from uteroseg.inference.batch import predict_all
from uteroseg.phantom.dicom_files import write_dicom


@pytest.fixture
def scanned(tmp_path):
    """A tiny study as DICOM files."""
    study, _ = tiny.study(5)
    write_dicom(study, tmp_path / "scan", patient_id="p", seed=1)
    return tmp_path / "scan"


def seg_volume(path, geometry):
    """The SEG's voxels on a study's grid, through highdicom's own volume and patient coordinates."""
    seg = highdicom.seg.segread(path)
    volume = seg.get_volume(segment_numbers=[1], combine_segments=False, dtype=np.uint8)
    data = volume.array[..., 0] if volume.array.ndim == 4 else volume.array
    on_grid = np.zeros(geometry.shape, bool)
    points = np.argwhere(data > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    index = geometry.to_index(points)
    assert abs(index - index.round()).max(initial=0) < 1e-3
    on_grid[tuple(index.round().astype(int).T)] = True
    return on_grid


def test_a_dicom_study_gives_every_output_on_its_own_grid(scanned, tiny_model, tmp_path):
    findings, card = predict_all(scanned, tiny_model, tmp_path / "out")
    folder = tmp_path / "out" / findings[0].case
    written = {"mask.nii.gz", "seg.dcm", "sr.dcm", "result.json", "overlay.png"}
    assert {p.name for p in folder.iterdir()} == written
    study = load_study(find_studies(scan_folder(scanned))[0].used)
    mask = read_mask(folder / "mask.nii.gz")
    assert mask.geometry.difference(study.geometry, tolerance_mm=1e-2) is None
    assert mask.data.any()
    np.testing.assert_array_equal(seg_volume(folder / "seg.dcm", study.geometry), mask.data)
    result = json.loads((folder / "result.json").read_text())
    volume = mask.data.sum() * mask.geometry.voxel_volume_mm3 / 1000
    assert result["volume_ml"] == pytest.approx(volume, abs=2e-3)
    assert findings[0].volume_ml == result["volume_ml"]
    adc = -np.log(study.signal[1] / study.signal[0])[mask.data].mean()
    assert result["mean_adc"] == pytest.approx(adc, abs=2e-3)
    assert result["notice"] == "Research use, not for diagnosis."
    assert "virtual patients" in result["warnings"][0]
    assert result["model"]["id"] == card.id
    with Image.open(folder / "overlay.png") as picture:
        assert picture.size[0] >= 300


def test_the_prediction_is_right_where_the_model_is_at_home(tiny_cohorts, tiny_model, tmp_path):
    findings, _ = predict_all(tiny_cohorts.root, tiny_model, tmp_path / "out")
    assert len(findings) == 10
    for finding in findings:
        truth = sitk.ReadImage(
            str(
                tiny_cohorts.root
                / f"derivatives/annotations/{finding.case}/dwi/{finding.case}_label-tumour_mask.nii.gz"
            )
        )
        ours = sitk.ReadImage(str(tmp_path / "out" / finding.case / "mask.nii.gz"))
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(truth, ours)
        assert overlap.GetDiceCoefficient() > 0.6
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [finding.case for finding in findings]


def test_nifti_with_bval_is_enough(tiny_model, tmp_path):
    study, _ = tiny.study(6, geometry=grid("sagittal", (4, 60, 52), (5, 3.1, 3.1)))
    write_study(tmp_path / "x_dwi.nii.gz", study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    findings, _ = predict_all(tmp_path / "x_dwi.nii.gz", tiny_model, tmp_path / "out")
    mask = read_mask(tmp_path / "out" / "x" / "mask.nii.gz")
    assert mask.data.shape == (4, 60, 52)
    assert not (tmp_path / "out" / "x" / "seg.dcm").exists()
    assert findings[0].error == ""


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
    findings, _ = predict_all(folder, tiny_model, tmp_path / "out")
    out = tmp_path / "out" / findings[0].case
    study = load_study(find_studies(scan_folder(folder))[0].used)
    mask = read_mask(out / "mask.nii.gz")
    assert mask.geometry.difference(study.geometry, tolerance_mm=1e-2) is None
    np.testing.assert_array_equal(seg_volume(out / "seg.dcm", study.geometry), mask.data)
    seg, source = pydicom.dcmread(out / "seg.dcm"), pydicom.dcmread(next((folder / "dwi").iterdir()))
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    result = json.loads((out / "result.json").read_text())
    assert any("means nothing clinically" in w for w in result["warnings"])
    other_plane = next(flag for flag in result["flags"] if flag["name"] == "other-plane")
    assert other_plane["why"] == "The study is axial; the model was trained on sagittal slices."
    assert "other-plane" in (tmp_path / "out" / "predictions.csv").read_text()
    if shutil.which("dciodvfy"):
        check = subprocess.run(["dciodvfy", out / "seg.dcm"], capture_output=True, text=True, check=False)
        assert not [line for line in check.stderr.splitlines() if line.startswith("Error")]


def test_one_bad_study_is_reported_and_the_others_go_on(tiny_model, tmp_path):
    for seed in (1, 2):
        write_dicom(tiny.study(seed)[0], tmp_path / "scan" / str(seed), patient_id=str(seed), seed=seed)
    damaged = sorted((tmp_path / "scan" / "1" / "dwi").iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:-500])
    findings, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    bad, good = sorted(findings, key=lambda finding: not finding.error)
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
    write_dicom(study, tmp_path / "scan", patient_id="p", seed=1)
    for path in (tmp_path / "scan").rglob("*.dcm"):
        if pydicom.dcmread(path, stop_before_pixels=True).get("DiffusionBValue") == 0:
            path.unlink()
    findings, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    assert "one b-value only" in findings[0].error
