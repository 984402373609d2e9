import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests import tiny
from tests.intake.layouts import decathlon, nnunet
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import write_mask
from uteroseg.imaging.study import Mask
from uteroseg.intake.nnunet import find_nnunet, is_decathlon
from uteroseg.intake.original import ORIGINAL, copy_dataset, original_in
from uteroseg.intake.take import Origin, take_studies
from uteroseg.model.nnunet import export_nnunet
from uteroseg.model.prepare import study_channels

HERE = Origin("nnunet", "Dataset007_Womb", "uterine")
CASES = [("Tr", "womb_1", 1), ("Tr", "womb_2", 2), ("Ts", "womb_3", 3)]


@pytest.mark.parametrize("layout", [nnunet, decathlon])
def test_images_labels_and_splits_come_in_as_they_are(tmp_path, layout):
    made = layout(tmp_path / "in", CASES)
    assert is_decathlon(tmp_path / "in") == (layout is decathlon)
    taken = take_studies(find_nnunet(tmp_path / "in"), tmp_path / "d", HERE)
    assert [one.status for one in taken] == ["added"] * 3
    dataset = Dataset.open(tmp_path / "d")
    splits = [dataset.participant(one.case).split for one in taken]
    assert splits == ["train", "train", "test"]
    for one, (study, mask) in zip(taken, made.values(), strict=True):
        back = dataset.load_study(one.case)
        np.testing.assert_array_equal(back.signal, study.signal)
        assert back.b_values == (0, 1000)
        assert back.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
        if dataset.has_mask(one.case):
            np.testing.assert_array_equal(dataset.load_mask(one.case).data, mask.data)
    assert [dataset.has_mask(one.case) for one in taken] == [True, True, layout is nnunet]
    assert taken[0].found.left_out == (("T2",) if layout is nnunet else ())


def test_the_first_nnunet_names_channels_as_the_decathlon_does(tmp_path):
    about = {"channel_names": None, "modality": {"0": "b0", "1": "b1000"}}
    nnunet(tmp_path / "in", CASES, channels=("b0", "b1000"), about=about)
    json_file = tmp_path / "in" / "dataset.json"
    values = json.loads(json_file.read_text())
    del values["channel_names"]
    json_file.write_text(json.dumps(values))
    assert not is_decathlon(tmp_path / "in")
    assert [one.load().b_values for one in find_nnunet(tmp_path / "in")] == [(0, 1000)] * 3


def test_one_of_several_labels_is_the_tumour(tmp_path):
    about = {"labels": {"background": 0, "organ": [1, 2], "tumour": 2, "ignore": 3}}
    made = nnunet(tmp_path / "in", CASES[:1], about=about, label_value=2)
    with pytest.raises(UserError, match="the labels organ, tumour") as told:
        find_nnunet(tmp_path / "in")
    assert "--label" in told.value.fix
    (study,) = find_nnunet(tmp_path / "in", label="tumour")
    np.testing.assert_array_equal(study.load_mask(study.load())[0].data, made["womb_1"][1].data)
    with pytest.raises(UserError, match="not 'node'"):
        find_nnunet(tmp_path / "in", label="node")
    label = tmp_path / "in/labelsTr/womb_1.nii.gz"
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + np.uint8(1), image.affine), label)
    with pytest.raises(UserError, match="holds 3") as told:
        study.load_mask(study.load())
    assert "voxels to ignore" in told.value.fix


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("b0", 0),
        ("DWI_b1000", 1000),
        ("b-value 800", 800),
        ("b=50", 50),
        ("B_400", 400),
        ("dwi b1000 trace", 1000),
    ],
)
def test_a_channel_tells_its_b_value(tmp_path, name, value):
    nnunet(tmp_path / "in", CASES[:1], channels=("b7", name))
    (study,) = find_nnunet(tmp_path / "in")
    assert sorted(study.load().b_values) == sorted((7, value))


@pytest.mark.parametrize(
    "names", [("MRI", "ADC"), ("b0", "ADC"), ("b800", "b800"), ("lab0", "rgb100"), ("b1e3", "b0x")]
)
def test_channels_that_do_not_tell_two_b_values_are_refused(tmp_path, names):
    nnunet(tmp_path / "in", CASES[:1], channels=names)
    with pytest.raises(UserError, match="b-values of the channels") as told:
        find_nnunet(tmp_path / "in")
    assert "b0, b1000" in told.value.fix


@pytest.mark.parametrize(
    "about",
    [{"channel_names": None}, {"labels": None}, {"labels": {"background": 0}}, {"labels": {"t": "x"}}],
)
def test_a_description_that_says_too_little_is_refused(tmp_path, about):
    nnunet(tmp_path / "in", CASES[:1], about=about)
    with pytest.raises(UserError, match=r"dataset\.json"):
        find_nnunet(tmp_path / "in")


