"""The package as a Python user has it."""

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

import uteroseg
from tests import tiny
from tests.dicom.build import Recipe, write_series
from tests.grids import ORIENTATIONS, grid
from uteroseg.dataset.study_files import write_study
from uteroseg.imaging.nifti import read_image, write_image

NAMES = {
    *(
        "Dataset",
        "DwiStudy",
        "Geometry",
        "Mask",
        "Prediction",
        "UserError",
        "adapt",
        "evaluate",
        "open_model",
    ),
    *("predict", "read_dicom", "read_nifti", "simulate", "train"),
}


def test_the_package_lists_what_it_has_and_every_name_is_there():
    assert set(dir(uteroseg)) >= NAMES
    for name in NAMES:
        assert getattr(uteroseg, name).__doc__, name


def test_the_stub_has_the_same_names():
    stub = __import__("pathlib").Path(uteroseg.__file__).with_suffix(".pyi").read_text()
    assert {line.split(" as ")[1] for line in stub.splitlines() if " as " in line} == NAMES


def test_things_say_what_they_are_in_one_line():
    study, mask = tiny.study(1)
    assert repr(study.geometry) == "Geometry(6×48×48 voxels of 5 × 4 × 4 mm, sagittal)"
    assert repr(study) == "DwiStudy(6×48×48 voxels of 5 × 4 × 4 mm, sagittal, b 0, 1000 s/mm² from made up)"
    assert repr(mask) == f"Mask({mask.volume_ml:.2f} mL, 6×48×48 voxels of 5 × 4 × 4 mm, sagittal)"


def test_a_notebook_shows_a_study_with_a_mask():
    study, mask = tiny.study(1)
    assert study._repr_png_().startswith(b"\x89PNG")
    plain, outlined = (np.asarray(study.plot(one, tiles=1), int) for one in (None, mask))
    assert (outlined[..., 0] > outlined[..., 1] + 100).sum() > (plain[..., 0] > plain[..., 1] + 100).sum()
    other = uteroseg.Mask(mask.data[:, ::2, ::2], grid("axial", (6, 24, 24)))
    with pytest.raises(uteroseg.UserError, match="the grids differ"):
        study.plot(other)


def test_a_prediction_has_what_is_asked_of_it_and_is_saved(tiny_model, tmp_path):
    study, _ = tiny.study(1)
    found = uteroseg.predict(study, model=tiny_model)
    assert isinstance(found, uteroseg.Prediction)
    assert found.mask.geometry.difference(study.geometry) is None
    assert found.probability.shape == study.geometry.shape
    assert found.volume_ml == pytest.approx(found.mask.volume_ml)
    assert repr(found).startswith(f"Prediction(tumour {found.volume_ml:.1f} mL")
    assert found._repr_png_().startswith(b"\x89PNG")
    folder = found.save(tmp_path / "one", probability=True)
    assert {path.name for path in folder.iterdir()} == {
        *("mask.nii.gz", "probability.nii.gz", "result.json", "overlay.png")
    }
    result = json.loads((folder / "result.json").read_text())
    assert (result["case"], result["volume_ml"]) == ("one", round(found.volume_ml, 3))
    with pytest.raises(uteroseg.UserError):
        found.save(tmp_path / "one")


def test_dicom_is_read_study_by_study_and_saved_as_dicom(tiny_model, tmp_path):
    from uteroseg.phantom.dicom_files import write_dicom

    truth, _ = tiny.study(5)
    write_dicom(truth, tmp_path / "in", patient_id="p", seed=1)
    studies = uteroseg.read_dicom(tmp_path / "in")
    (study,) = studies
    assert np.corrcoef(study.signal[0].ravel(), truth.signal[0].ravel())[0, 1] > 0.999
    assert len(studies) == 1
    assert studies[0].b_values == (0, 1000)
    assert studies.refused == {}
    assert "DicomStudies(" in repr(studies)
    folder = uteroseg.predict(study, model=tiny_model).save(tmp_path / "out")
    assert {"seg.dcm", "sr.dcm"} <= {path.name for path in folder.iterdir()}
    assert "p" not in repr(study.source)
    with pytest.raises(uteroseg.UserError, match="does not exist"):
        uteroseg.read_dicom(tmp_path / "nowhere")


def test_a_study_that_cannot_be_read_is_told_and_the_others_come(tmp_path):
    def gap(ds):
        ds.PatientID = "B"

    paths = write_series(tmp_path / "in/b", Recipe(adjust=gap))
    paths[7].unlink()
    write_series(tmp_path / "in/a", Recipe())
    studies = uteroseg.read_dicom(tmp_path / "in")
    assert len(studies.studies) == 1
    ((name, error),) = studies.refused.items()
    assert name.endswith("b")
    assert isinstance(error, uteroseg.UserError)
    assert "refused" in repr(studies)


