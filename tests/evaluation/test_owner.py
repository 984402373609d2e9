import itertools
import json

import numpy as np
import pydicom
import pytest

from tests import tiny
from tests.annotations.drawn import Ids
from tests.annotations.opened import read_seg
from tests.annotations.segs import write_seg as write_seg_of
from tests.dicom.build import Recipe, edit, write_series
from tests.dicom.test_seg import random_mask
from tests.evaluation.folders import near
from tests.grids import grid
from uteroseg.dataset.identity import key_file
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.evaluation.assess import assess, own_mask
from uteroseg.evaluation.owner import require_own
from uteroseg.evaluation.predictions import Predictions
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.nifti import write_mask
from uteroseg.intake.ingest import ingest


def test_a_mask_on_the_grid_of_another_case_is_another_patients(tmp_path):
    dataset = Dataset.open_or_create(tmp_path / "d")
    own = tiny.add(dataset, seed=1)
    moved = grid("sagittal", (6, 48, 48), (5.0, 4.0, 4.0), (30, -94, 94))
    other = tiny.add(dataset, seed=2, geometry=moved)
    file = tmp_path / "mask.nii.gz"
    require_own(dataset, own, near(dataset, own), file)
    with pytest.raises(UserError, match=f"mask.nii.gz lies on the grid of {other}, not of {own}"):
        require_own(dataset, own, near(dataset, other), file)


def test_a_grid_that_is_nobodys_is_left_to_the_measurement(tmp_path, tiny_cohorts):
    _, mask = tiny.study(geometry=grid("sagittal", (6, 48, 40), (5, 4, 4)))
    require_own(tiny_cohorts, tiny_cohorts.cases()[0], mask, tmp_path / "mask.nii.gz")


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
        require_own(dataset, second, other, file)
    edit(file, lambda ds: delattr(ds, "StudyInstanceUID"))
    require_own(dataset, second, other, file)
    sidecar = dataset.root / second.dwi("json")
    stated = json.loads(sidecar.read_text())
    edit(file, lambda ds: setattr(ds, "StudyInstanceUID", pydicom.uid.generate_uid()))
    sidecar.write_text(json.dumps({name: stated[name] for name in stated if name != "examination_key"}))
    require_own(dataset, second, other, file)
    sidecar.write_text(json.dumps(stated))
    key_file(dataset.root).unlink()
    require_own(dataset, second, other, file)


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
