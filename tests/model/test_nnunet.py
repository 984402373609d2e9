import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from tests import tiny
from tests.grids import ORIENTATIONS, grid
from uteroseg.dataset.readers import readers_mask
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_image, read_mask, write_mask
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.model.nnunet import export_nnunet
from uteroseg.model.prepare import PreparedStudy, SliceGrid, network_input
from uteroseg.model.spec import ModelSpec


@pytest.fixture
def dataset(tmp_path):
    return Dataset.open_or_create(tmp_path / "data")


def files(folder):
    return sorted(str(p.relative_to(folder).as_posix()) for p in folder.rglob("*") if p.is_file())


def test_files_stand_where_nnunet_looks_for_them(dataset, tmp_path):
    tiny.add(dataset, seed=1, split="train", patient="p")
    tiny.add(dataset, seed=2, split="train", patient="p")
    tiny.add(dataset, seed=3, split="test")
    done = export_nnunet(dataset, tmp_path / "raw", number=7, name="Womb")
    assert done.folder == tmp_path / "raw" / "Dataset007_Womb"
    assert [str(case) for case in (*done.train, *done.test)] == ["sub-0001", "sub-0001_acq-2", "sub-0002"]
    assert [name for name in files(done.folder) if not name.startswith("uteroseg/")] == [
        "dataset.json",
        *(f"imagesTr/{c}_000{i}.nii.gz" for c in ("sub-0001", "sub-0001_acq-2") for i in range(3)),
        *(f"imagesTs/sub-0002_000{i}.nii.gz" for i in range(3)),
        *(f"labelsTr/{c}.nii.gz" for c in ("sub-0001", "sub-0001_acq-2")),
        "labelsTs/sub-0002.nii.gz",
    ]
    about = json.loads((done.folder / "dataset.json").read_text())
    assert about["channel_names"] == {"0": "b0", "1": "b1000", "2": "ADC"}
    assert about["labels"] == {"background": 0, "tumour": 1}
    assert (about["numTraining"], about["file_ending"], about["name"]) == (2, ".nii.gz", "Womb")
    assert "not for diagnosis" in about["description"]


@pytest.mark.parametrize("orientation", sorted(ORIENTATIONS))
def test_images_and_labels_lie_where_the_study_does(dataset, tmp_path, orientation):
    geometry = grid(orientation, (12, 40, 44), (5.0, 4.0, 3.5))
    case = tiny.add(dataset, seed=4, split="train", geometry=geometry)
    folder = export_nnunet(dataset, tmp_path / "raw").folder
    study, mask = dataset.load_study(case), dataset.load_mask(case)
    original = nib.load(dataset.root / case.dwi("nii.gz"))
    for path in sorted(folder.glob("*Tr/*.nii.gz")):
        image = nib.load(path)
        assert image.shape == geometry.shape[::-1]
        np.testing.assert_allclose(image.affine, original.affine, atol=1e-4)
        assert image.get_data_dtype() == (np.uint8 if path.parent.name == "labelsTr" else np.float32)
    channels = [read_image(folder / "imagesTr" / f"{case}_{i:04d}.nii.gz")[0] for i in range(3)]
    np.testing.assert_array_equal(channels, PreparedStudy(study).channels().swapaxes(0, 1))
    label = np.asarray(nib.load(folder / "labelsTr" / f"{case}.nii.gz").dataobj)
    assert set(np.unique(label)) == {0, 1}
    np.testing.assert_array_equal(label.T == 1, mask.data)


def test_channels_are_b0_b1000_and_adc_in_their_units():
    study, mask = tiny.study(5, b_values=(0.0, 500.0, 1000.0))
    low_b, high_b, adc = PreparedStudy(study).channels().swapaxes(0, 1)
    body = study.signal[0] > 100
    assert np.median(low_b[body]) == pytest.approx(1)
    np.testing.assert_allclose(high_b / low_b, study.signal[2] / study.signal[0], rtol=1e-5)
    assert np.median(adc[mask.data & body]) == pytest.approx(0.8, abs=0.05)
    assert np.median(adc[~mask.data & body]) == pytest.approx(1.6, abs=0.05)
    assert not adc[~body].any()


def test_b1000_is_computed_where_it_was_not_measured():
    study, mask = tiny.study(5, b_values=(0.0, 800.0))
    low_b, high_b, adc = PreparedStudy(study).channels().swapaxes(0, 1)
    inside = mask.data & (study.signal[0] > 100)
    np.testing.assert_allclose(high_b[inside], (low_b * np.exp(-adc))[inside], rtol=1e-4)


@pytest.mark.parametrize("b_values", [(0.0, 1000.0), (50.0, 400.0, 800.0)])
def test_resampled_and_normalised_they_are_what_our_network_sees(b_values):
    study, _ = tiny.study(6, b_values=b_values)
    spec = ModelSpec(spacing_mm=3.0, matrix=(48, 40))
    seen = SliceGrid.between(study.geometry, spec).to_matrix(PreparedStudy(study).channels().swapaxes(0, 1))
    seen = (np.moveaxis(seen, 0, 1) - np.reshape(spec.channel_mean, (3, 1, 1))) / np.reshape(
        spec.channel_std, (3, 1, 1)
    )
    np.testing.assert_allclose(seen, network_input(study, spec), atol=1e-5)


