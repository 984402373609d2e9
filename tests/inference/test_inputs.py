"""What can be predicted, how it is found, and what it is called."""

import json
import zipfile
from dataclasses import replace

import nibabel as nib
import numpy as np
import pydicom
import pytest

from tests import tiny
from tests.dicom.build import Recipe, write_series
from tests.dicom.test_pairs import HIGH, map_of, silent
from tests.intake.layouts import nifti
from tests.intake.test_images import pair
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.inference import inputs
from uteroseg.inference.batch import predict_all
from uteroseg.inference.inputs import DicomInput, find_inputs
from uteroseg.phantom.dicom_files import write_dicom


def refusal(path, options=None):
    with pytest.raises(UserError) as caught:
        find_inputs(path, options)
    return str(caught.value)


@pytest.mark.parametrize("named", ["x_adc.nii.gz", "x_hbv.nii.gz", "."])
def test_a_pair_is_predicted_and_flagged(tiny_model, tmp_path, named):
    study = pair(tmp_path / "in")
    ((predicted,), _) = predict_all(tmp_path / "in" / named, tiny_model, tmp_path / "out")
    assert (predicted.case, predicted.error) == ("x", "")
    assert "derived-image" in [flag.name for flag in predicted.flags]
    result = json.loads((tmp_path / "out" / "x" / "result.json").read_text())
    assert set(result["derived_images"]) == {"0"}
    assert result["b_values"] == [0, 1400]
    assert result["b_value_source"] == ".bval file"
    assert result["grid"]["slices"] == study.geometry.shape[0]


def test_a_pair_in_dicom_is_predicted_with_its_seg(tiny_model, tmp_path):
    study, _ = tiny.study(4, b_values=(0.0, 1400.0), scanner_adc=True)
    write_dicom(study, tmp_path / "scan", patient_id="p", seed=1)
    for path in (tmp_path / "scan" / "dwi").iterdir():
        if pydicom.dcmread(path, stop_before_pixels=True).DiffusionBValue == 0:
            path.unlink()
    ((predicted,), _) = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    assert predicted.error == ""
    assert "derived-image" in [flag.name for flag in predicted.flags]
    assert (tmp_path / "out" / predicted.case / "seg.dcm").is_file()


def test_a_batch_of_pairs_goes_on_and_knows_them_again(tiny_model, tmp_path):
    pair(tmp_path / "in", "x_adc.mhd", "x_hbv.mhd")
    predict_all(tmp_path / "in", tiny_model, tmp_path / "out")
    ((predicted,), _) = predict_all(tmp_path / "in", tiny_model, tmp_path / "out")
    assert predicted.error == ""
    voxels = tmp_path / "in" / "x_hbv.raw"  # the header stays as it was
    voxels.write_bytes(bytes(4) + voxels.read_bytes()[4:])
    ((changed,), _) = predict_all(tmp_path / "in", tiny_model, tmp_path / "out")
    assert "the prediction of other images" in changed.error


def test_b_values_serve_pairs_that_have_none(tmp_path):
    pair(tmp_path / "in", bval=False)
    (found,) = find_inputs(tmp_path / "in", ReadOptions(b_values=(1400,)))
    assert found.load().b_values == (0, 1400)
    (found,) = find_inputs(tmp_path / "in")
    with pytest.raises(UserError, match="set `b_values`"):
        found.load()


@pytest.mark.parametrize(
    "options",
    [
        ReadOptions(b_values=(0, 800)),
        ReadOptions(drop_incomplete=True),
        ReadOptions(align=True),
        ReadOptions(adc_b_min=100),
    ],
)
def test_what_images_have_no_use_for_is_refused_in_names_of_parameters(tmp_path, options):
    nifti(tmp_path / "in", "x_dwi")
    for path in (tmp_path / "in", tmp_path / "in" / "x_dwi.nii.gz"):
        told = refusal(path, options)
        assert "leave out `b_values`" in told
        assert "--" not in told
    pair(tmp_path / "pairs")
    if not options.b_values:
        assert "leave out" in refusal(tmp_path / "pairs", options)


