import json
import os
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
from uteroseg.intake.ingest import ingest, take_in
from uteroseg.intake.nnunet import find_nnunet, is_decathlon, is_nnunet
from uteroseg.intake.original import ORIGINAL, copy_dataset, original_in
from uteroseg.intake.source import Source
from uteroseg.model.nnunet import export_nnunet
from uteroseg.model.prepare import PreparedStudy

CASES = [("Tr", "womb_1", 1), ("Tr", "womb_2", 2), ("Ts", "womb_3", 3)]


@pytest.mark.parametrize("layout", [nnunet, decathlon])
def test_images_labels_and_splits_come_in_as_they_are(tmp_path, layout):
    made = layout(tmp_path / "in", CASES)
    assert is_decathlon(tmp_path / "in") == (layout is decathlon)
    taken = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
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
    assert taken[0].left_out == (("T2",) if layout is nnunet else ())


def test_the_first_nnunet_names_channels_as_the_decathlon_does(tmp_path):
    about = {"channel_names": None, "modality": {"0": "b0", "1": "b1000"}}
    nnunet(tmp_path / "in", CASES, channels=("b0", "b1000"), about=about)
    assert not is_decathlon(tmp_path / "in")
    assert [one.load().b_values for one in find_nnunet(tmp_path / "in", origin="in")] == [(0, 1000)] * 3


def test_one_of_several_labels_is_the_tumour(tmp_path):
    about = {"labels": {"background": 0, "organ": [1, 2], "tumour": 2, "ignore": 3}}
    made = nnunet(tmp_path / "in", CASES[:1], about=about, label_value=2)
    with pytest.raises(UserError, match="key labels holds organ, tumour") as told:
        find_nnunet(tmp_path / "in", origin="in")
    assert "set `label`" in told.value.fix
    (study,) = find_nnunet(tmp_path / "in", origin="in", label="tumour")
    np.testing.assert_array_equal(study.placed(study.load()).mask.data, made["womb_1"][1].data)
    with pytest.raises(UserError, match="and not 'node'"):
        find_nnunet(tmp_path / "in", origin="in", label="node")
    label = tmp_path / "in/labelsTr/womb_1.nii.gz"
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + np.uint8(1), image.affine), label)
    with pytest.raises(UserError, match="holds 3") as told:
        study.placed(study.load())
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
        ("DWIb800", 800),
        ("bval_600", 600),
        ("b 1000 s/mm²", 1000),
        ("b1000s/mm2", 1000),
        ("ep2d_diff_b929.75", 929.75),
        ("b1400_noNorm", 1400),
        ("b1000 3T", 1000),
    ],
)
def test_a_channel_tells_its_b_value(tmp_path, name, value):
    nnunet(tmp_path / "in", CASES[:1], channels=("b7", name))
    (study,) = find_nnunet(tmp_path / "in", origin="in")
    assert sorted(study.load().b_values) == sorted((7, value))


@pytest.mark.parametrize(
    "names",
    [
        ("MRI", "ADC"),
        ("b0", "ADC"),
        ("b800", "b800"),
        ("lab0", "rgb100"),
        ("b1e3", "b0x"),
        ("b50", "ADC_b0-b800"),
        ("b1000", "eADC_b0-b800"),
        ("b0", "b1400 computed"),
        ("b0", "calculated b1400"),
        ("b0", "cDWI_b1400"),
        ("b0", "synthetic_b1400"),
        ("b0", "b50-400-800"),
        ("b0", "b50 to 800"),
        ("b0", "b1000/b50"),
        ("b0", "b1.000"),
        ("b0", "b1,000"),
        ("b0", "log b1000"),
        ("b0", "b1000 normalised"),
        ("b0", "FA_b1000"),
        ("noNorm", "T2W"),
    ],
)
def test_channels_that_do_not_tell_two_b_values_are_refused(tmp_path, names):
    nnunet(tmp_path / "in", CASES[:1], channels=names)
    with pytest.raises(UserError, match=r"dataset\.json: the key channel_names .* measured b-values") as told:
        find_nnunet(tmp_path / "in", origin="in")
    assert "b0, b1000" in told.value.fix


