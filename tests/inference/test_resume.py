"""A batch goes on: over bad studies, full disks and kills, and never does twice what is finished."""

import csv
import json
import shutil
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pydicom
import pytest

from tests import tiny
from tests.grids import grid
from uteroseg.dataset.store import Dataset
from uteroseg.dataset.study_files import write_study
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_image, read_mask
from uteroseg.imaging.study import DwiStudy
from uteroseg.inference import batch, inputs
from uteroseg.inference.batch import predict_all
from uteroseg.model import prediction_folder
from uteroseg.model.ensemble import Ensemble, open_model
from uteroseg.model.prediction_folder import Outputs
from uteroseg.model.spec import ModelCard
from uteroseg.phantom.dicom_files import write_dicom


@pytest.fixture
def three(tmp_path):
    """A dataset of three cases."""
    dataset = Dataset.open_or_create(tmp_path / "data")
    for seed in (1, 2, 3):
        tiny.add(dataset, seed=seed, with_mask=False)
    return dataset


def write_nifti(path, study):
    write_study(path, study, scanner_adc=path.parent / "none.nii.gz", sidecar={})
    return path


def table(out):
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stamps(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name == "mask.nii.gz"}


def test_a_batch_that_was_killed_goes_on_where_it_was(three, tiny_model, tmp_path, monkeypatch):
    out, whole = tmp_path / "out", tmp_path / "whole"
    predict_all(three.root, tiny_model, whole)
    overlay = prediction_folder.overlay

    def killed(*arguments, caption, **options):
        if "sub-0002" in caption:
            raise KeyboardInterrupt
        return overlay(*arguments, caption=caption, **options)

    monkeypatch.setattr(prediction_folder, "overlay", killed)
    with pytest.raises(KeyboardInterrupt):
        predict_all(three.root, tiny_model, out)
    assert {path.name for path in out.iterdir()} == {"settings.json", "predictions.csv", "sub-0001"}
    first = stamps(out)
    (out / ".sub-0002.0123abcd").mkdir()  # as a kill leaves it that no program can answer
    (out / ".sub-0002.0123abcd" / "mask.nii.gz").write_bytes(b"half")

    monkeypatch.setattr(prediction_folder, "overlay", overlay)
    predictions, _ = predict_all(three.root, tiny_model, out)
    assert [predicted.case for predicted in predictions] == ["sub-0001", "sub-0002", "sub-0003"]
    assert {path: stamp for path, stamp in stamps(out).items() if path in first} == first
    assert (out / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    assert not list(out.glob(".*"))


def test_an_output_of_another_call_is_refused_and_left_alone(three, tiny_model, tmp_path):
    out = tmp_path / "out"
    predict_all(three.root, tiny_model, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="another call: its outputs differ"):
        predict_all(three.root, tiny_model, out, outputs=Outputs(probability=True))
    shutil.copytree(three.root, tmp_path / "copy")
    with pytest.raises(UserError, match="another call: its input differ"):
        predict_all(tmp_path / "copy", tiny_model, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_images_that_changed_since_are_named_and_the_prediction_stays(tiny_model, tmp_path):
    path, out = write_nifti(tmp_path / "x_dwi.nii.gz", tiny.study(1)[0]), tmp_path / "out"
    predict_all(path, tiny_model, out)
    before = (out / "x" / "mask.nii.gz").read_bytes()
    write_nifti(path, tiny.study(2)[0])
    (predicted,), _ = predict_all(path, tiny_model, out)
    assert "the prediction of other images" in predicted.error
    assert (out / "x" / "mask.nii.gz").read_bytes() == before


def test_whatever_one_study_does_the_others_are_predicted(three, tiny_model, tmp_path, monkeypatch):
    bad = three.root / "sub-0002" / "dwi" / "sub-0002_dwi.nii.gz"
    whole = bad.read_bytes()
    for damage, words in (
        (lambda: bad.write_bytes(whole[: len(whole) // 2]), "cannot be read"),
        (lambda: bad.unlink() or bad.mkdir(), "cannot be read"),
    ):
        damage()
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        predictions, _ = predict_all(three.root, tiny_model, tmp_path / "out")
        assert [bool(predicted.error) for predicted in predictions] == [False, True, False]
        assert words in predictions[1].error
        assert [row["case"] for row in table(tmp_path / "out") if row["error"]] == ["sub-0002"]

    shutil.rmtree(tmp_path / "out")
    bad.rmdir()
    bad.write_bytes(whole)
    predict_study = batch.predict_study

    def broken(study, engine):
        if study.signal[0, 0, 0, 0] == three.load_study(three.cases()[1]).signal[0, 0, 0, 0]:
            raise ZeroDivisionError("a bug")
        return predict_study(study, engine)

    monkeypatch.setattr(batch, "predict_study", broken)
    predictions, _ = predict_all(three.root, tiny_model, tmp_path / "out")
    assert [predicted.error for predicted in predictions] == ["", "Unexpected ZeroDivisionError: a bug", ""]


def changed(study, **changes):
    fields = {"signal": study.signal, "b_values": study.b_values, "geometry": study.geometry, **changes}
    return DwiStudy(**fields)


def test_what_a_model_cannot_take_is_refused_in_words(tiny_model, tmp_path):
    study, _ = tiny.study(1)
    coarse, small = (
        grid("sagittal", study.geometry.shape, (5, mm, mm), study.geometry.affine[:3, 3]) for mm in (17, 0.9)
    )
    cases = {
        "low": (changed(study, b_values=(0.0, 100.0)), "b-values are 0, 100 s/mm²; none is high"),
        "one": (changed(study, signal=study.signal[1:], b_values=(1000.0,)), "one b-value only"),
        "coarse": (changed(study, geometry=coarse), "48 × 48 pixels of 17 × 17 mm"),
        "small": (changed(study, geometry=small), "48 × 48 pixels of 0.9 × 0.9 mm"),
        "dark": (changed(study, signal=np.zeros_like(study.signal)), "no signal"),
    }
    for name, (bad, words) in cases.items():
        path = write_nifti(tmp_path / f"{name}_dwi.nii.gz", bad)
        (predicted,), _ = predict_all(path, tiny_model, tmp_path / name)
        assert words in predicted.error
        assert {p.name for p in (tmp_path / name).iterdir()} == {"settings.json", "predictions.csv"}


def test_a_series_with_the_image_of_a_second_patient_is_predicted_for_neither(tiny_model, tmp_path):
    write_dicom(tiny.study(1)[0], tmp_path / "scan", patient_id="one", seed=1)
    files = sorted((tmp_path / "scan" / "dwi").iterdir())
    foreign = pydicom.dcmread(files[3])
    foreign.PatientID = "two"
    foreign.save_as(files[3])
    predictions, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "out")
    assert len(predictions) == 2
    for predicted in predictions:
        assert "One series has images of 2 Patient IDs" in predicted.error


def test_patients_of_one_folder_are_predicted_each(tiny_model, tmp_path, monkeypatch):
    """Also where there are too many files to hold every header."""
    for number in (1, 2, 3):
        study, _ = tiny.study(number)
        write_dicom(study, tmp_path / "scan" / str(number), patient_id=f"p{number}", seed=number)
    few, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "few")
    damaged = sorted((tmp_path / "scan" / "2" / "dwi").iterdir())[2]
    damaged.write_bytes(damaged.read_bytes()[:-300])
    monkeypatch.setattr(inputs, "MANY", 5)
    many, _ = predict_all(tmp_path / "scan", tiny_model, tmp_path / "many")
    assert [predicted.case for predicted in many] == [predicted.case for predicted in few]
    assert {predicted.origin for predicted in few} == {str(tmp_path / "scan" / str(n)) for n in (1, 2, 3)}
    (bad,) = [predicted for predicted in many if predicted.error]
    assert damaged.name in bad.error
    for predicted in many:
        if not predicted.error:
            masks = [
                read_mask(tmp_path / out / predicted.case / "mask.nii.gz").data for out in ("few", "many")
            ]
            np.testing.assert_array_equal(*masks)


def test_the_probability_map_is_written_where_it_is_asked_for(tiny_model, tmp_path):
    path = write_nifti(tmp_path / "x_dwi.nii.gz", tiny.study(1)[0])
    predict_all(path, tiny_model, tmp_path / "out", outputs=Outputs(probability=True))
    mask = read_mask(tmp_path / "out" / "x" / "mask.nii.gz")
    probability, geometry = read_image(tmp_path / "out" / "x" / "probability.nii.gz")
    assert geometry.difference(mask.geometry) is None
    assert nib.load(tmp_path / "out" / "x" / "probability.nii.gz").get_data_dtype() == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1.0001
    assert (probability[mask.data] >= 0.5).all()


def test_an_output_that_cannot_be_written_is_refused_before_predicting(
    three, tiny_model, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        predict_all(three.root, tiny_model, tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def second_model(tiny_model, tmp_path):
    """The same network under another name."""
    folder = shutil.copytree(tiny_model, tmp_path / "second")
    card = json.loads((folder / "model.json").read_text())
    card["id"] = "second"
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_models_that_predict_as_one_give_the_mean(tiny_model, second_model, tmp_path):
    one, both = open_model(tiny_model), open_model([tiny_model, second_model])
    slices = np.random.default_rng(1).normal(size=(5, 3, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(both.probability(slices), one.probability(slices), atol=1e-6)
    both._engines[1].probability = lambda slices: np.ones(slices[:, 0].shape, np.float32)
    np.testing.assert_allclose(both.probability(slices), (one.probability(slices) + 1) / 2, atol=1e-6)
    path = write_nifti(tmp_path / "x_dwi.nii.gz", tiny.study(1)[0])
    (predicted,), card = predict_all(path, [tiny_model, second_model], tmp_path / "out")
    assert predicted.expected_dsc is None
    assert card.id == f"{one.card.id}+second"
    result = json.loads((tmp_path / "out" / "x" / "result.json").read_text())
    assert [member["id"] for member in result["ensemble"]] == [one.card.id, "second"]


def test_models_that_see_different_things_are_refused_by_name(tiny_model, second_model):
    card = json.loads((second_model / "model.json").read_text())
    card["spec"]["threshold"] = 0.4
    other = SimpleNamespace(card=ModelCard.model_validate(card))
    with pytest.raises(UserError, match=r"differ in threshold: 0\.5 and 0\.4"):
        Ensemble([open_model(tiny_model), other])
