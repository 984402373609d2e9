import json
import shutil

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from tests import tiny
from tests.dicom.build import Recipe, write_series
from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import fit_adc
from uteroseg.imaging.measure import volume_ml
from uteroseg.imaging.nifti import read_image, read_mask
from uteroseg.intake.ingest import ingest


def table(folder, mask, study="0000", label=""):
    path = folder / "annotations.csv"
    path.write_text(f"study,mask,label\n{study},{mask},{label}\n")
    return path


@pytest.fixture
def prostatex(real_data):
    return real_data / "prostatex"


@pytest.fixture
def freehand(real_data):
    return real_data / "prostatex" / "masks" / "0000_freehand_on_t2.nii.gz"


@pytest.fixture
def ingested(prostatex, freehand, tmp_path):
    outcomes = ingest(
        prostatex, tmp_path / "out", cohort="male_pelvis", annotations=table(tmp_path, freehand)
    )
    return outcomes, Dataset.open(tmp_path / "out")


def test_real_scanner_files_become_a_dataset(ingested):
    outcomes, dataset = ingested
    assert [(o.status, str(o.case), o.b_values) for o in outcomes] == [
        ("added", "sub-0001", (50, 400, 800)),
        ("added", "sub-0002", (50, 400, 800)),
    ]
    for case in dataset.cases("male_pelvis"):
        study = dataset.load_study(case)
        assert study.geometry.shape == (19, 128, 84)
        np.testing.assert_allclose(study.geometry.spacing, (3, 2, 2), atol=1e-3)
        sidecar = json.loads((dataset.root / case.dwi("json")).read_text())
        assert sidecar["b_value_source"] == "Siemens private (0019,100C)"
        body = (study.signal[0] > 0.1 * np.percentile(study.signal[0], 99)) & (study.scanner_adc > 0)
        ours = fit_adc(study.signal, study.b_values).adc
        assert np.corrcoef(ours[body], study.scanner_adc[body])[0, 1] > 0.998


def test_a_mask_drawn_on_t2_arrives_on_the_dwi_grid(ingested, freehand):
    _, dataset = ingested
    case = dataset.cases()[0]
    arrived = dataset.load_mask(case)
    assert arrived.geometry.difference(dataset.load_study(case).geometry, tolerance_mm=1e-3) is None
    drawn = sitk.ReadImage(str(freehand))
    ours = sitk.ReadImage(str(dataset.root / case.annotation("nii.gz")))
    reference = sitk.Resample(
        sitk.Cast(drawn != 0, sitk.sitkFloat32), ours, sitk.Transform(), sitk.sitkLinear, 0.0
    )
    theirs = sitk.GetArrayFromImage(reference) >= 0.5
    assert 2 * (theirs & arrived.data).sum() / (theirs.sum() + arrived.data.sum()) > 0.8
    voxel_ml = arrived.geometry.voxel_volume_mm3 / 1000
    assert volume_ml(arrived) == pytest.approx(volume_ml(read_mask(freehand)), abs=voxel_ml)
    assert not dataset.has_mask(dataset.cases()[1])


def test_nothing_of_the_patient_is_in_the_dataset(ingested, prostatex):
    _, dataset = ingested
    header = pydicom.dcmread(next((prostatex / "0000" / "dwi").iterdir()), stop_before_pixels=True)
    secrets = {
        str(header[name].value)
        for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "StudyDate")
    }
    texts = [p.read_text() for p in dataset.root.rglob("*") if p.is_file() and not p.name.endswith(".nii.gz")]
    assert texts
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_the_same_study_twice_is_skipped_and_a_new_one_appended(prostatex, freehand, tmp_path):
    out = tmp_path / "out"
    first = ingest(prostatex / "0001", out, cohort="male_pelvis")
    assert [o.status for o in first] == ["added"]
    both = ingest(prostatex, out, cohort="male_pelvis")
    assert sorted((o.status, str(o.case)) for o in both) == [("added", "sub-0002"), ("present", "sub-0001")]
    again = ingest(prostatex, out, cohort="male_pelvis", annotations=table(tmp_path, freehand))
    assert sorted((o.status, str(o.case)) for o in again) == [
        ("mask added", "sub-0002"),
        ("present", "sub-0001"),
    ]
    assert Dataset.open(out).load_mask(again[0].case).data.any()


def test_one_bad_study_does_not_stop_the_others(prostatex, tmp_path):
    source = shutil.copytree(prostatex, tmp_path / "source")
    damaged = sorted((source / "0000" / "dwi").iterdir())[20]
    damaged.write_bytes(damaged.read_bytes()[:9000])
    outcomes = ingest(source, tmp_path / "out", cohort="male_pelvis")
    assert [o.status for o in outcomes] == ["failed", "added"]
    assert damaged.name in outcomes[0].error
    dataset = Dataset.open(tmp_path / "out")
    assert [str(case) for case in dataset.cases()] == ["sub-0001"]
    assert not [p for p in dataset.root.rglob("*") if ".incoming" in str(p)]


