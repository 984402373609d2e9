"""What becomes of studies that come in, whatever their files: said, checked, and the same in a dry run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests import tiny
from tests.annotations.drawn import (
    CYAN,
    DWI_GRID,
    T2_GRID,
    Ids,
    ball,
    contours_of,
    write_examination,
    write_rtstruct,
)
from tests.dicom.build import Recipe, write_series
from tests.intake.layouts import decathlon, nifti, nnunet
from uteroseg.dataset.check.run import check_dataset
from uteroseg.dataset.identity import Pseudonyms
from uteroseg.dataset.participants import Participant
from uteroseg.dataset.store import Dataset, NewCase
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError
from uteroseg.evaluation.assess import assess
from uteroseg.evaluation.predictions import Predictions
from uteroseg.imaging.nifti import read_image, write_mask
from uteroseg.imaging.study import Mask
from uteroseg.inference.batch import predict_all
from uteroseg.intake.ingest import ingest
from uteroseg.intake.source import open_source

OUTLINES = contours_of(ball(T2_GRID), T2_GRID)


def everything(folder):
    """Names and bytes of all files below a folder and beside it."""
    return {str(path): path.read_bytes() for path in sorted(folder.parent.rglob("*")) if path.is_file()}


def a_table(folder, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "masks.csv"
    path.write_text("\n".join(["study,mask,label", *lines]))
    return path


def examination(folder, ids=None, **options):
    """DWI and T2 of one patient as scanner files, and a structure set drawn on the T2."""
    ids = ids or Ids()
    series, instances = write_examination(folder, ids, **options)["T2"]
    write_rtstruct(folder / "rt.dcm", [("GTV", CYAN, OUTLINES)], ids, series=series, instances=instances)
    return folder


def of_dicom(folder):
    examination(folder / "in/first")
    return {"annotations": folder / "in"}


def of_dicom_half_of_which_fails(folder):
    """Beside a whole examination one of b 0 alone."""
    examination(folder / "in/first")
    write_series(folder / "in/second", Recipe(b_values=(0,)))
    return {"annotations": folder / "in"}


def of_nifti(folder):
    nifti(folder / "in", "p1/dwi", seed=1)
    _, mask = nifti(folder / "in", "p2/dwi", seed=2)
    nifti(folder / "in", "bad/dwi", seed=3, b_values=(800.0,))
    write_mask(folder / "m.nii.gz", mask)
    return {"annotations": a_table(folder, "p2,m.nii.gz,")}


def of_nnunet(folder):
    nnunet(folder / "in", [("Tr", "a", 1), ("Tr", "b", 2), ("Ts", "c", 3)])
    return {}


def of_decathlon(folder):
    decathlon(folder / "in", [("Tr", "a", 1), ("Ts", "c", 3)])
    return {}


SOURCES = (of_dicom, of_dicom_half_of_which_fails, of_nifti, of_nnunet, of_decathlon)


@pytest.mark.parametrize("make", SOURCES)
def test_a_dry_run_is_the_run_without_writing(make, tmp_path):
    how = make(tmp_path)
    before = everything(tmp_path / "d")
    dry = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=False, **how)
    assert everything(tmp_path / "d") == before
    real = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", **how)
    assert list(map(str, dry)) == list(map(str, real))
    assert "added" in {one.status for one in real}
    after = everything(tmp_path / "d")
    dry = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=False, **how)
    assert everything(tmp_path / "d") == after
    real = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", **how)
    assert list(map(str, dry)) == list(map(str, real))
    assert {one.status for one in real} <= {"present", "failed"}


def test_a_dry_run_fails_where_the_run_does(tmp_path):
    examination(tmp_path / "in/first")
    examination(tmp_path / "in/second", Ids(patient="P2", study="1.2.3.2", frame="1.2.3.8"))
    swapped = a_table(tmp_path, "first,in/second/rt.dcm,", "second,in/first/rt.dcm,")
    for write in (False, True):
        outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=swapped, write=write)
        assert [one.status for one in outcomes] == ["failed", "failed"]
        assert all("another patient" in one.error for one in outcomes)
        assert not (tmp_path / "d").exists()


def test_a_dry_run_uses_the_annotation_that_the_run_uses(tmp_path):
    examination(tmp_path / "in")
    (tmp_path / "in/spare").mkdir()
    with open_source(tmp_path / "in", annotations=tmp_path / "in/rt.dcm") as opened:
        (study,) = opened.studies
    used = {use.series.kind.value: (use.used, use.reason) for use in study.uses}
    assert used["rtstruct"] == (True, "annotation of the tumour")
    assert used["dwi"][0]
    assert not used["t2"][0]


def test_a_dataset_that_holds_parts_of_a_study_as_cases_is_told_so(tmp_path):
    """As earlier versions took an acquisition whose slices have a series each."""
    write_series(tmp_path / "in", Recipe(series_of=lambda b, s: s))
    part = scan_folder(tmp_path / "in").series[3].series_uid
    dataset = Dataset.open_or_create(tmp_path / "d")
    pseudonyms = Pseudonyms.for_dataset(tmp_path / "d", is_new=True)
    who = Participant("", "uterine", source="dicom", source_key=pseudonyms.of("somebody"))
    dataset.add(NewCase(tiny.study(1)[0], who, pseudonyms.of(part)))
    for write in (False, True):
        (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=write)
        assert one.status == "failed"
        assert "the dataset holds 1 parts as cases of their own: sub-0001" in one.error
    assert len(Dataset.open(tmp_path / "d").cases()) == 1


def test_a_header_that_gives_two_places_is_refused_unless_one_is_chosen(tmp_path):
    import nibabel as nib

    study, _ = nifti(tmp_path / "in", "p1/dwi", seed=1)
    path = tmp_path / "in/p1/dwi.nii.gz"
    image = nib.load(path)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    moved = image.affine.copy()
    moved[:3, 3] += (0, 0, 20)
    image.set_qform(image.affine, code=1)
    image.set_sform(moved, code=1)
    nib.save(image, path)
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert (one.status, "up to 20.0 mm apart" in one.error) == ("failed", True)
    for form, z in (("qform", 0), ("sform", 20)):
        root = tmp_path / form
        (one,) = ingest(tmp_path / "in", root, cohort="uterine", options=ReadOptions(nifti_form=form))
        affine = Dataset.open(root).load_study(one.case).geometry.affine
        np.testing.assert_allclose(affine[:3, 3], study.geometry.affine[:3, 3] + (0, 0, z), atol=1e-3)
        assert not [finding for finding in check_dataset(root, workers=1).findings if finding.check == "grid"]


@pytest.mark.parametrize("write", [False, True])
def test_a_mask_that_differs_is_never_dropped_in_silence(write, tmp_path):
    _, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    write_mask(tmp_path / "m.nii.gz", mask)
    table = a_table(tmp_path, "p1,m.nii.gz,")
    (first,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    moved = Mask(np.roll(mask.data, 2, axis=1), mask.geometry)
    write_mask(tmp_path / "m.nii.gz", moved)
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table, write=write)
    assert (one.status, "replace_masks" in one.error) == ("differs", True)
    dataset = Dataset.open(tmp_path / "d")
    np.testing.assert_array_equal(dataset.load_mask(first.case).data, mask.data)
    (one,) = ingest(
        tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table, write=write, replace_masks=True
    )
    assert one.status == "mask replaced"
    now = dataset.load_mask(first.case).data
    np.testing.assert_array_equal(now, moved.data if write else mask.data)
    history = list((dataset.root / "sourcedata").rglob("*.nii.gz"))
    assert len(history) == write
    if write:
        np.testing.assert_array_equal(read_image(history[0])[0] != 0, mask.data)


def test_what_lies_outside_is_said_for_every_source_and_most_of_it_is_refused(tmp_path):
    study, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    geometry = study.geometry
    for shift, status in ((0, "added"), (1, "added"), (4, "failed")):
        affine = geometry.affine.copy()
        affine[:3, 3] = geometry.to_patient((shift, 0, 0))
        write_mask(tmp_path / "m.nii.gz", Mask(mask.data, type(geometry)(geometry.shape, affine)))
        table = a_table(tmp_path, "p1,m.nii.gz,")
        (one,) = ingest(tmp_path / "in", tmp_path / f"d{shift}", cohort="uterine", annotations=table)
        assert one.status == status, one
        assert (" outside the " in str(one)) == (shift > 0)


def test_an_empty_mask_is_a_statement_that_the_table_makes(tmp_path):
    study, _ = nifti(tmp_path / "in", "p1/dwi", seed=1)
    nifti(tmp_path / "in", "p2/dwi", seed=2)
    write_mask(tmp_path / "zeros.nii.gz", Mask(np.zeros(study.geometry.shape, bool), study.geometry))
    table = a_table(tmp_path, "p1,zeros.nii.gz,", "p2,none,")
    refused, taken = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert (refused.status, taken.status, taken.mask_ml) == ("failed", "added", 0)
    assert "none" in refused.error
    table = a_table(tmp_path, "p1,zeros.nii.gz,none")
    taken, there = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert (taken.status, there.status, taken.mask_ml) == ("added", "present", 0)
    assert not Dataset.open(tmp_path / "d").load_mask(taken.case).data.any()
    assert "an empty mask; the table says that there is no tumour" in str(taken)
    told = {finding.check for finding in check_dataset(tmp_path / "d", workers=1).findings}
    assert "mask-empty" not in told


def test_what_a_table_says_of_the_patient_is_kept_unless_it_tells_who(tmp_path):
    _, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    write_mask(tmp_path / "m.nii.gz", mask)
    path = tmp_path / "t.csv"
    path.write_bytes(
        "Mask;Study;Reader;Histology;FIGO stage;Patient name;Hausarzt;Remarks;Grade\r\n"
        "m.nii.gz;p1;Dr A;Karzinom gro\xdf;IB2;Doe^Jane;Huber;call Mrs Doe;2 (Doe)\r\n".encode("latin-1")
    )
    notes = []
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=path, on_note=notes.append)
    assert one.status == "added"
    dataset = Dataset.open(tmp_path / "d")
    person = dataset.participant(one.case)
    assert (person.histology, dict(person.others)) == ("Karzinom groß", {"figo_stage": "IB2"})
    assert "figo_stage" in json.loads((dataset.root / "participants.json").read_text())
    assert notes[0].startswith("Of the table, histology, figo_stage, reader is kept")
    left_out = [note.split("column '")[1].split("'")[0] for note in notes[1:]]
    assert left_out == ["Patient name", "Hausarzt", "Remarks", "Grade"]
    for name in (b"Doe", b"Huber"):
        assert not [p for p in dataset.root.rglob("*") if p.is_file() and name in p.read_bytes()]
    assert json.loads((dataset.root / one.case.annotation("json")).read_text())["reader"] == "Dr A"


@pytest.mark.parametrize("write", [True, False])
def test_two_masks_for_one_study_do_not_take_turns(write, tmp_path):
    study, mask = nifti(tmp_path / "in", "p1/a/dwi", seed=1)
    shutil.copytree(tmp_path / "in/p1/a", tmp_path / "in/p1/again")
    write_mask(tmp_path / "a.nii.gz", mask)
    smaller = mask.data & (np.cumsum(mask.data).reshape(mask.data.shape) > mask.data.sum() // 3)
    write_mask(tmp_path / "b.nii.gz", Mask(smaller, study.geometry))
    table = a_table(tmp_path, "p1/a,a.nii.gz,", "p1/again,b.nii.gz,")

    def again(**how):
        return ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table, **how)

    def said(outcomes, first):
        assert [one.status for one in outcomes] == [first, "differs"]
        assert "p1/a/dwi and this are one study" in outcomes[1].error
        assert "p1/again" in outcomes[1].study

    said(again(write=write), "added")
    if write:
        for _ in range(2):
            said(again(replace_masks=True), "present")
        said(again(replace_masks=True, write=False), "present")
        dataset = Dataset.open(tmp_path / "d")
        assert not (dataset.root / dataset.cases()[0].history).exists()
        assert dataset.same_mask(dataset.cases()[0], mask)


def test_a_mask_that_is_named_for_two_patients_is_neithers(tmp_path):
    study, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    nifti(tmp_path / "in", "p1/later", seed=2)
    nifti(tmp_path / "in", "p2/dwi", seed=3)
    write_mask(tmp_path / "m.nii.gz", mask)
    table = a_table(tmp_path, "p1/dwi,m.nii.gz,", f"p2/dwi,{tmp_path}/in/../m.nii.gz,1")
    outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert [one.status for one in outcomes] == ["failed", "added", "failed"]
    for one in (outcomes[0], outcomes[2]):
        assert "studies of several patients: p1/dwi, p2/dwi" in one.error
    table = a_table(tmp_path, "p1/dwi,m.nii.gz,", "p1/later,m.nii.gz,")  # one patient, two acquisitions
    outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert [one.status for one in outcomes] == ["added", "mask added", "added"]
    zeros = Mask(np.zeros(study.geometry.shape, bool), study.geometry)
    write_mask(tmp_path / "zeros.nii.gz", zeros)
    table = a_table(tmp_path, "p1/dwi,zeros.nii.gz,none", "p2/dwi,zeros.nii.gz,none")
    outcomes = ingest(tmp_path / "in", tmp_path / "e", cohort="uterine", annotations=table)
    assert [one.status for one in outcomes] == ["added", "added", "added"]


def test_images_that_come_as_two_patients_are_of_one_at_most(tmp_path):
    _, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    shutil.copytree(tmp_path / "in/p1", tmp_path / "in/p9")
    write_mask(tmp_path / "m.nii.gz", mask)
    table = a_table(tmp_path, "p9,m.nii.gz,")
    for first in ("added", "present"):
        one, other = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
        assert (one.status, other.status) == (first, "failed")
        assert "the same images as p1/dwi, which is of another patient" in other.error
    assert not Dataset.open(tmp_path / "d").has_mask(one.case)


def test_a_copy_of_a_mask_is_named_for_two_patients_too(tmp_path):
    _, mask = nifti(tmp_path / "in", "p1/dwi", seed=1)
    nifti(tmp_path / "in", "p2/dwi", seed=3)
    write_mask(tmp_path / "m.nii.gz", mask)
    shutil.copy(tmp_path / "m.nii.gz", tmp_path / "n.nii.gz")
    table = a_table(tmp_path, "p1,m.nii.gz,", "p2,n.nii.gz,")
    outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert [one.status for one in outcomes] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("study,mask,split,Cohort\np1,none,train,x\n", "columns split; cohort, which a dataset keeps itself"),
        ("study,mask\n", "names no study: it has no rows"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_once(text, told, tmp_path):
    nifti(tmp_path / "in", "p1/dwi", seed=1)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=told):
        ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=tmp_path / "t.csv")
    assert not (tmp_path / "d").exists()


def test_a_new_cohort_beside_others_is_said(tmp_path):
    nifti(tmp_path / "in", "p1/dwi", seed=1)
    nifti(tmp_path / "more", "p2/dwi", seed=2)
    notes = []
    ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", on_note=notes.append)
    assert notes == []
    ingest(tmp_path / "more", tmp_path / "d", cohort="utreine", on_note=notes.append)
    assert "utreine" in notes[0]
    assert "uterine (1)" in notes[0]


def test_the_t2_that_was_drawn_on_is_kept_on_its_own_grid(tmp_path):
    examination(tmp_path / "in")
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=tmp_path / "in")
    dataset = Dataset.open(tmp_path / "d")
    path = dataset.root / one.case.t2w("nii.gz")
    assert path.name == "sub-0001_T2w.nii.gz"
    assert one.t2 == "series 2 (t2_tse)"
    assert read_image(path)[1].shape == (12, 100, 100)
    (one,) = ingest(tmp_path / "in", tmp_path / "without", cohort="uterine", keep_t2=False)
    assert not list((tmp_path / "without").rglob("*T2w*"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda s: s * np.float32(0), "no signal"),
        (lambda s: s[::-1], "does not fall"),
        (lambda s: np.stack([s[0], s[0]]), "are the same"),
    ],
)
def test_what_check_calls_an_error_does_not_come_in(damage, told, tmp_path):
    import nibabel as nib

    nifti(tmp_path / "in", "p1/dwi", seed=1)
    path = tmp_path / "in/p1/dwi.nii.gz"
    image = nib.load(path)
    signal = np.asarray(image.dataobj, np.float32)
    changed = np.moveaxis(damage(np.moveaxis(signal, -1, 0)), 0, -1)
    nib.save(nib.Nifti1Image(changed, image.affine, image.header), path)
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert one.status == "failed"
    with pytest.raises(UserError, match=told):
        raise UserError(one.error, expected="", fix="")
    assert not (tmp_path / "d").exists()


def test_a_mask_outside_the_body_is_refused(tmp_path):
    examination(tmp_path / "in/first")
    corner = np.zeros(DWI_GRID.shape, bool)
    corner[:2, :3, :3] = True
    write_mask(tmp_path / "m.nii.gz", Mask(corner, DWI_GRID))
    table = a_table(tmp_path, "first,m.nii.gz,")
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=table)
    assert one.status == "failed", one
    assert "outside the body" in one.error


def test_the_same_images_in_a_zip_give_the_same_and_are_named_by_it(tmp_path):
    examination(tmp_path / "in/first")
    archive = shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "in")
    (one,) = ingest(tmp_path / "in", tmp_path / "a", cohort="uterine", write=False)
    (packed,) = ingest(Path(archive), tmp_path / "b", cohort="uterine", write=False)
    assert (packed.status, packed.b_values) == (one.status, one.b_values)
    assert str(tmp_path / "scan.zip") in packed.study
    assert "/tmp/uteroseg-" not in str(packed)


def test_real_pelves_with_tumour_go_from_nifti_to_evaluation(real_data, tiny_model, tmp_path):
    source = real_data / "prostate_13b"
    table = a_table(tmp_path, *(f"{name},{source / name / 'tumor_roi.nii.gz'}," for name in ("1_5T", "3T")))
    outcomes = ingest(source, tmp_path / "d", cohort="prostate", annotations=table)
    assert [one.status for one in outcomes] == ["added", "added"], list(map(str, outcomes))
    assert "1.6857" in str(outcomes[0])
    assert all(one.mask_ml > 0.1 and len(one.b_values) == 13 for one in outcomes)
    report = check_dataset(tmp_path / "d", workers=1)
    assert (report.annotated, report.of("error")) == (2, [])
    findings, _ = predict_all(tmp_path / "d", tiny_model, tmp_path / "p")
    assert [one.error for one in findings] == ["", ""]
    dataset = Dataset.open(tmp_path / "d")
    measured = assess(dataset, Predictions.find(tmp_path / "p"), split="all")
    assert measured.problems == []
    assert [row["case"] for row in measured.rows] == ["sub-0001", "sub-0002"]
    assert all(0 <= row["dsc"] <= 1 for row in measured.rows)


@pytest.mark.parametrize("make", [of_nifti, of_nnunet, of_decathlon])
@pytest.mark.parametrize("base", ["", "in"])
def test_a_packed_folder_is_what_the_folder_is(make, base, tmp_path):
    make(tmp_path)
    plain = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    (tmp_path / "packed").mkdir()
    archive = shutil.make_archive(
        str(tmp_path / "packed/in"), "zip", tmp_path if base else tmp_path / "in", base
    )
    outcomes = ingest(Path(archive), tmp_path / "d", cohort="uterine")
    assert [one.status.replace("present", "added") for one in outcomes] == [one.status for one in plain]
    assert [one.case for one in outcomes] == [one.case for one in plain]


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("same", [True, False], ids=["same images", "other images"])
def test_uids_that_two_patients_share_never_give_one_the_others_images(same, write, tmp_path):
    recipe = Recipe(b_values=(0, 1000))
    first, second = (write_series(tmp_path / "in" / name, recipe) for name in "ab")
    for path, there in zip(second, first, strict=True):
        ds, uid = pydicom.dcmread(path), pydicom.dcmread(there).SeriesInstanceUID
        ds.SeriesInstanceUID, ds.PatientID = uid, "SOMEBODY-ELSE"
        if not same:
            ds.PixelData = (ds.pixel_array + 7).tobytes()
        ds.save_as(path)
    outcomes = ingest(tmp_path / "in", tmp_path / "out", cohort="uterine", write=write)
    for one in outcomes:
        assert one.status == "failed"
        assert "One series has images of 2 Patient IDs" in one.error
        assert all(str(tmp_path / "in" / name) in one.error for name in "ab")
    ingest(tmp_path / "in/a", tmp_path / "out", cohort="uterine")
    (later,) = ingest(tmp_path / "in/b", tmp_path / "out", cohort="uterine", write=write)
    assert later.status == ("present" if same else "failed")
    assert same or "UIDs of sub-0001, which is another patient with other images" in later.error


def test_what_changes_between_visits_costs_no_study(tmp_path):
    _, first = nifti(tmp_path / "in", "p1/ses-1/dwi", seed=1)
    _, second = nifti(tmp_path / "in", "p1/ses-2/dwi", seed=2)
    for name, mask in (("a", first), ("b", second)):
        write_mask(tmp_path / f"{name}.nii.gz", mask)
    (tmp_path / "t.csv").write_text(
        "study,mask,age,histology\np1/ses-1,a.nii.gz,63,serous\np1/ses-2,b.nii.gz,64,serous\n"
    )
    for status in ("added", "present"):
        outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", annotations=tmp_path / "t.csv")
        assert [one.status for one in outcomes] == [status, status]
        assert ["age '64' differs" in str(one) for one in outcomes] == [False, True]
    person = Dataset.open(tmp_path / "d").participant(outcomes[0].case)
    assert (person.others["age"], person.histology) == ("63", "serous")


def test_a_dataset_in_its_own_source_is_refused(tmp_path):
    nifti(tmp_path / "in", "p1/dwi", seed=1)
    for root in (tmp_path / "in/d", tmp_path / "in"):
        with pytest.raises(UserError, match="lies in its source"):
            ingest(tmp_path / "in", root, cohort="uterine")
    assert not (tmp_path / "in/d").exists()