def test_a_bad_case_is_named_and_the_others_go_on(tmp_path):
    source = tmp_path / "in"
    made = nnunet(
        source, [("Tr", name, seed) for seed, name in enumerate(("good", "short", "shifted", "cut"))]
    )
    (source / "imagesTr/short_0002.nii.gz").unlink()
    other = tiny.grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0), (0.0, 0.0, 0.0))
    write_mask(source / "labelsTr/shifted.nii.gz", Mask(made["shifted"][1].data, other))
    path = source / "imagesTr/cut_0001.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])
    taken = take_studies(find_nnunet(source), tmp_path / "d", HERE)
    told = {one.found.name.split("/")[1]: one.error for one in taken if one.status == "failed"}
    assert set(told) == {"short", "shifted", "cut"}
    assert "2 images for the 3 channels" in told["short"]
    assert "grids differ" in told["shifted"]
    assert "cut_0001" in told["cut"]


def test_a_patient_never_enters_both_splits(tmp_path):
    nnunet(tmp_path / "in", [("Tr", "sub-1_ses-01", 1), ("Tr", "sub-1_ses-02", 2), ("Ts", "sub-1_ses-03", 3)])
    taken = take_studies(find_nnunet(tmp_path / "in"), tmp_path / "d", HERE)
    assert [one.status for one in taken] == ["added", "added", "failed"]
    assert "sub-0001, who is in train already" in taken[2].error
    assert list(Dataset.open(tmp_path / "d").participants) == ["sub-0001"]


def test_cases_of_the_same_name_in_two_sources_are_two_patients(tmp_path):
    for seed, name in ((1, "Task1"), (2, "Task2")):
        nnunet(tmp_path / name, [("Tr", "case_1", seed)])
        take_studies(find_nnunet(tmp_path / name), tmp_path / "d", Origin("nnunet", name, "uterine"))
    assert len(Dataset.open(tmp_path / "d").participants) == 2


@pytest.fixture
def exported(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "data")
    tiny.add(dataset, seed=1, split="train", b_values=(0.0, 50.0, 800.0), scanner_adc=True, patient="p")
    tiny.add(dataset, seed=2, split="train", patient="p")
    tiny.add(dataset, "uterine", seed=3, split="test", with_mask=False)
    return dataset, export_nnunet(dataset, tmp_path / "raw").folder


def test_what_was_exported_comes_back_byte_for_byte(exported, tmp_path):
    dataset, folder = exported
    copy_dataset(original_in(folder), tmp_path / "back")
    files = sorted(path.relative_to(dataset.root) for path in dataset.root.rglob("*") if path.is_file())
    assert (
        sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*") if p.is_file())
        == files
    )
    for file in files:
        assert (tmp_path / "back" / file).read_bytes() == (dataset.root / file).read_bytes(), file
    with pytest.raises(UserError, match="holds something"):
        copy_dataset(original_in(folder), tmp_path / "back")


@pytest.mark.parametrize("change", ["another mask", "a mask gone", "a mask more"])
def test_labels_that_were_changed_since_are_not_lost_in_silence(exported, change):
    dataset, folder = exported
    first, _, bare = dataset.cases()
    label = folder / "labelsTr" / f"{first}.nii.gz"
    mask = dataset.load_mask(first)
    if change == "another mask":
        write_mask(label, Mask(~mask.data, mask.geometry))
    elif change == "a mask gone":
        label.unlink()
    else:
        write_mask(folder / "labelsTs" / f"{bare}.nii.gz", mask)
    with pytest.raises(UserError, match="labels of 1 cases are not the masks"):
        original_in(folder)


def test_an_export_without_its_dataset_is_refused_unless_the_user_vouches_for_the_channels(tmp_path):
    dataset = tiny.cohorts(tmp_path / "data", train=2, test=1)
    folder = export_nnunet(dataset, tmp_path / "raw").folder
    shutil.rmtree(folder / ORIGINAL)
    with pytest.raises(UserError, match="'uteroseg' is missing") as told:
        original_in(folder)
    assert "delete 'original'" in told.value.fix
    about = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**about, "original": None}))
    assert original_in(folder) is None
    taken = take_studies(find_nnunet(folder), tmp_path / "d", HERE)
    back = Dataset.open(tmp_path / "d")
    for one in taken:
        case = one.found.name.split("/")[1]
        (was,) = [known for known in dataset.cases() if str(known) == case]
        low_b, high_b, adc = study_channels(dataset.load_study(was)).swapaxes(0, 1)
        study = back.load_study(one.case)
        np.testing.assert_array_equal(study.signal, (low_b, high_b))
        np.testing.assert_array_equal(back.load_mask(one.case).data, dataset.load_mask(was).data)
        body = adc > 0
        np.testing.assert_allclose(study.fit().adc[body], adc[body], atol=1e-5)
        assert back.participant(one.case).split == dataset.participant(was).split


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "b0", "1": "b9"}, "labels": {"background": 0, "t": 1}})
    )
    with pytest.raises(UserError, match="no NIfTI image"):
        find_nnunet(tmp_path)
