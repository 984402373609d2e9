"""Several dates and acquisitions of one patient, from scanner files to BIDS names."""

import csv
import stat
from datetime import date
from pathlib import Path

import pytest

from tests.dicom.build import Recipe, write_series
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.intake.ingest import ingest


def write(folder, day, patient="SECRET-ID", **options):
    def adjust(ds):
        ds.StudyDate, ds.PatientID = day, patient
        ds.PixelData = (ds.pixel_array + len(patient)).tobytes()  # patients differ

    write_series(folder, Recipe(adjust=adjust, **options))


def names(outcomes):
    return [(o.status, str(o.case)) for o in outcomes]


def test_several_dates_are_sessions_in_their_order(tmp_path):
    write(tmp_path / "in" / "late", "20210305")
    write(tmp_path / "in" / "early", "20210301")
    write(tmp_path / "in" / "other", "20210301", patient="ANOTHER")
    outcomes = ingest(tmp_path / "in", tmp_path / "out", cohort="uterine")
    assert names(outcomes) == [
        ("added", "sub-0001"),
        ("added", "sub-0002_ses-01"),
        ("added", "sub-0002_ses-02"),
    ]
    assert [Path(o.study).name for o in outcomes] == ["other", "early", "late"]
    dataset = Dataset.open(tmp_path / "out")
    assert sorted(map(str, dataset.cases())) == ["sub-0001", "sub-0002_ses-01", "sub-0002_ses-02"]
    assert dataset.load_study(outcomes[2].case).b_values == (0, 500, 1000)
    assert (dataset.root / "sub-0002/ses-02/dwi/sub-0002_ses-02_dwi.nii.gz").is_file()
    assert not (dataset.root / "sub-0001/sub-0001_sessions.tsv").exists()
    with (dataset.root / "sub-0002/sub-0002_sessions.tsv").open() as file:
        first, second = csv.DictReader(file, delimiter="\t")
    assert (first["session_id"], second["session_id"]) == ("ses-01", "ses-02")
    days = [date.fromisoformat(row["acq_time"][:10]) for row in (first, second)]
    assert (days[1] - days[0]).days == 4
    assert days[1].year < 1925


def test_several_acquisitions_of_one_date_are_told_apart(tmp_path):
    write(tmp_path / "in" / "a", "20210301", number=3, study_uid="1.2.3", frame_of_reference_uid="1.2.4")
    write(tmp_path / "in" / "b", "20210301", number=8, study_uid="1.2.3", frame_of_reference_uid="1.2.4")
    outcomes = ingest(tmp_path / "in", tmp_path / "out", cohort="uterine")
    assert names(outcomes) == [("added", "sub-0001"), ("added", "sub-0001_acq-2")]


def test_a_later_date_gets_a_session_and_earlier_names_stay(tmp_path):
    write(tmp_path / "first", "20210301")
    write(tmp_path / "more" / "same day", "20210301")
    write(tmp_path / "more" / "next", "20210401")
    write(tmp_path / "more" / "last", "20210501")
    ingest(tmp_path / "first", tmp_path / "out", cohort="uterine")
    outcomes = ingest(tmp_path / "more", tmp_path / "out", cohort="uterine")
    assert names(outcomes) == [
        ("added", "sub-0001_acq-2"),
        ("added", "sub-0001_ses-02"),
        ("added", "sub-0001_ses-03"),
    ]
    again = ingest(tmp_path / "more", tmp_path / "out", cohort="uterine")
    assert names(again) == [("present", name) for _, name in names(outcomes)]


def test_studies_without_a_date_are_visits_of_their_own(tmp_path):
    write(tmp_path / "in" / "a", "")
    write(tmp_path / "in" / "b", "")
    outcomes = ingest(tmp_path / "in", tmp_path / "out", cohort="uterine")
    assert sorted(names(outcomes)) == [("added", "sub-0001_ses-01"), ("added", "sub-0001_ses-02")]
    assert (tmp_path / "out/sub-0001/sub-0001_sessions.tsv").read_text().count("n/a") == 2


def test_the_link_table_leads_back_and_only_its_owner_reads_it(tmp_path):
    write(tmp_path / "in" / "a", "20210301", study_uid="1.2.3")
    link = tmp_path / "keys" / "link.csv"
    ingest(tmp_path / "in", tmp_path / "out", cohort="uterine", link=link)
    write(tmp_path / "in" / "b", "20210401", study_uid="1.2.4")
    ingest(tmp_path / "in", tmp_path / "out", cohort="uterine", link=link)
    with link.open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["case"], r["patient_id"], r["study_date"], r["study_uid"]) for r in rows] == [
        ("sub-0001", "SECRET-ID", "20210301", "1.2.3"),
        ("sub-0001_ses-02", "SECRET-ID", "20210401", "1.2.4"),
    ]
    assert stat.S_IMODE(link.stat().st_mode) == 0o600


def test_a_link_table_inside_the_dataset_or_over_another_file_is_refused(tmp_path):
    write(tmp_path / "in", "20210301")
    with pytest.raises(UserError, match="lies inside the dataset"):
        ingest(tmp_path / "in", tmp_path / "out", cohort="uterine", link=tmp_path / "out" / "link.csv")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is no linking table"):
        ingest(tmp_path / "in", tmp_path / "out", cohort="uterine", link=tmp_path / "thesis.txt")
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "thesis.txt").read_text() == "mine"
