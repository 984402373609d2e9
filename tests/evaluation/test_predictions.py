import gzip
import json

import numpy as np
import pytest

from tests.dicom.build import Recipe, write_series
from tests.dicom.test_seg import random_mask, study_in
from tests.evaluation.folders import write_values
from tests.grids import grid
from uteroseg.dataset.layout import CaseId
from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.seg import write_seg
from uteroseg.errors import UserError
from uteroseg.evaluation.predictions import Predictions

GRID = grid()
CASE = CaseId("sub-0001", "ses-01", "acq-2")


def labels(*values, dtype=np.uint8):
    """A map that is 0 but for a voxel of each value."""
    data = np.zeros(GRID.shape, dtype)
    data.flat[: len(values)] = values
    return data


def predictions(folder, values, *, label=None, case=CASE):
    write_values(folder / f"{case}.nii.gz", values, GRID)
    return Predictions.find(folder, label=label)


LAYOUTS = {
    "predict": f"{CASE}/mask.nii.gz",
    "nnU-Net": f"{CASE}.nii.gz",
    "uncompressed": f"{CASE}.nii",
    "flat BIDS name": f"{CASE}_label-tumour_mask.nii.gz",
    "BIDS derivative": f"sub-0001/ses-01/dwi/{CASE}_label-tumour_mask.nii.gz",
}


@pytest.mark.parametrize("path", LAYOUTS.values(), ids=LAYOUTS)
def test_masks_are_found_in_every_layout(path, tmp_path):
    for name in ("dataset.json", "plans.json", "predictions.csv", f"{CASE}.npz"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "logs").mkdir()
    write_values(tmp_path / path, labels(1, 1), GRID)
    found = Predictions.find(tmp_path)
    assert found.files == {str(CASE): [tmp_path / path]}
    mask = found.mask(CASE, GRID)
    assert mask.data.sum() == 2
    assert mask.geometry.difference(GRID) is None


def test_the_nifti_stands_for_the_segmentation_that_predict_wrote_beside_it(tmp_path):
    write_values(tmp_path / str(CASE) / "mask.nii.gz", labels(1), GRID)
    (tmp_path / str(CASE) / "seg.dcm").touch()
    assert Predictions.find(tmp_path).file(CASE).name == "mask.nii.gz"
    (tmp_path / str(CASE) / "mask.nii.gz").unlink()
    assert Predictions.find(tmp_path).file(CASE).name == "seg.dcm"


def test_a_dicom_segmentation_is_read_by_its_segment(tmp_path):
    write_series(tmp_path / "dwi", Recipe())
    found, study = study_in(tmp_path / "dwi")
    mask = random_mask(study.geometry)
    (tmp_path / "p").mkdir()
    write_seg(
        tmp_path / "p" / f"{CASE}.dcm",
        mask,
        source_images(found.dwi),
        algorithm_name="a",
        algorithm_version="1",
    )
    for label in (None, 1):
        read = Predictions.find(tmp_path / "p", label=label).mask(CASE, GRID)
        np.testing.assert_array_equal(read.data, mask.data)
    with pytest.raises(UserError, match="no region of number 3"):
        Predictions.find(tmp_path / "p", label=3).mask(CASE, GRID)


def test_a_folder_without_masks_is_refused(tmp_path):
    (tmp_path / "sub-0001").mkdir()
    for folder in (tmp_path, tmp_path / "gone", tmp_path / "sub-0001"):
        with pytest.raises(UserError, match="holds no masks"):
            Predictions.find(folder)


def test_no_prediction_and_two_are_refused(tmp_path):
    found = predictions(tmp_path, labels(1))
    with pytest.raises(UserError, match="has no prediction for sub-0002"):
        found.mask(CaseId("sub-0002"), GRID)
    write_values(tmp_path / f"{CASE}.nii", labels(1), GRID)
    with pytest.raises(UserError, match=rf"several predictions for {CASE}: .*\.nii, .*\.nii\.gz"):
        Predictions.find(tmp_path).mask(CASE, GRID)


