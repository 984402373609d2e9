import itertools
import json
import shutil
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pydicom
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from tests import tiny
from tests.annotations.drawn import Ids
from tests.annotations.opened import read_seg
from tests.annotations.segs import write_seg as write_seg_of
from tests.dicom.build import Recipe, edit, write_series
from tests.dicom.test_seg import random_mask
from tests.evaluation.folders import empty, near, write_flat, write_values
from tests.evaluation.test_summary import strict
from tests.grids import grid
from uteroseg.dataset.identity import key_file
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.evaluation.assess import PARTLY_VIRTUAL, VIRTUAL, assess, own_mask, require_same_patient
from uteroseg.evaluation.predictions import Predictions
from uteroseg.evaluation.summary import AGREEMENT
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import write_mask
from uteroseg.intake.ingest import ingest


@pytest.fixture(scope="module")
def flat(tiny_cohorts, tmp_path_factory):
    """An nnU-Net style folder, and what an evaluation of it gives."""
    folder = write_flat(tmp_path_factory.mktemp("flat"), tiny_cohorts, tiny_cohorts.cases())
    return folder, assess(tiny_cohorts, Predictions.find(folder), split="all")


def relabelled(flat, target, value):
    """The same masks with the tumour as another value, beside an organ of value 1."""
    masks = Predictions.find(flat)
    for name in masks.files:
        mask = masks.mask(CaseId.parse(name), grid())
        values = np.where(mask.data, value, 0).astype(np.uint8)
        values[0, 0, 0] = 1
        write_values(target / f"{name}.nii.gz", values, mask.geometry)
    return target