@pytest.mark.parametrize("high", ["b1400", "b1400 calculated", "hbv b=1400"])
@pytest.mark.parametrize(("adc", "factor"), [("ADC", 1), ("ADC_b0-b800", 1000), ("dADC", 1e-3)])
def test_an_adc_map_with_one_high_b_is_a_study(tmp_path, high, adc, factor):
    def channels(study):
        return study.signal[0], study.scanner_adc * np.float32(factor), study.signal[1]

    options = {"channels": ("T2", adc, high), "images": channels}
    made = nnunet(tmp_path / "in", CASES[:1], b_values=(0.0, 1400.0), scanner_adc=True, **options)
    (found,) = find_nnunet(tmp_path / "in", origin="in")
    study, truth = found.load(), made["womb_1"][0]
    assert (found.left_out, study.b_values) == (("T2",), (0, 1400))
    np.testing.assert_array_equal(study.signal[1], truth.signal[1])
    np.testing.assert_allclose(study.scanner_adc, truth.scanner_adc, rtol=1e-6)
    np.testing.assert_allclose(study.fit().adc, truth.scanner_adc, rtol=1e-4)
    assert list(study.acquisition["derived_images"]) == ["0"]


def test_a_case_whose_name_is_not_utf_8_is_a_case(tmp_path):
    source = tmp_path / "in"
    nnunet(source, CASES[:1])
    for path in sorted(source.glob("*/womb_1*")):
        path.rename(os.fsdecode(os.fsencode(path).replace(b"womb_1", b"uterus-M\xfcller")))
    for status in ("added", "present"):
        (taken,) = ingest(source, tmp_path / "d", cohort="uterine")
        assert (taken.status, taken.study) == (status, "imagesTr/uterus-M\\xfcller")
    assert Dataset.open(tmp_path / "d").cases()


@pytest.mark.parametrize(
    ("about", "key"),
    [
        ({"channel_names": None}, "channel_names is missing"),
        ({"channel_names": {"0": "b0", "2": "b1000", "3": "T2"}}, "channel_names does not name"),
        ({"channel_names": {"b0": 0, "b1000": 0, "T2": 1}}, "channel_names does not name"),
        ({"channel_names": "b0, b1000"}, "channel_names does not name"),
        ({"modality": {"0": "b1000", "1": "b0", "2": "T2"}}, "channel_names differs"),
        ({"labels": None}, "labels gives no whole number"),
        ({"labels": {"background": 0, "t": "x"}}, "labels gives no whole number"),
        ({"labels": {"background": 0, "t": 1.5}}, "labels gives no whole number"),
        ({"labels": {"background": 0, "t": []}}, "labels gives no whole number"),
        ({"labels": {"background": 0}}, "labels holds the background alone"),
        ({"labels": {"background": 0, "bladder": 1, "tumour": 1}}, "labels gives a name or a value twice"),
        ({"labels": {"0": "background", "1": "t", "2": "t"}}, "labels gives a name or a value twice"),
        ({"labels": {"background": 1, "tumour": 0}}, "labels counts the background"),
        ({"labels": {"background": 0, "tumour": [0, 1]}}, "labels counts the background"),
    ],
)
def test_a_description_that_says_too_little_or_two_things_is_refused(tmp_path, about, key):
    nnunet(tmp_path / "in", CASES[:1], about=about)
    with pytest.raises(UserError, match=r"in/dataset\.json: the key " + key):
        find_nnunet(tmp_path / "in", origin="in")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"labels": {"background": 0, "t": 1},}', r"double quotes: line 1"),
        ("[1]", "holds a list"),
        ('{"labels": {"t": 1, "t": 2}}', "the key t stands twice"),
        ("[" * 100_000, "recursion"),
        ("", "line 1"),
    ],
)
def test_a_description_that_is_no_json_is_refused_with_its_place(tmp_path, text, problem):
    nnunet(tmp_path / "in", CASES[:1])
    (tmp_path / "in" / "dataset.json").write_text(text)
    with pytest.raises(UserError, match=rf"in/dataset\.json cannot be read .*{problem}"):
        find_nnunet(tmp_path / "in", origin="in")
    with pytest.raises(UserError, match=r"dataset\.json"):
        original_in(tmp_path / "in")