def test_of_two_places_in_a_header_the_one_that_is_named_counts(tmp_path):
    for folder in ("nifti", "pair"):
        study = pair(tmp_path / folder) if folder == "pair" else nifti(tmp_path / folder, "x")[0]
        for path in (tmp_path / folder).glob("*.nii.gz"):
            image = nib.load(path)
            moved = image.affine.copy()
            moved[:3, 3] += 10
            image.set_sform(moved, code="scanner")
            nib.save(image, path)
        (found,) = find_inputs(tmp_path / folder)
        with pytest.raises(UserError, match="qform"):
            found.load()
        (found,) = find_inputs(tmp_path / folder, ReadOptions(nifti_form="qform"))
        assert found.load().geometry.difference(study.geometry, tolerance_mm=1e-3) is None
        (found,) = find_inputs(tmp_path / folder, ReadOptions(nifti_form="sform"))
        assert found.load().geometry.difference(study.geometry) is not None
    write_series(tmp_path / "scan", Recipe())
    assert "nifti_form" in refusal(tmp_path / "scan", ReadOptions(nifti_form="qform"))


def test_a_folder_of_nifti_images_is_predicted(tiny_model, tmp_path):
    nifti(tmp_path / "in", "p1/dwi", seed=1)
    nifti(tmp_path / "in", "p2/ses-1/b_dwi", seed=2)
    nifti(tmp_path / "in", "c_dwi", seed=3)
    pair(tmp_path / "in" / "p4", "adc.mha", "hbv.mha", seed=4)
    (tmp_path / "in" / "README.txt").write_text("ours")
    predictions, _ = predict_all(tmp_path / "in", tiny_model, tmp_path / "out")
    assert [(one.case, one.error) for one in predictions] == [
        (case, "") for case in ("c", "p1", "p2_ses-1_b", "p4")
    ]
    assert predictions[1].origin == str(tmp_path / "in" / "p1" / "dwi.nii.gz")


def test_names_that_meet_are_told_apart(tmp_path):
    for seed, name in enumerate(("a/b", "a_b", "A_B_dwi", "c")):
        nifti(tmp_path, name, seed=seed)
    cases = [one.case for one in find_inputs(tmp_path)]
    assert len({case.casefold() for case in cases}) == 4
    assert "c" in cases


def test_a_zip_of_nifti_images_is_predicted(tiny_model, tmp_path):
    nifti(tmp_path / "in", "p/x_dwi")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in (tmp_path / "in").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "in"))
    ((predicted,), _) = predict_all(tmp_path / "in.zip", tiny_model, tmp_path / "out")
    assert (predicted.case, predicted.error) == ("p_x", "")


def test_scanner_files_come_before_what_was_converted_from_them(tmp_path):
    write_series(tmp_path / "scan", Recipe())
    nifti(tmp_path, "converted/x_dwi")
    (found,) = find_inputs(tmp_path)
    assert isinstance(found, DicomInput)
    for path in (tmp_path / "scan").iterdir():
        path.write_text("no scanner file")
    (found,) = find_inputs(tmp_path)
    assert found.case == "converted_x"


def test_acquisitions_of_one_examination_are_told_apart(tmp_path, monkeypatch):
    first = Recipe(number=5, b_values=(0, 800))
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(first, number=7, b_values=(50, 800)))
    few = [one.description for one in find_inputs(tmp_path)]
    assert few == ["series 5, b 0, 800", "series 7, b 50, 800"]
    monkeypatch.setattr(inputs, "MANY", 3)
    assert [one.description for one in find_inputs(tmp_path)] == few


def test_a_description_holds_nothing_of_the_patient_and_survives_what_is_missing(tmp_path):
    write_series(tmp_path / "p", HIGH)
    write_series(tmp_path / "m", map_of(HIGH, description="SECRET"))
    assert [one.description for one in find_inputs(tmp_path)] == ["series 5, 6, b 1400, ADC map"]
    bare = Recipe(dialect=silent, description="SECRET", adjust=lambda ds: setattr(ds, "SeriesNumber", None))
    write_series(tmp_path / "bare", bare)
    (found,) = find_inputs(tmp_path / "bare")
    assert found.description == ""


def test_what_does_not_exist_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "gone")
    with pytest.raises(UserError, match="no diffusion-weighted series"):
        find_inputs(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(UserError, match="no diffusion-weighted series"):
        find_inputs(tmp_path)