def test_nifti_is_read_with_its_bval(tmp_path):
    study, _ = tiny.study(3)
    write_study(tmp_path / "x_dwi.nii.gz", study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    read = uteroseg.read_nifti(str(tmp_path / "x_dwi.nii.gz"))
    np.testing.assert_array_equal(read.signal, study.signal)
    assert read.geometry.difference(study.geometry, tolerance_mm=1e-3) is None


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_images_of_simpleitk_and_nibabel_go_both_ways(name, tmp_path):
    geometry = grid(name, (4, 7, 9), (5.0, 1.5, 2.0))
    rng = np.random.default_rng(1)
    study = uteroseg.DwiStudy(rng.uniform(1, 9, (2, 4, 7, 9)).astype(np.float32), (0.0, 800.0), geometry)
    mask = uteroseg.Mask(rng.random((4, 7, 9)) > 0.5, geometry)
    for back in (
        uteroseg.DwiStudy.from_sitk(study.to_sitk()[::-1], (800, 0)),
        uteroseg.DwiStudy.from_nibabel(study.to_nibabel(), (0, 800)),
    ):
        np.testing.assert_array_equal(back.signal, study.signal)
        assert back.b_values == study.b_values
        assert back.geometry.difference(geometry, tolerance_mm=1e-4) is None
    for again in (uteroseg.Mask.from_sitk(mask.to_sitk()), uteroseg.Mask.from_nibabel(mask.to_nibabel())):
        np.testing.assert_array_equal(again.data, mask.data)
        assert again.geometry.difference(geometry, tolerance_mm=1e-4) is None
    write_image(tmp_path / "a.nii", study.signal[0], geometry)  # what each library reads of our file
    np.testing.assert_array_equal(nib.load(tmp_path / "a.nii").affine, study.to_nibabel().affine.astype("f4"))
    theirs = sitk.ReadImage(str(tmp_path / "a.nii"))
    for index in ((0, 0, 0), (8, 6, 3)):
        ours = study.to_sitk()[0].TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(theirs.TransformIndexToPhysicalPoint(index), ours, atol=1e-3)
    sitk.WriteImage(study.to_sitk()[0], str(tmp_path / "b.nii"))
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii")[0], study.signal[0])


def test_what_is_no_study_or_mask_is_refused():
    study, _ = tiny.study(1)
    with pytest.raises(uteroseg.UserError, match="2 images came"):
        uteroseg.DwiStudy.from_nibabel(study.to_nibabel(), (0, 500, 1000))
    labels = sitk.GetImageFromArray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
    with pytest.raises(uteroseg.UserError, match="holds 1, 2, 3"):
        uteroseg.Mask.from_sitk(labels)
    with pytest.raises(uteroseg.UserError, match="numbers a voxel"):
        uteroseg.Mask.from_sitk(sitk.GetImageFromArray(np.zeros((2, 2, 2, 3)), isVector=True))


def test_a_cohort_is_simulated_trained_adapted_predicted_and_evaluated(tiny_cohorts, tmp_path):
    small = {"spacing_mm": 4.0, "matrix": (48, 48)}
    card = uteroseg.train(
        tiny_cohorts, "cervical", tmp_path / "m", encoder="tf_efficientnet_lite0", imagenet=False, steps=2,
        batch_size=2, **small,
    )  # fmt: skip
    assert card.training.steps == 2
    adapted = uteroseg.adapt(
        tiny_cohorts.root, "uterine", tmp_path / "n", cases=1, source=tmp_path / "m", strategy="all", steps=2,
        batch_size=2,
    )  # fmt: skip
    assert adapted.training.source_model == card.id
    cases = tiny_cohorts.cases("uterine", "test")
    model = uteroseg.open_model(tmp_path / "n")
    for case in cases:
        uteroseg.predict(tiny_cohorts.load_study(case), model=model).save(tmp_path / "p" / str(case))
    found = uteroseg.evaluate(tiny_cohorts, tmp_path / "p", split="test")
    assert {row["case"] for row in found.rows} >= set(map(str, cases))
    with pytest.raises(uteroseg.UserError, match="`source_dataset` was given without `source_cohort`"):
        uteroseg.adapt("d", "c", "o", cases=1, source="m", source_dataset="d")


def test_virtual_patients_are_made_and_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(uteroseg.UserError, match="`encoding` is 'enhanced'"):
        uteroseg.simulate(tmp_path / "d", "uterine", cases=1, encoding="enhanced")
    assert not (tmp_path / "d").exists()
    assert uteroseg.simulate(tmp_path / "d", "uterine", cases=1, b_values=(0, 800)).added == 1
    dataset = uteroseg.Dataset.open(tmp_path / "d")
    assert repr(dataset) == f"Dataset({tmp_path / 'd'}: 1 uterine patients)"
    assert dataset.load_study(dataset.cases()[0]).b_values == (0, 800)


def test_reading_and_predicting_import_no_torch():
    code = (
        "import sys, uteroseg; uteroseg.read_dicom, uteroseg.predict, uteroseg.Dataset, uteroseg.simulate; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