@pytest.mark.parametrize(
    "about",
    [
        {"channel_names": {"b0": 0, "T2": 2, "b1000": 1}},
        {"channel_names": {"b0": "0", "b1000": "1", "T2": "2"}},
        {"channel_names": ["b0", "b1000", "T2"]},
        {"channel_names": None, "modality": {"2": "T2", "1": "b1000", "0": "b0"}},
        {"modality": {"0": "b0", "1": "b1000", "2": "T2"}},
        {"labels": {"0": "background", "1": "tumour"}},
        {"labels": {"background": "0", "tumour": "1"}},
        {"labels": {"tumour": [1]}, "regions_class_order": [1]},
        {"labels": {"background": 0, "tumour": [1, 2], "ignore": 3}, "regions_class_order": [1, 2]},
        {"training": [{"image": "./imagesTr/womb_1.nii.gz", "label": "./labelsTr/womb_1.nii.gz"}]},
        {"training": 3, "file_ending": None},
    ],
)
def test_a_description_is_read_however_its_version_writes_it(tmp_path, about):
    made = nnunet(tmp_path / "in", CASES[:1], about=about)
    file = tmp_path / "in" / "dataset.json"
    file.write_text("\ufeff" + file.read_text(), encoding="utf-8")
    (found,) = find_nnunet(tmp_path / "in", origin="in")
    study = found.load()
    np.testing.assert_array_equal(study.signal, made["womb_1"][0].signal)
    np.testing.assert_array_equal(found.placed(study).mask.data, made["womb_1"][1].data)
    assert found.left_out == ("T2",)


@pytest.mark.parametrize("ending", ["nii", "mha", "nrrd", "nii.gz"])
def test_images_and_labels_are_read_in_every_format(tmp_path, ending):
    made = nnunet(tmp_path / "in", CASES, ending=ending)
    for name in (f"._womb_1_0000.{ending}", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / "in" / "imagesTr" / name).write_bytes(b"no image")
    (tmp_path / "in" / "labelsTr" / f"folder.{ending}").mkdir()
    studies = find_nnunet(tmp_path / "in", origin="in")
    assert [one.name for one in studies] == ["imagesTr/womb_1", "imagesTr/womb_2", "imagesTs/womb_3"]
    for one, (study, mask) in zip(studies, made.values(), strict=True):
        back = one.load()
        np.testing.assert_array_equal(back.signal, study.signal)
        assert back.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
        np.testing.assert_array_equal(one.placed(back).mask.data, mask.data)


def test_label_maps_are_found_by_the_name_of_an_image_and_in_version_1s_list(tmp_path):
    source = tmp_path / "in"
    listed = [{"image": ".\\imagesTr\\womb_2.nii.gz", "label": ".\\labelsTr\\second.nii.gz"}, "stray", {}]
    made = nnunet(source, CASES, label="{}_0000", about={"training": listed})
    (source / "labelsTr/womb_2_0000.nii.gz").rename(source / "labelsTr/second.nii.gz")
    for one, (_, mask) in zip(find_nnunet(source, origin="in"), made.values(), strict=True):
        np.testing.assert_array_equal(one.placed(one.load()).mask.data, mask.data)
    (source / "labelsTr/second.nii.gz").unlink()
    taken = ingest(source, tmp_path / "d", cohort="uterine")
    assert [one.status for one in taken] == ["added", "failed", "added"]
    assert "second.nii.gz does not exist" in taken[1].error