def test_the_dataset_comes_back_the_same(dataset, tmp_path):
    tiny.add(dataset, seed=1, split="train", b_values=(0.0, 50.0, 800.0), scanner_adc=True, patient="p")
    tiny.add(dataset, seed=2, split="train", patient="p")
    tiny.add(dataset, "uterine", seed=3, split="test", with_mask=False)
    first = dataset.cases()[0]
    write_mask(dataset.root / first.readers_annotation("R2"), dataset.load_mask(first))
    folder = export_nnunet(dataset, tmp_path / "raw").folder
    back = Dataset.open(folder / "uteroseg")
    assert back.participants == dataset.participants
    assert back.fingerprint() == dataset.fingerprint()
    assert files(back.root) == files(dataset.root)
    for name in files(dataset.root):
        assert (back.root / name).read_bytes() == (dataset.root / name).read_bytes(), name
    assert (readers_mask(back, "R2", first).data == dataset.load_mask(first).data).all()


def test_chosen_cohorts_alone_are_exported(dataset, tmp_path):
    for seed, cohort in enumerate(("cervical", "uterine", "ovarian")):
        tiny.add(dataset, cohort, seed=seed, split="train")
    assert len(export_nnunet(dataset, tmp_path / "all").train) == 3
    done = export_nnunet(dataset, tmp_path / "two", cohorts=["ovarian", "cervical"])
    assert [str(case) for case in done.train] == ["sub-0001", "sub-0003"]
    back = Dataset.open(done.folder / "uteroseg")
    assert back.cases() == list(done.train)
    assert sorted(p.cohort for p in back.participants.values()) == ["cervical", "ovarian"]
    assert not list(done.folder.rglob("*sub-0002*"))


def test_a_test_case_without_a_mask_has_images_only(dataset, tmp_path):
    tiny.add(dataset, seed=1, split="train")
    case = tiny.add(dataset, seed=2, split="test", with_mask=False)
    done = export_nnunet(dataset, tmp_path / "raw")
    assert done.unannotated == (case,)
    assert len(list((done.folder / "imagesTs").iterdir())) == 3
    assert not list((done.folder / "labelsTs").iterdir())


def test_a_patient_without_a_tumour_has_an_empty_label(dataset, tmp_path):
    case = tiny.add(dataset, seed=1, split="train")
    mask = dataset.load_mask(case)
    write_mask(dataset.root / case.annotation("nii.gz"), Mask(np.zeros_like(mask.data), mask.geometry))
    done = export_nnunet(dataset, tmp_path / "raw")
    assert not read_mask(done.folder / "labelsTr" / f"{case}.nii.gz").data.any()


def test_what_cannot_be_exported_is_named_and_nothing_is_written(dataset, tmp_path):
    raw = tmp_path / "raw"
    tiny.add(dataset, seed=1, split="test")
    with pytest.raises(UserError, match="no train cases"):
        export_nnunet(dataset, raw)
    tiny.add(dataset, seed=2, split="train")
    tiny.add(dataset, seed=3, split="train", with_mask=False)
    with pytest.raises(UserError, match="1 of 2 train cases have no mask: sub-0003"):
        export_nnunet(dataset, raw)
    who = dataset.participants["sub-0003"]
    dataset.participants["sub-0003"] = replace(who, split="n/a")
    with pytest.raises(UserError, match="1 of 3 cases are in no split: sub-0003"):
        export_nnunet(dataset, raw)
    with pytest.raises(UserError, match="no cohort 'ovarian'"):
        export_nnunet(dataset, raw, cohorts=["ovarian"])
    for number in (0, 1000):
        with pytest.raises(UserError, match=f"number is {number}"):
            export_nnunet(dataset, raw, number=number)
    for name in ("", "a b", "../up", "Gebärmutter"):
        with pytest.raises(UserError, match="name is"):
            export_nnunet(dataset, raw, name=name)
    assert not raw.exists()


def test_a_number_or_folder_that_is_taken_is_refused(dataset, tmp_path):
    tiny.add(dataset, seed=1, split="train")
    export_nnunet(dataset, tmp_path)
    with pytest.raises(UserError, match="holds something already"):
        export_nnunet(dataset, tmp_path)
    with pytest.raises(UserError, match="number 501 already: Dataset501_Pelvis"):
        export_nnunet(dataset, tmp_path, name="Other")
    assert export_nnunet(dataset, tmp_path, number=50).folder.name == "Dataset050_Pelvis"


@pytest.mark.parametrize("damage", ["broken", "one b-value", "no signal", "another grid"])
def test_a_case_that_cannot_be_read_is_named_and_leaves_nothing_behind(dataset, tmp_path, damage):
    tiny.add(dataset, seed=1, split="train")
    case = tiny.add(
        dataset, seed=2, split="train", b_values=(0.0,) if damage == "one b-value" else (0.0, 1e3)
    )
    image, annotation = dataset.root / case.dwi("nii.gz"), dataset.root / case.annotation("nii.gz")
    if damage == "broken":
        image.write_bytes(b"no image")
    elif damage == "no signal":
        nib.save(nib.Nifti1Image(np.zeros((48, 48, 6, 2), np.float32), nib.load(image).affine), image)
    elif damage == "another grid":
        other = grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0), (0.0, 0.0, 0.0))
        write_mask(annotation, Mask(dataset.load_mask(case).data, other))
    with pytest.raises(UserError, match=r"^sub-0002: ") as told:
        export_nnunet(dataset, tmp_path / "raw")
    assert told.value.expected
    assert told.value.fix
    assert not list((tmp_path / "raw").iterdir())


def test_progress_counts_every_case(dataset, tmp_path):
    for seed in range(3):
        tiny.add(dataset, seed=seed, split="test" if seed else "train")
    told = []
    export_nnunet(dataset, tmp_path / "raw", on_case=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_an_image_of_air_has_no_body():
    study, _ = tiny.study(1)
    air = DwiStudy(np.zeros_like(study.signal), study.b_values, study.geometry)
    with pytest.raises(UserError, match="no signal"):
        PreparedStudy(air).channels()
