"""What our commands write, our commands take: every mask that is written, by every reader of masks."""

import numpy as np
import pytest

from tests import tiny
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.evaluation.predictions import Predictions
from uteroseg.files import read_json
from uteroseg.imaging.nifti import write_image
from uteroseg.imaging.resample import on_same_voxels
from uteroseg.imaging.study import DwiStudy
from uteroseg.inference.batch import predict_all
from uteroseg.intake.ingest import ingest
from uteroseg.model.nnunet import export_nnunet
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.dicom_masks import list_masks

SCANS = ("scanner", "nifti")
"""How the one study of these tests lies on disk."""


def example():
    """A study in whole numbers, as scanners have them, and its tumour."""
    study, mask = tiny.study(1)
    return DwiStudy(np.rint(study.signal), study.b_values, study.geometry), mask


@pytest.fixture(scope="module")
def written(tiny_model, tmp_path_factory):
    """One study in every form, a dataset that holds it, and every mask of it that our commands write."""
    root = tmp_path_factory.mktemp("own")
    study, mask = example()
    write_dicom(study, root / "scanner/p1", patient_id="p1", seed=1, mask=mask)
    list_masks(root / "scanner")
    (root / "nifti/p1").mkdir(parents=True)
    write_image(root / "nifti/p1/dwi.nii.gz", study.signal, study.geometry)
    (root / "nifti/p1/dwi.bval").write_text(" ".join(f"{b:g}" for b in study.b_values))
    dataset = Dataset.open_or_create(root / "dataset")
    who = Participant("", "uterine", split="train", source="virtual", source_key="p1")
    dataset.add(NewCase(study, who, "s1", mask, {"reader": "simulation"}))
    export = export_nnunet(dataset, root / "export").folder
    predictions = {
        "DICOM": predict_all(root / "scanner", tiny_model, root / "from_dicom")[0],
        "NIfTI": predict_all(root / "nifti/p1/dwi.nii.gz", tiny_model, root / "from_nifti")[0],
        "dataset": predict_all(root / "dataset", tiny_model, root / "from_dataset")[0],
    }
    folders = {name: root / f"from_{name.lower()}" / one[0].case for name, one in predictions.items()}
    assert not [one for several in predictions.values() for one in several if one.error]
    return root, {
        "simulate --dicom, SEG": root / "scanner/p1/seg.dcm",
        "dataset": next((root / "dataset/derivatives/annotations").rglob("*_mask.nii.gz")),
        "export, label": next(export.glob("labelsTr/*")),
        "predict DICOM, NIfTI": folders["DICOM"] / "mask.nii.gz",
        "predict DICOM, SEG": folders["DICOM"] / "seg.dcm",
        "predict NIfTI": folders["NIfTI"] / "mask.nii.gz",
        "predict dataset": folders["dataset"] / "mask.nii.gz",
    }


MASKS = (
    "simulate --dicom, SEG",
    "dataset",
    "export, label",
    "predict DICOM, NIfTI",
    "predict DICOM, SEG",
    "predict NIfTI",
    "predict dataset",
)


@pytest.mark.parametrize("scans", SCANS)
@pytest.mark.parametrize("name", MASKS)
def test_ingest_takes_every_mask_that_a_table_names_and_says_which_model_drew_it(
    name, scans, written, tiny_model, tmp_path
):
    root, masks = written
    table = tmp_path / "masks.csv"
    table.write_text(f"study,mask\np1,{masks[name]}\n")
    (one,) = ingest(root / scans, tmp_path / "d", cohort="uterine", annotations=table)
    assert one.status == "added", one
    dataset = Dataset.open(tmp_path / "d")
    by_model = name.startswith("predict")
    assert bool(read_json(dataset.root / one.case.annotation("json")).get("drawn_by")) == by_model
    assert ("drawn by" in str(one)) == by_model
    if not by_model:
        np.testing.assert_array_equal(dataset.load_mask(one.case).data, example()[1].data)


def test_a_models_mask_that_only_lies_there_does_not_become_truth(written, tmp_path):
    root, masks = written
    unused = []
    (one,) = ingest(
        root / "scanner",
        tmp_path / "d",
        cohort="uterine",
        annotations=masks["predict DICOM, SEG"].parent,
        on_unused=unused.append,
    )
    assert (one.status, one.mask_ml) == ("added", None)
    assert "seg.dcm" in " ".join(error.found for error in unused)


@pytest.mark.parametrize("name", MASKS)
def test_evaluate_takes_every_mask(name, written, tmp_path):
    root, masks = written
    case = Dataset.open(root / "dataset").cases()[0]
    ending = ".dcm" if masks[name].suffix == ".dcm" else ".nii.gz"
    (tmp_path / f"{case}{ending}").write_bytes(masks[name].read_bytes())
    grid = tiny.GRID
    read = on_same_voxels(Predictions.find(tmp_path).mask(case, grid), grid)
    assert read.geometry.difference(grid) is None
    if not name.startswith("predict"):
        np.testing.assert_array_equal(read.data, example()[1].data)