def test_a_label_map_without_images_is_not_lost_in_silence(tmp_path):
    nnunet(tmp_path / "in", CASES[:2])
    for path in (tmp_path / "in/imagesTr").glob("womb_1*"):
        path.unlink()
    taken = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert [one.status for one in taken] == ["added", "failed"]
    assert "labelsTr/womb_1.nii.gz belongs to no image" in taken[1].error


def test_one_image_in_two_formats_is_that_of_the_ending_that_counts_or_refused(tmp_path):
    nnunet(tmp_path / "in", CASES[:1])
    nnunet(tmp_path / "in", [("Tr", "womb_1", 9)], ending="mha")
    (found,) = find_nnunet(tmp_path / "in", origin="in")
    np.testing.assert_array_equal(
        found.load().signal, nnunet(tmp_path / "x", [("Tr", "a", 9)])["a"][0].signal
    )
    nnunet(tmp_path / "in", CASES[:1], about={"file_ending": None})
    with pytest.raises(UserError, match=r"imagesTr holds one image twice: .*mha and .*nii\.gz"):
        find_nnunet(tmp_path / "in", origin="in")


@pytest.mark.parametrize("cases", [("Ts", "womb_3", 3), ("Ts", "sub-7_ses-02", 3)])
@pytest.mark.parametrize("without", ["nothing", "imagesTr", "everything else"])
def test_test_cases_alone_come_in_with_and_without_labels(tmp_path, cases, without):
    source = tmp_path / "in"
    nnunet(source, [cases], about={"channel_names": None, "modality": {"0": "b0", "1": "b1000", "2": "T2"}})
    if without == "nothing":
        (source / "imagesTr").mkdir()
    if without == "everything else":
        shutil.rmtree(source / "labelsTs")
    assert is_nnunet(source)
    assert not is_decathlon(source)
    (found,) = find_nnunet(source, origin="in")
    assert (found.split, found.label is None) == ("test", without == "everything else")
    assert found.patient.removeprefix("in ") == cases[1].split("_ses")[0]
    assert found.load().b_values == (0, 1000)


def test_a_decathlon_task_is_known_by_its_images_whatever_they_are_called(tmp_path):
    names = ("case_0000", "case_0001", "case_0002")
    made = decathlon(tmp_path / "in", [("Tr", name, seed) for seed, name in enumerate(names)])
    (tmp_path / "in/labelsTr/case_0002.nii.gz").unlink()
    (tmp_path / "in/imagesTr/case_0000.nii.gz").write_bytes(b"damaged")
    assert is_decathlon(tmp_path / "in")
    studies = find_nnunet(tmp_path / "in", origin="in")
    assert [one.patient.removeprefix("in ") for one in studies] == list(names)
    np.testing.assert_array_equal(studies[1].load().signal, made["case_0001"][0].signal)
    assert [one.label is None for one in studies] == [False, False, True]


def test_a_single_volume_with_four_dimensions_is_a_volume(tmp_path):
    made = nnunet(tmp_path / "in", CASES[:1])
    for path in tmp_path.glob("in/*/*.nii.gz"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., None], image.affine), path)
    (found,) = find_nnunet(tmp_path / "in", origin="in")
    np.testing.assert_array_equal(found.load().signal, made["womb_1"][0].signal)
    np.testing.assert_array_equal(found.placed(found.load()).mask.data, made["womb_1"][1].data)
    path = tmp_path / "in/labelsTr/womb_1.nii.gz"
    two = np.repeat(np.asarray(nib.load(path).dataobj), 2, axis=3)
    nib.save(nib.Nifti1Image(two, nib.load(path).affine), path)
    with pytest.raises(UserError, match=r"womb_1\.nii\.gz holds 2 volumes"):
        found.placed(found.load())