def test_a_folder_without_dwi_writes_nothing(prostatex, tmp_path):
    with pytest.raises(UserError, match="t2_tse_tra"):
        ingest(prostatex / "0000" / "t2", tmp_path / "out", cohort="male_pelvis")
    assert not (tmp_path / "out").exists()


def test_a_target_that_holds_something_else_is_left_alone(prostatex, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a uteroseg dataset"):
        ingest(prostatex, tmp_path, cohort="male_pelvis")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("study", "mask", "label", "found"),
    [
        ("0007", None, "", "studies that are not below"),
        ("0000", "gone.nii.gz", "", "a mask that does not exist in line 2"),
        ("0000", None, "tumour", "label 'tumour'"),
        ("", None, "", "names no study"),
    ],
)
def test_a_wrong_annotation_table_is_refused_before_anything_is_written(
    prostatex, freehand, tmp_path, study, mask, label, found
):
    path = table(tmp_path, mask or freehand, study, label)
    with pytest.raises(UserError, match=found):
        ingest(prostatex, tmp_path / "out", cohort="male_pelvis", annotations=path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../etc", "", "pooled", "gebärmutter"])
def test_a_cohort_needs_a_plain_name(prostatex, tmp_path, name):
    with pytest.raises(UserError, match="cannot name a cohort"):
        ingest(prostatex, tmp_path / "out", cohort=name)


def test_real_patients_join_virtual_ones_and_the_key_must_stay(prostatex, tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "out")
    tiny.add(dataset)
    assert [o.status for o in ingest(prostatex / "0001", tmp_path / "out", cohort="male")] == ["added"]
    assert [str(case) for case in Dataset.open(tmp_path / "out").cases()] == ["sub-0001", "sub-0002"]
    (tmp_path / "out.key").unlink()
    with pytest.raises(UserError, match=r"out\.key is missing"):
        ingest(prostatex / "0000", tmp_path / "out", cohort="male")


def test_our_adc_and_what_its_fit_leaves_over_lie_beside_the_scanners(prostatex, tmp_path):
    source = prostatex / "0001"
    options = ReadOptions(adc_b_min=400)
    (outcome,) = ingest(source, tmp_path / "out", cohort="male", options=options)
    dataset, case = Dataset.open(tmp_path / "out"), outcome.case
    study = dataset.load_study(case)
    assert study.adc_b_min == 400
    adc, geometry = read_image(dataset.root / case.adc("nii.gz"))
    np.testing.assert_array_equal(adc, fit_adc(study.signal[1:], study.b_values[1:]).adc)
    assert geometry.difference(study.geometry, tolerance_mm=1e-3) is None
    assert json.loads((dataset.root / case.adc("json")).read_text())["b_values"] == [400, 800]
    left_over, _ = read_image(dataset.root / case.adc_residual)
    assert not left_over.any()  # two b-values leave nothing over
    (whole,) = ingest(source, tmp_path / "whole", cohort="male")
    assert read_image(tmp_path / "whole" / whole.case.adc_residual)[0].max() > 0.01
    description = json.loads((dataset.root / "derivatives/adc/dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"


def test_a_study_of_one_b_value_is_refused_and_writes_nothing(tmp_path):
    write_series(tmp_path / "in", Recipe(b_values=(800,)))
    (outcome,) = ingest(tmp_path / "in", tmp_path / "out", cohort="uterine")
    assert outcome.status == "failed"
    assert "800" in outcome.error
    assert not (tmp_path / "out").exists()


def test_alignment_is_recorded_and_changes_nothing_where_nothing_moved(prostatex, tmp_path):
    (plain,) = ingest(prostatex / "0001", tmp_path / "plain", cohort="male")
    (aligned,) = ingest(
        prostatex / "0001", tmp_path / "aligned", cohort="male", options=ReadOptions(align=True)
    )
    one, two = (
        Dataset.open(tmp_path / name).load_study(outcome.case)
        for name, outcome in (("plain", plain), ("aligned", aligned))
    )
    np.testing.assert_array_equal(one.signal, two.signal)
    assert "alignment" not in one.acquisition
    record = two.acquisition["alignment"]
    assert record["reference_b_value"] == 50
    images = [(image["b_value"], image["applied"]) for image in record["images"]]
    assert images == [(400, False), (800, False)]


def test_images_that_are_sent_again_under_other_uids_are_said_to_be_the_same(tmp_path):
    write_series(tmp_path / "in/a", Recipe())
    for file in sorted((tmp_path / "in/a").iterdir()):
        header = pydicom.dcmread(file)
        header.SeriesInstanceUID, header.StudyInstanceUID = "1.2.3.4", "1.2.3"
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        (tmp_path / "in/b").mkdir(exist_ok=True)
        header.save_as(tmp_path / "in/b" / file.name)
    for write in (False, True):
        both = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=write)
        assert [(one.status, str(one.case)) for one in both] == [
            ("added", "sub-0001"),
            ("added", "sub-0001_acq-2"),
        ]
        assert ["the same images as sub-0001:" in str(one) for one in both] == [False, True]
    told = {finding.check for finding in check_dataset(tmp_path / "d", workers=1).findings}
    assert "duplicate" in told