@pytest.mark.parametrize(
    ("values", "listed"),
    [
        (labels(1, 2), "the values 2."),
        (labels(255), "the values 255."),
        (labels(0.25, 1, dtype=np.float32), "the values 0.25."),
        (labels(*range(10)), "the values 2, 3, 4, 5, 6 …."),
        (labels(np.nan, 1, dtype=np.float32), "the values nan."),
    ],
    ids=["labels", "255", "probabilities", "many", "not a number"],
)
def test_other_values_than_0_and_1_are_refused_without_a_label(values, listed, tmp_path):
    with pytest.raises(UserError, match="with `label`") as error:
        predictions(tmp_path, values).mask(CASE, GRID)
    assert listed in error.value.found


def test_a_mask_can_be_empty_or_full(tmp_path):
    assert not predictions(tmp_path, labels()).mask(CASE, GRID).data.any()
    assert predictions(tmp_path, labels() + 1).mask(CASE, GRID).data.all()


def test_the_label_is_chosen(tmp_path):
    assert predictions(tmp_path, labels(1, 2, 2, 3), label=2).mask(CASE, GRID).data.sum() == 2


def test_a_label_that_a_mask_lacks_is_a_missed_tumour_and_one_that_all_lack_a_mistake(tmp_path):
    (tmp_path / "sub-0000.nii.gz").write_text("broken")
    predictions(tmp_path, labels(1, 3))
    predictions(tmp_path, labels(1, 2), case="sub-0003")
    found = Predictions.find(tmp_path, label=2)
    assert not found.mask(CASE, GRID).data.any()
    with pytest.raises(UserError, match=r"holds the values 1, 3; no mask of the folder holds 4"):
        Predictions.find(tmp_path, label=4).mask(CASE, GRID)
    predictions(tmp_path, labels(), case="sub-0004")
    assert not Predictions.find(tmp_path, label=4).mask(CaseId("sub-0004"), GRID).data.any()


@pytest.mark.parametrize("value", [0.4, np.nan, np.inf])
def test_a_probability_map_is_refused_with_a_label_too(value, tmp_path):
    with pytest.raises(UserError, match="is not a mask"):
        predictions(tmp_path, labels(value, 1, dtype=np.float32), label=1).mask(CASE, GRID)


def test_an_image_of_four_dimensions_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a mask"):
        predictions(tmp_path, np.stack([labels(1)] * 2)).mask(CASE, GRID)


@pytest.mark.parametrize("label", [None, 1])
def test_broken_files_are_refused_by_name(label, tmp_path):
    whole = write_values(tmp_path / f"{CASE}.nii.gz", labels(1), GRID)
    header = bytearray(gzip.decompress(whole.read_bytes()))
    header[108:112] = np.float32(16).tobytes()  # where the voxels begin
    singular = bytearray(gzip.decompress(whole.read_bytes()))
    singular[280:328] = bytes(48)  # the affine
    for broken in (b"", b"text", whole.read_bytes()[:60], gzip.compress(header), gzip.compress(singular)):
        whole.write_bytes(broken)
        with pytest.raises(UserError, match=rf"{CASE}.nii.gz cannot be read"):
            Predictions.find(tmp_path, label=label).mask(CASE, GRID)
    whole.unlink()
    for broken in (b"", b"text", bytes(128) + b"DICM", bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0"):
        (tmp_path / f"{CASE}.dcm").write_bytes(broken)
        with pytest.raises(UserError, match=rf"{CASE}\.dcm"):
            Predictions.find(tmp_path, label=label).mask(CASE, GRID)


def test_the_expected_dsc_is_read_beside_the_mask_of_a_case(tmp_path):
    write_values(tmp_path / str(CASE) / "mask.nii.gz", labels(1), GRID)
    found, result = Predictions.find(tmp_path), tmp_path / str(CASE) / "result.json"
    assert found.expected_dsc(CASE) is None
    for stated, read in ((0.75, 0.75), (None, None)):
        result.write_text(json.dumps({"expected_dsc": stated}))
        assert found.expected_dsc(CASE) == read
    result.write_text("{}")
    assert found.expected_dsc(CASE) is None
    for broken in ('{"expected_dsc": NaN}', '{"expected_dsc": 1.5}', '{"expected_dsc": "x"}', "[]", "{"):
        result.write_text(broken)
        with pytest.raises(UserError, match=r"result\.json cannot be read"):
            found.expected_dsc(CASE)


def test_a_result_that_lies_beside_all_masks_is_of_none(tmp_path):
    (tmp_path / "result.json").write_text('{"expected_dsc": 0.5}')
    assert predictions(tmp_path, labels(1)).expected_dsc(CASE) is None
