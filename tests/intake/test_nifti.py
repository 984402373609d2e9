import json

import numpy as np
import pytest

from tests import tiny
from tests.intake.layouts import nifti
from tests.intake.test_images import pair
from uteroseg.annotations.table import read_table
from uteroseg.dataset.check.images import check_images
from uteroseg.dataset.store import Dataset
from uteroseg.dicom.read_options import ReadOptions
from uteroseg.errors import UserError
from uteroseg.imaging.nifti import read_image, write_image, write_mask
from uteroseg.intake.ingest import ingest
from uteroseg.intake.nifti import find_nifti


def table(folder, *lines):
    path = folder / "masks.csv"
    path.write_text("\n".join(["study,mask,label", *lines]))
    return path


def found(source, *lines, b_values=()):
    rows = read_table(table(source.parent, *lines)).rows if lines else []
    return find_nifti(source, rows, origin="in", options=ReadOptions(b_values))


@pytest.mark.parametrize("ending", ["nii.gz", "nii"])
def test_an_image_comes_in_as_it_is(tmp_path, ending):
    study, _ = nifti(tmp_path / "in", "p7/dwi", ending=ending, b_values=(0.0, 50.0, 800.0))
    (taken,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", options=ReadOptions(adc_b_min=50))
    assert (taken.status, taken.study, taken.b_values) == ("added", "p7/dwi", (0, 50, 800))
    dataset = Dataset.open(tmp_path / "d")
    back = dataset.load_study(taken.case)
    np.testing.assert_array_equal(back.signal, study.signal)
    assert back.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
    assert back.adc_b_min == 50
    person = dataset.participant(taken.case)
    assert (person.cohort, person.source, person.split) == ("uterine", "nifti", "n/a")
    assert (dataset.root / taken.case.adc("nii.gz")).is_file()


def test_folders_name_patients_and_dates(tmp_path):
    source = tmp_path / "in"
    for seed, name in enumerate(
        ("sub-a/ses-1/dwi/x_dwi", "sub-a/ses-2/dwi/x_dwi", "sub-b/1", "sub-b/2", "c_dwi")
    ):
        nifti(source, name, seed=seed)
    nifti(source, "derivatives/mean/sub-a/x_dwi", seed=9)
    taken = ingest(source, tmp_path / "d", cohort="uterine")
    assert {one.study: str(one.case) for one in taken} == {
        "c_dwi": "sub-0001",
        "sub-a/ses-1/dwi/x_dwi": "sub-0002_ses-01",
        "sub-a/ses-2/dwi/x_dwi": "sub-0002_ses-02",
        "sub-b/1": "sub-0003",
        "sub-b/2": "sub-0003_acq-2",
    }


def test_a_mask_on_another_grid_arrives_where_the_table_says(tmp_path):
    source = tmp_path / "in"
    nifti(source, "p1/dwi", seed=1)
    study, mask = nifti(source, "p2/dwi", seed=2)
    _, finer = tiny.study(
        2, geometry=tiny.grid("sagittal", (12, 96, 96), (2.5, 2.0, 2.0), (13.75, -95.0, 95.0))
    )
    write_mask(tmp_path / "drawn.nii.gz", finer)
    for named in ("p2", "p2/dwi", "p2\\dwi.nii.gz"):
        one, two = ingest(
            source,
            tmp_path / named.replace("/", "_").replace("\\", "_"),
            cohort="uterine",
            annotations=table(tmp_path, f"{named},drawn.nii.gz,"),
        )
        assert one.mask_ml is None
        dataset = Dataset.open(tmp_path / named.replace("/", "_").replace("\\", "_"))
        sidecar = json.loads((dataset.root / two.case.annotation("json")).read_text())
        assert (sidecar["annotation_source"], sidecar["volume_ml_outside"]) == ("another grid", 0)
        arrived = dataset.load_mask(two.case)
        overlap = 2 * (arrived.data & mask.data).sum() / (arrived.data.sum() + mask.data.sum())
        assert overlap > 0.85
        assert arrived.geometry.difference(study.geometry, tolerance_mm=1e-3) is None


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["p3,m.nii.gz,"], "0 images"),
        (["p1,m.nii.gz,"], "2 images"),
        (["p2,m.nii.gz,", "p2/a,m.nii.gz,"], "same image as another row"),
        ([".,m.nii.gz,"], "0 images"),
    ],
)
def test_a_row_that_fits_none_or_several_is_refused(tmp_path, lines, told):
    for name in ("p1/a", "p1/b", "p2/a"):
        nifti(tmp_path / "in", name)
    write_mask(tmp_path / "m.nii.gz", tiny.study()[1])
    with pytest.raises(UserError, match=told):
        found(tmp_path / "in", *lines)