@pytest.mark.parametrize(
    ("stored", "slope", "refused"),
    [
        (np.float32(1), 1, None),
        (np.int16(255), 1 / 255, None),
        (np.float32(1.6857), 1, "1.6857"),
        (np.float32(np.nan), 1, "nan"),
        (np.uint8(255), 1, "255"),
        (np.float32(1.01), 1, "1.01"),
    ],
)
def test_labels_are_whole_numbers_however_they_are_stored(tmp_path, stored, slope, refused):
    made = nnunet(tmp_path / "in", CASES[:1])
    path = tmp_path / "in/labelsTr/womb_1.nii.gz"
    image = nib.load(path)
    data = np.where(np.asarray(image.dataobj) > 0, stored, stored.dtype.type(0))
    scaled = nib.Nifti1Image(data, image.affine)
    scaled.header.set_slope_inter(slope, 0)
    nib.save(scaled, path)
    (found,) = find_nnunet(tmp_path / "in", origin="in")
    if refused:
        with pytest.raises(UserError, match=rf"womb_1\.nii\.gz holds {refused}\."):
            found.placed(found.load())
    else:
        np.testing.assert_array_equal(found.placed(found.load()).mask.data, made["womb_1"][1].data)


def test_a_label_map_without_tumour_is_that_of_a_case_without_one(tmp_path):
    nnunet(tmp_path / "in", CASES[:1], about={"labels": {"background": 0, "uterus": 1, "tumour": 2}})
    (found,) = find_nnunet(tmp_path / "in", origin="in", label="tumour")
    assert not found.placed(found.load()).mask.data.any()
    (taken,) = take_in(Source([found]), tmp_path / "d", cohort="uterine")
    assert (taken.status, taken.mask_ml) == ("added", 0)


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
    taken = ingest(source, tmp_path / "d", cohort="uterine")
    told = {one.study.split("/")[1]: one.error for one in taken if one.status == "failed"}
    assert set(told) == {"short", "shifted", "cut"}
    assert "2 images for the 3 channels" in told["short"]
    assert "without _0002 (T2)" in told["short"]
    assert "grids differ" in told["shifted"]
    assert "cut_0001" in told["cut"]


def test_a_patient_never_enters_both_splits(tmp_path):
    nnunet(tmp_path / "in", [("Tr", "sub-1_ses-01", 1), ("Tr", "sub-1_ses-02", 2), ("Ts", "sub-1_ses-03", 3)])
    taken = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert [one.status for one in taken] == ["added", "added", "failed"]
    assert "sub-0001, who is in train already" in taken[2].error
    assert list(Dataset.open(tmp_path / "d").participants) == ["sub-0001"]


def test_cases_of_the_same_name_in_two_sources_are_two_patients(tmp_path):
    for seed, name in ((1, "Task1"), (2, "Task2")):
        nnunet(tmp_path / name, [("Tr", "case_1", seed)])
        ingest(tmp_path / name, tmp_path / "d", cohort="uterine")
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
    copy_dataset(original_in(folder), tmp_path / "back", None, write=True)
    files = sorted(path.relative_to(dataset.root) for path in dataset.root.rglob("*") if path.is_file())
    assert (
        sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*") if p.is_file())
        == files
    )
    for file in files:
        assert (tmp_path / "back" / file).read_bytes() == (dataset.root / file).read_bytes(), file
    with pytest.raises(UserError, match="holds something"):
        copy_dataset(original_in(folder), tmp_path / "back", None, write=True)


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
    taken = ingest(folder, tmp_path / "d", cohort="uterine")
    back = Dataset.open(tmp_path / "d")
    for one in taken:
        case = one.study.split("/")[1]
        (was,) = [known for known in dataset.cases() if str(known) == case]
        low_b, high_b, adc = PreparedStudy(dataset.load_study(was)).channels().swapaxes(0, 1)
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
    with pytest.raises(UserError, match="imagesTr holds no image"):
        find_nnunet(tmp_path, origin="in")