LAYOUTS = {
    "predict": "{case}/mask.nii.gz",
    "nnU-Net": "{case}.nii.gz",
    "BIDS": "sub-{number}/dwi/{case}_label-tumour_mask.nii.gz",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_same_masks_in_every_layout_give_the_same_numbers(layout, flat, tiny_cohorts, tmp_path):
    folder = tmp_path / "derivatives" / "predictions" / "model"
    for file in flat[0].iterdir():
        case = file.name.removesuffix(".nii.gz")
        target = folder / layout.format(case=case, number=case.removeprefix("sub-"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for name in ("dataset.json", "plans.json"):
        (folder / name).write_text("{}")
    assert assess(tiny_cohorts, Predictions.find(folder), split="all") == flat[1]


def test_the_same_masks_as_one_label_of_several_give_the_same_numbers(flat, tiny_cohorts, tmp_path):
    folder = relabelled(flat[0], tmp_path, 3)
    assert assess(tiny_cohorts, Predictions.find(folder, label=3), split="all") == flat[1]
    wrong = assess(tiny_cohorts, Predictions.find(folder, label=2), split="all")
    assert wrong.rows == []
    assert len(wrong.problems) == 10


def test_every_case_is_measured_with_adc_and_is_called_virtual(flat):
    assessed = flat[1]
    assert assessed.problems == assessed.summary["problems"] == []
    assert len(assessed.rows) == 10
    assert Counter(row["cohort"] for row in assessed.rows) == {"cervical": 5, "uterine": 5}
    assert all(0 < row["dsc"] <= 1 and row["predicted_adc_mean"] > 0 for row in assessed.rows)
    assert {row["expected_dsc"] for row in assessed.rows} == {None}
    assert assessed.summary["patients"] == VIRTUAL
    assert assessed.summary["readers"] == {}
    pooled = assessed.summary["groups"]["pooled"]["dsc"]
    assert pooled["mean"] == pytest.approx(np.mean([row["dsc"] for row in assessed.rows]))
    strict(assessed.summary)


@pytest.mark.parametrize("measure", ["volume_ml", "diameter_mm", "adc_p90"])
def test_agreement_is_that_of_pingouin_and_statsmodels(flat, measure):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin

    table = pd.DataFrame(flat[1].rows)
    found = flat[1].summary["agreement"]["pooled"][measure]
    long = table.melt("participant", [f"predicted_{measure}", measure])
    icc = pingouin.intraclass_corr(long, targets="participant", raters="variable", ratings="value")
    expected = icc[icc["Type"].isin(["ICC2", "ICC(A,1)"])].iloc[0]
    assert found["icc_a1"]["value"] == pytest.approx(expected["ICC"], abs=1e-9)
    assert found["icc_a1"]["value"] < 0.9999
    differences = DescrStatsW(table[f"predicted_{measure}"] - table[measure])
    shown = found["bland_altman"]
    assert shown["bias"] == pytest.approx(differences.mean)
    assert (shown["bias_low"], shown["bias_high"]) == pytest.approx(differences.tconfint_mean())
    sd = np.std(table[f"predicted_{measure}"] - table[measure], ddof=1)
    assert shown["upper"] == pytest.approx(differences.mean + 1.959964 * sd, rel=1e-6)
    assert (found["patients"], found["patients_left_out"]) == (10, 0)


def test_progress_and_split_and_tolerance_are_as_asked_for(tiny_cohorts, flat):
    told = []
    assessed = assess(
        tiny_cohorts, Predictions.find(flat[0]), tolerance_mm=0.5, on_case=lambda *done: told.append(done)
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(assessed.rows) == 4
    assert assessed.problems == [], "masks of the training cases are nobody's fault"
    assert "nsd_0.5mm" in assessed.rows[0]
    for tolerance in (float("nan"), float("inf"), -1):
        with pytest.raises(UserError, match="no distance"):
            assess(tiny_cohorts, Predictions.find(flat[0]), tolerance_mm=tolerance)


def test_everything_bad_is_listed_and_only_the_good_is_measured(tiny_cohorts, tmp_path):
    cases = tiny_cohorts.cases()
    good, _, twice, elsewhere, values, probabilities, nifti, seg, expected, last = cases
    write_flat(tmp_path, tiny_cohorts, [good, twice, last])
    write_mask(tmp_path / f"{twice}_label-tumour_mask.nii.gz", near(tiny_cohorts, twice))
    _, other = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    write_mask(tmp_path / f"{elsewhere}.nii.gz", other)
    truth = tiny_cohorts.load_mask(values)
    write_values(tmp_path / f"{values}.nii.gz", truth.data.astype(np.uint8) * 2, truth.geometry)
    write_values(tmp_path / f"{probabilities}.nii.gz", truth.data * np.float32(0.7), truth.geometry)
    (tmp_path / f"{nifti}.nii.gz").write_bytes((tmp_path / f"{good}.nii.gz").read_bytes()[:90])
    (tmp_path / f"{seg}.dcm").write_bytes(bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0")
    (tmp_path / str(expected)).mkdir()
    write_mask(tmp_path / str(expected) / "mask.nii.gz", near(tiny_cohorts, expected))
    (tmp_path / str(expected) / "result.json").write_text("{")
    write_mask(tmp_path / "stranger.nii.gz", truth)
    assessed = assess(tiny_cohorts, Predictions.find(tmp_path), split="all")
    assert [row["case"] for row in assessed.rows] == [str(good), str(last)]
    assert assessed.summary["groups"]["pooled"]["cases"] == 2
    assert assessed.summary["problems"] == assessed.problems
    told = (
        f"{cases[1]}: {tmp_path} has no prediction for {cases[1]}.",
        f"{twice}: {tmp_path} has several predictions",
        f"{elsewhere}: Truth and prediction: the grids differ",
        f"{values}: {tmp_path / f'{values}.nii.gz'} holds the values 2.",
        f"{probabilities}: {tmp_path / f'{probabilities}.nii.gz'} holds the values 0.7.",
        f"{nifti}: {tmp_path / f'{nifti}.nii.gz'} cannot be read",
        f"{seg}: {tmp_path / f'{seg}.dcm'}",
        f"{expected}: {tmp_path / str(expected) / 'result.json'} cannot be read",
        f"{tmp_path / 'stranger.nii.gz'}: the dataset has no case 'stranger'.",
    )
    assert len(assessed.problems) == len(told)
    for problem, start in zip(assessed.problems, told, strict=True):
        assert problem.startswith(start)


def test_nothing_that_can_be_measured_is_no_crash(tiny_cohorts, tmp_path):
    write_mask(tmp_path / "stranger.nii.gz", tiny_cohorts.load_mask(tiny_cohorts.cases()[0]))
    assessed = assess(tiny_cohorts, Predictions.find(tmp_path))
    assert assessed.rows == []
    assert len(assessed.problems) == 5
    assert strict(assessed.summary)["groups"]["pooled"]["patients"] == 0


@pytest.fixture
def small(tmp_path):
    """A dataset of four patients, of whom the last has no tumour."""
    dataset = Dataset.open_or_create(tmp_path / "d")
    for seed in range(4):
        tiny.add(dataset, seed=seed, split="test")
    last = dataset.cases()[-1]
    write_mask(dataset.root / last.annotation("nii.gz"), empty(dataset.load_mask(last)))
    return dataset


def test_a_second_reader_is_measured_like_a_model(small, tmp_path):
    read, broken = small.cases()[:3], small.cases()[3]
    for case in read:
        write_mask(small.root / case.readers_annotation("R2"), near(small, case, seed=2))
    (small.root / broken.readers_annotation("R2")).write_text("broken")
    write_flat(tmp_path / "p", small, small.cases(), lambda dataset, case: dataset.load_mask(case))
    write_flat(tmp_path / "reader", small, read, lambda dataset, case: near(dataset, case, seed=2))
    assessed = assess(small, Predictions.find(tmp_path / "p"))
    as_model = assess(small, Predictions.find(tmp_path / "reader")).summary
    reader = assessed.summary["readers"]["R2"]
    assert reader == {"groups": as_model["groups"], "agreement": as_model["agreement"]}
    assert reader["groups"]["pooled"]["patients"] == 3
    assert 0 < reader["groups"]["pooled"]["dsc"]["mean"] < 1
    assert list(reader["agreement"]["pooled"]) == list(AGREEMENT)
    assert assessed.summary["groups"]["pooled"]["dsc"]["mean"] == 1
    (problem,) = assessed.problems
    assert problem.startswith(f"reader R2, {broken}: ")
    assert "cannot be read" in problem


def test_a_patient_without_a_tumour_is_judged_by_what_was_predicted(small, tmp_path):
    *_, free = small.cases()
    found = {}
    for name, mask_of in (("right", Dataset.load_mask), ("wrong", lambda d, c: d.load_mask(d.cases()[0]))):
        folder = write_flat(tmp_path / name, small, small.cases(), mask_of)
        found[name] = assess(small, Predictions.find(folder))
    right, wrong = (found[name].rows[-1] for name in ("right", "wrong"))
    assert right["case"] == str(free)
    assert (right["dsc"], right["hd95_mm"], right["volume_error_percent"]) == (1, 0, None)
    assert (wrong["dsc"], wrong["volume_error_percent"], wrong["false_positive_components"]) == (0, None, 1)
    for name, rate in (("right", 0), ("wrong", 1)):
        pooled = found[name].summary["groups"]["pooled"]
        assert pooled["tumour_free"] == {"patients": 1, "false_positive_rate": rate}
        assert pooled["volume_error_percent"]["patients"] == 3
        left_out = found[name].summary["agreement"]["pooled"]["adc_mean"]["patients_left_out"]
        assert left_out == 1


def test_patients_who_are_partly_virtual_are_told(small, tmp_path):
    table = small.root / "participants.tsv"
    table.write_text(table.read_text().replace("virtual", "dicom", 2))
    folder = write_flat(tmp_path / "p", small, small.cases())
    assessed = assess(Dataset.open(small.root), Predictions.find(folder))
    assert assessed.summary["patients"] == PARTLY_VIRTUAL


def test_cases_without_a_mask_are_counted_and_none_with_one_is_an_error(tiny_cohorts, tmp_path):
    dataset = Dataset.open(shutil.copytree(tiny_cohorts.root, tmp_path / "d"))
    first, *others = dataset.cases(split="test")
    write_flat(tmp_path / "flat", dataset, dataset.cases())
    masks = Predictions.find(tmp_path / "flat")
    (dataset.root / first.annotation("nii.gz")).unlink()
    found = assess(dataset, masks)
    assert [row["case"] for row in found.rows] == [str(case) for case in others]
    assert (found.summary["cases"], found.summary["annotated"], found.problems) == (4, 3, [])
    for case in others:
        (dataset.root / case.annotation("nii.gz")).unlink()
    with pytest.raises(UserError, match="0 of 4 test cases are annotated"):
        assess(dataset, masks)


def test_a_mask_on_the_grid_of_another_case_is_another_patients(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    own = tiny.add(dataset, seed=1)
    moved = grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0), (30, -94, 94))
    other = tiny.add(dataset, seed=2, geometry=moved)
    file = tmp_path / "mask.nii.gz"
    require_same_patient(dataset, own, near(dataset, own), file)
    with pytest.raises(UserError, match=f"mask.nii.gz lies on the grid of {other}, not of {own}"):
        require_same_patient(dataset, own, near(dataset, other), file)


def test_a_grid_that_is_nobodys_is_left_to_the_measurement(tmp_path, tiny_cohorts):
    _, mask = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    require_same_patient(tiny_cohorts, tiny_cohorts.cases()[0], mask, tmp_path / "mask.nii.gz")


@pytest.fixture
def scanned(tmp_path):
    """Two patients on one grid, from DICOM, annotated; and a segmentation of each, by case."""
    for name in ("A", "B"):

        def of_patient(ds, name=name):
            ds.PatientID, ds.PixelData = name, (ds.pixel_array + ord(name)).tobytes()

        write_series(tmp_path / "in" / name, Recipe(adjust=of_patient))
    outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    dataset = Dataset.open(tmp_path / "d")
    (tmp_path / "p").mkdir()
    studies = find_studies(scan_folder(tmp_path / "in"))
    for seed, (outcome, found) in enumerate(zip(outcomes, studies, strict=True)):
        mask = random_mask(dataset.load_study(outcome.case).geometry, seed)
        dataset.add_mask(outcome.case, mask, {})
        file = tmp_path / "p" / f"{outcome.case}.dcm"
        write_seg(file, mask, source_images(found.dwi), algorithm_name="a", algorithm_version="1")
    assert len(studies) == len(dataset.cases()) == 2
    return dataset, tmp_path / "p"


def test_segmentations_of_the_right_examination_are_measured(scanned):
    dataset, folder = scanned
    assessed = assess(dataset, Predictions.find(folder), split="all")
    assert assessed.problems == []
    assert [row["dsc"] for row in assessed.rows] == [1, 1]
    assert "patients" not in assessed.summary, "these patients are not virtual"


def test_a_segmentation_of_another_examination_on_the_same_grid_is_recognised(scanned):
    dataset, folder = scanned
    first, second = (folder / f"{case}.dcm" for case in dataset.cases())
    second.write_bytes(first.read_bytes())
    assessed = assess(dataset, Predictions.find(folder), split="all")
    assert [row["case"] for row in assessed.rows] == [first.stem]
    (problem,) = assessed.problems
    assert f"{second} is a segmentation of another examination, not of {second.stem}" in problem


def test_without_the_key_or_a_stated_examination_nothing_can_be_told(scanned):
    dataset, folder = scanned
    first, second = dataset.cases()
    file = folder / f"{first}.dcm"
    other = read_seg(folder / f"{second}.dcm")
    with pytest.raises(UserError, match="another examination"):
        require_same_patient(dataset, second, other, file)
    edit(file, lambda ds: delattr(ds, "StudyInstanceUID"))
    require_same_patient(dataset, second, other, file)
    sidecar = dataset.root / second.dwi("json")
    stated = json.loads(sidecar.read_text())
    edit(file, lambda ds: setattr(ds, "StudyInstanceUID", pydicom.uid.generate_uid()))
    sidecar.write_text(json.dumps({name: stated[name] for name in stated if name != "examination_key"}))
    require_same_patient(dataset, second, other, file)
    sidecar.write_text(json.dumps(stated))
    key_file(dataset.root).unlink()
    require_same_patient(dataset, second, other, file)


def test_the_same_masks_as_segmentation_and_as_nifti_give_the_same_numbers(scanned, tmp_path):
    dataset, folder = scanned
    first, second = dataset.cases()
    (folder / f"{second}.dcm").unlink()
    write_mask(folder / f"{second}.nii.gz", dataset.load_mask(first))
    (tmp_path / "n").mkdir()
    for case in (first, second):
        write_mask(tmp_path / "n" / f"{case}.nii.gz", dataset.load_mask(first))
    rows, expected = (
        assess(dataset, Predictions.find(path), split="all").rows for path in (folder, tmp_path / "n")
    )
    for row, other in zip(rows, expected, strict=True):
        assert row == {
            name: pytest.approx(value, rel=1e-6, abs=1e-6) if isinstance(value, float) else value
            for name, value in other.items()
        }
    assert 0 < rows[1]["dsc"] < 1


TURNS = {
    "as it is": ((0, 1, 2), (1, 1, 1)),
    "flipped": ((0, 1, 2), (-1, 1, -1)),
    "turned": ((0, 2, 1), (1, -1, 1)),
}


def turned(data, grid, turn):
    """The same voxels in another order."""
    axes, signs = TURNS[turn]
    affine, shape = grid.affine[:, [*axes, 3]].copy(), tuple(grid.shape[axis] for axis in axes)
    data = data.transpose(axes)
    for axis in np.flatnonzero(np.array(signs) < 0):
        affine[:, 3] += affine[:, axis] * (shape[axis] - 1)
        affine[:, axis] *= -1
        data = np.flip(data, axis)
    return data, Geometry(shape, affine)


def test_a_segmentation_that_leaves_out_slices_is_measured_on_its_study(scanned):
    """As predict writes it; of an empty one, or of a missed tumour, no frame need be there."""
    dataset, folder = scanned
    case = dataset.cases()[0]
    grid, path = dataset.load_study(case).geometry, folder / f"{case}.dcm"
    ids = Ids(study=pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)
    data = np.zeros(grid.shape, bool)
    data[[1, 3], 4:9, 2:7] = True
    for turn, first in itertools.product(TURNS, (0, 1)):
        written, geometry = turned(data, grid, turn)
        segments = [("organ", np.ones(geometry.shape, bool)), ("tumour", written)][first:]
        number = len(segments)
        frames = [(number, s) for s in np.flatnonzero(written.any(axis=(1, 2)))]
        missed = [(name, np.zeros(geometry.shape, bool)) for name, _ in segments]
        for drawn, there in ((segments, frames), (missed, [(number, 0)]), (missed, [(1, 0)])):
            write_seg_of(path, drawn, geometry, frames=there, ids=ids)
            mask = own_mask(dataset, Predictions.find(folder, label=None if first else 2), case)
            np.testing.assert_array_equal(mask.data, data if drawn is segments else False)
            assert mask.geometry.difference(grid) is None


def test_a_segmentation_on_another_grid_is_still_refused(scanned):
    dataset, folder = scanned
    first, _ = dataset.cases()
    grid = dataset.load_study(first).geometry
    study_uid = pydicom.dcmread(folder / f"{first}.dcm", stop_before_pixels=True).StudyInstanceUID
    affine = grid.affine.copy()
    affine[:3, 3] += 0.4 * affine[:3, 1]
    for geometry in (Geometry(grid.shape, affine), Geometry(tuple(2 * n for n in grid.shape), grid.affine)):
        data = np.ones(geometry.shape, bool)
        write_seg_of(folder / f"{first}.dcm", [("t", data)], geometry, ids=Ids(study=study_uid))
        assessed = assess(dataset, Predictions.find(folder), split="all")
        assert "grids differ" in assessed.problems[0]