def test_nothing_of_the_patient_is_taken_from_a_sidecar(tmp_path):
    sidecar = {
        "PatientName": "Doe^Jane",
        "InstitutionName": "Doe Hospital",
        "AcquisitionDateTime": "2020-01-01",
        "Manufacturer": "SIEMENS Doe",
        "ManufacturersModelName": "Skyra of Doe",
        "EchoTime": 0.063,
        "MRAcquisitionType": "Doe",
        "adc_b_min": 500,
    }
    nifti(tmp_path / "in", "Doe_Jane/dwi", sidecar=sidecar)
    (taken,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    dataset = Dataset.open(tmp_path / "d")
    kept = dict(dataset.sidecar(taken.case))
    assert kept.pop("source_key")
    assert kept == {
        "Manufacturer": "Siemens",
        "ManufacturersModelName": "Skyra",
        "EchoTime": 0.063,
        "b_value_source": ".bval file",
    }
    texts = [p.read_bytes() for p in dataset.root.rglob("*") if p.is_file()]
    assert not [text for text in texts if b"Doe" in text]
    assert dataset.load_study(taken.case).adc_b_min == 0


def test_the_same_again_is_skipped_and_gets_the_mask_it_lacked(tmp_path):
    source = tmp_path / "in"
    nifti(source, "p1/dwi", seed=1)
    _, mask = nifti(source, "p2/dwi", seed=2)
    ingest(source, tmp_path / "d", cohort="uterine")
    write_mask(tmp_path / "m.nii.gz", mask)
    again = ingest(source, tmp_path / "d", cohort="uterine", annotations=table(tmp_path, "p2,m.nii.gz,"))
    assert [one.status for one in again] == ["present", "mask added"]
    np.testing.assert_array_equal(Dataset.open(tmp_path / "d").load_mask(again[1].case).data, mask.data)
    nifti(source, "p2/later", seed=3)
    later = ingest(source, tmp_path / "d", cohort="uterine")
    assert [(one.status, str(one.case)) for one in later][-1] == ("added", "sub-0002_acq-2")


def test_one_bad_image_does_not_stop_the_others(tmp_path):
    source = tmp_path / "in"
    for seed, name in enumerate(("good", "one_b", "cut", "alone", "twice")):
        nifti(source, f"{name}/dwi", seed=seed, b_values=(800.0,) if name == "one_b" else (0.0, 800.0))
    (source / "cut/dwi.nii.gz").write_bytes((source / "cut/dwi.nii.gz").read_bytes()[:3000])
    (source / "alone/dwi.nii.gz").unlink()
    (source / "twice/dwi.bval").write_text("800 800")
    taken = {one.study.split("/")[0]: one for one in ingest(source, tmp_path / "d", cohort="uterine")}
    told = {name: one.error for name, one in taken.items() if one.status == "failed"}
    assert set(told) == {"one_b", "cut", "alone", "twice"}
    assert "at least two" in told["one_b"]
    assert "cannot be read" in told["cut"]
    assert "does not exist" in told["alone"]
    assert "more than once" in told["twice"]
    assert [str(case) for case in Dataset.open(tmp_path / "d").cases()] == ["sub-0001"]


def test_where_nothing_can_enter_or_all_is_only_looked_at_no_dataset_is_made(tmp_path):
    nifti(tmp_path / "in", "one_b/dwi", b_values=(800.0,))
    (taken,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert taken.status == "failed"
    nifti(tmp_path / "in", "good/dwi")
    looked = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=False)
    assert [one.status for one in looked] == ["added", "failed"]
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / "d.key").exists()


def test_a_folder_of_other_things_and_an_empty_one_are_refused(tmp_path):
    nifti(tmp_path / "in", "p/dwi")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a uteroseg dataset"):
        ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    with pytest.raises(UserError, match="no NIfTI image"):
        found(tmp_path / "d")
    with pytest.raises(UserError, match="cannot name a cohort"):
        ingest(tmp_path / "in", tmp_path / "new", cohort="pooled")


