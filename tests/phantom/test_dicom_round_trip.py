"""What was simulated comes back by way of the clinic: written as DICOM, taken in again."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests import tiny
from tests.phantom.dicom_build import B_VALUES, ENCODINGS, VENDORS, small_mask, small_study
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.measure import volume_ml
from uteroseg.intake.ingest import ingest
from uteroseg.phantom.acquisition import Acquisition
from uteroseg.phantom.cohort import simulate_cohort
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.dicom_masks import list_masks

SOURCES = {
    "siemens": "standard (0018,9087)",
    "ge": "GE private (0043,1039)",
    "philips": "Philips private (2001,1003)",
    "canon": "Canon: b 0 images carry no b-value; standard (0018,9087)",
    "uih": "United Imaging private (0065,1009)",
}


def write(root, name, **options):
    study = small_study()
    mask = small_mask(study.geometry)
    write_dicom(study, root / name, **{"patient_id": name, "seed": 3, "mask": mask, **options})


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory):
    """Every vendor and encoding, written and ingested: study and mask by folder."""
    root = tmp_path_factory.mktemp("clinic")
    for seed, (vendor, encoding) in enumerate(itertools.product(VENDORS, ENCODINGS)):
        one = {"vendor": vendor, "encoding": encoding, "patient_id": "one", "seed": seed}
        write(root / "dicom", f"{vendor}-{encoding}", **one)
    list_masks(root / "dicom")
    table = root / "dicom" / "annotations.csv"
    outcomes = ingest(root / "dicom", root / "dataset", cohort="uterine", annotations=table)
    dataset = Dataset.open(root / "dataset")
    assert [outcome.status for outcome in outcomes] == ["added"] * 10, outcomes
    return {
        Path(outcome.study).name: (
            dataset.load_study(outcome.case),
            dataset.load_mask(outcome.case),
        )
        for outcome in outcomes
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_files_bring_back_what_was_simulated(vendor, encoding, taken_in):
    study, mask = taken_in[f"{vendor}-{encoding}"]
    truth = small_study()
    assert study.b_values == B_VALUES
    source = SOURCES[vendor] if encoding == "classic" else "standard (0018,9087)"
    assert study.acquisition["b_value_source"] == source
    assert study.geometry.difference(truth.geometry, tolerance_mm=1e-3) is None
    if vendor == "philips":
        ratios = study.signal[1:] / study.signal[0]
        np.testing.assert_allclose(ratios, truth.signal[1:] / truth.signal[0], rtol=1e-3)
    else:
        np.testing.assert_array_equal(study.signal, truth.signal)
    np.testing.assert_allclose(study.fit().adc, truth.fit().adc, rtol=1e-3)
    assert study.scanner_adc is not None
    np.testing.assert_allclose(study.scanner_adc, np.clip(truth.fit().adc, 0, 4.095), atol=6e-4)
    np.testing.assert_array_equal(mask.data, small_mask(truth.geometry).data)


def test_the_table_lists_every_mask_once_and_keeps_what_is_there(tmp_path):
    for name in ("b", "a"):
        write(tmp_path, name)
    list_masks(tmp_path)
    table = tmp_path / "annotations.csv"
    assert table.read_text().splitlines() == ["study,mask,label", "a,a/seg.dcm,1", "b,b/seg.dcm,1"]
    table.write_text("study,mask,label\na,mine.nii.gz,2\n")
    write(tmp_path, "c", mask=None)
    list_masks(tmp_path)
    list_masks(tmp_path)
    assert table.read_text().splitlines() == ["study,mask,label", "a,mine.nii.gz,2", "b,b/seg.dcm,1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "annotations.csv", "b", "c"]


def test_the_mask_of_a_patient_without_tumour_is_none_whatever_the_table_said(tmp_path):
    for name in ("a", "b", "c", "d"):
        write(tmp_path, name, **({"mask": None} if name in "ac" else {}))
    table = tmp_path / "annotations.csv"
    table.write_text("study,mask,label\nb,b/seg.dcm,1\nmine,x.nii,\nmine,y.nii,\n")
    for _ in range(2):
        list_masks(tmp_path, ["c", "a", "b"])
        rows = ["b,none,", "mine,x.nii,", "mine,y.nii,", "a,none,", "c,none,", "d,d/seg.dcm,1"]
        assert table.read_text().splitlines() == ["study,mask,label", *rows]


def test_simulated_patients_without_a_tumour_stand_in_the_table_as_none(tmp_path):
    small = Acquisition(matrix=(40, 40), slices=6)
    options = {"cases": 2, "seed": 1, "acquisition": small, "tumour_free": 0.6, "dicom": tmp_path}
    simulate_cohort(tmp_path / "dataset", "uterine", **options)
    rows = (tmp_path / "annotations.csv").read_text().splitlines()[1:]
    assert len(rows) == 2
    for row in rows:
        study, mask, label = row.split(",")
        free = "tumourfree" in study
        assert (mask, label) == (("none", "") if free else (f"{study}/seg.dcm", "1"))
        assert (tmp_path / study / "seg.dcm").exists() != free
    assert {"tumourfree" in row for row in rows} == {True, False}


@pytest.mark.parametrize("text", ["patient;mask\n1;2\n", "study,mask,label\na,b,1,2\n"])
def test_another_table_of_that_name_is_refused_and_kept(text, tmp_path):
    write(tmp_path, "a")
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(UserError, match="another table"):
        list_masks(tmp_path)
    assert (tmp_path / "annotations.csv").read_text() == text


def test_simulated_dicom_taken_in_is_the_simulated_dataset(tmp_path, cli):
    direct, clinic, scans = tmp_path / "direct", tmp_path / "clinic", tmp_path / "dicom"
    cli("simulate", direct, "--cohort", "uterine", "--cases", 1, "--dicom", scans)
    cli("ingest", scans, clinic, "--cohort", "uterine", "--annotations", scans / "annotations.csv")
    (simulated, mask), (returned, drawn) = (
        (dataset.load_study(case), dataset.load_mask(case))
        for dataset in map(Dataset.open, (direct, clinic))
        for case in dataset.cases("uterine")
    )
    assert returned.b_values == simulated.b_values
    assert returned.geometry.difference(simulated.geometry, tolerance_mm=1e-3) is None
    np.testing.assert_array_equal(returned.signal, simulated.signal)
    assert mask.data.any()
    np.testing.assert_array_equal(drawn.data, mask.data)
    for field in ("Manufacturer", "EchoTime", "MagneticFieldStrength"):
        assert returned.acquisition[field] == simulated.acquisition[field]
    assert [person.source for person in Dataset.open(clinic).participants.values()] == ["virtual"]
    assert "1 cases of 1 virtual patients" in cli("info", clinic)


def test_virtual_patients_who_came_as_dicom_are_known_by_the_key(tmp_path):
    write(tmp_path / "dicom", "a")
    write(tmp_path / "more", "b")
    simulated = Dataset.open_or_create(tmp_path / "d")
    tiny.add(simulated, "uterine")  # nobody needs a key yet
    (first,) = ingest(tmp_path / "dicom", tmp_path / "d", cohort="uterine")
    assert (first.status, str(first.case)) == ("added", "sub-0002")
    (tmp_path / "d.key").unlink()
    for folder in ("dicom", "more"):
        with pytest.raises(UserError, match=r"d\.key is missing"):
            ingest(tmp_path / folder, tmp_path / "d", cohort="uterine")
    assert [p.source for p in Dataset.open(tmp_path / "d").participants.values()] == ["virtual"] * 2


def test_a_tumour_drawn_on_t2_arrives_on_the_dwi(tmp_path):
    plain = Acquisition(matrix=(80, 80), slices=16)
    scans, options = tmp_path / "dicom", {"cases": 1, "seed": 1, "acquisition": plain}
    simulate_cohort(tmp_path / "direct", "cervical", **options, dicom=scans, t2_annotation="seg")
    ingest(scans, tmp_path / "clinic", cohort="cervical", annotations=scans / "annotations.csv")
    truth, drawn = (
        dataset.load_mask(case)
        for dataset in (Dataset.open(tmp_path / "direct"), Dataset.open(tmp_path / "clinic"))
        for case in dataset.cases()
    )
    assert volume_ml(truth) > 5
    assert 2 * (drawn.data & truth.data).sum() / (drawn.data.sum() + truth.data.sum()) > 0.95


@pytest.fixture
def cli(capsys, monkeypatch):
    """Run a command in this process; its standard output."""
    from uteroseg.cli.main import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["uteroseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        assert not end.value.code, captured.err
        return captured.out

    return run