def test_an_adc_map_and_a_high_b_become_a_case_that_says_so(tmp_path):
    """As PI-CAI keeps them: patient_examination_adc, _hbv, _t2w."""
    for name, seed in (("10000_1000000", 1), ("10000_1000001", 2), ("10001_1000002", 3)):
        study = pair(tmp_path / "in", f"{name}_adc.mha", f"{name}_hbv.mha", seed=seed, bval=False)
    taken = ingest(
        tmp_path / "in", tmp_path / "d", cohort="uterine", options=ReadOptions((1400,), adc_b_min=200)
    )
    assert [(one.status, str(one.case)) for one in taken] == [
        ("added", "sub-0001_ses-01"),
        ("added", "sub-0001_ses-02"),
        ("added", "sub-0002_ses-01"),
    ]
    dataset, case = Dataset.open(tmp_path / "d"), taken[2].case
    sidecar = dataset.sidecar(case)
    assert sidecar["derived_images"] == {"0": "signal at b 1400 · exp(b · ADC), with the scanner's ADC"}
    assert sidecar["b_value_source"] == "user"
    back = dataset.load_study(case)
    assert (back.derived, back.b_values, back.adc_b_min) == (True, (0, 1400), 0)
    np.testing.assert_allclose(back.fit().adc, study.scanner_adc, atol=1e-4)
    np.testing.assert_allclose(back.scanner_adc, study.scanner_adc, atol=1e-4)
    again = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", options=ReadOptions((1400,)))
    assert [one.status for one in again] == ["present"] * 3


def test_check_leaves_out_what_is_true_by_construction(tmp_path):
    pair(tmp_path / "in")
    (taken,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    sidecar, adc = tmp_path / "d" / taken.case.dwi("json"), tmp_path / "d" / taken.case.scanner_adc
    write_image(adc, read_image(adc)[0] * 1.5, read_image(adc)[1])  # what a check of measured images finds
    assert check_images(tmp_path / "d", taken.case).findings == []
    sidecar.write_text("{}")
    assert [one.check for one in check_images(tmp_path / "d", taken.case).findings] == ["adc-scanner"]


def test_b_values_that_serve_no_image_are_refused(tmp_path):
    nifti(tmp_path, "p/dwi")
    with pytest.raises(UserError, match="`b_values` are given, and every image"):
        found(tmp_path, b_values=(1400,))


def test_masks_of_pairs_are_named_by_any_of_their_files(tmp_path):
    source = tmp_path / "in"
    for seed, name in enumerate(("a", "b")):
        pair(source, f"{name}_adc.mha", f"{name}_hbv.mha", seed=seed)
    write_mask(tmp_path / "m.nii.gz", tiny.study(1)[1])
    for named in ("b", "b_adc", "b_hbv.mha"):
        studies = found(source, f"{named},m.nii.gz,")
        assert [study.annotation is not None for study in studies] == [False, True]


def test_a_map_beside_a_nifti_study_comes_along_and_changes_no_key(tmp_path):
    study, _ = nifti(tmp_path / "in", "p/x_dwi", scanner_adc=True)
    (first,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    write_image(tmp_path / "in" / "p" / "x_adc.nii.gz", study.scanner_adc * 1000, study.geometry)
    (again,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert (again.status, again.case) == ("present", first.case)
    (new,) = ingest(tmp_path / "in", tmp_path / "e", cohort="uterine")
    np.testing.assert_allclose(
        Dataset.open(tmp_path / "e").load_study(new.case).scanner_adc, study.scanner_adc
    )


def test_a_dataset_whose_adc_map_is_damaged_still_gives_its_study(tmp_path):
    study, _ = nifti(tmp_path / "in", "p/x_dwi", scanner_adc=True)
    write_image(tmp_path / "in" / "p" / "x_adc.nii.gz", study.scanner_adc, study.geometry)
    (taken,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    dataset = Dataset.open(tmp_path / "d")
    (dataset.root / taken.case.scanner_adc).write_bytes(b"no image")
    loaded = dataset.load_study(taken.case)
    assert (loaded.scanner_adc, loaded.acquisition["scanner_adc_left_out"]) == (None, "it cannot be read")
