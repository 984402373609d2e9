"""Headers whose geometry cannot be: the series is refused or left out by name, and the others go on."""

import pydicom
import pytest

from tests.annotations.drawn import Ids, write_examination
from tests.dicom.build import Recipe, write_series
from uteroseg.intake.ingest import ingest

DAMAGES = {
    "spacing 0": ("PixelSpacing", [0, 0]),
    "negative spacing": ("PixelSpacing", [-2, 2]),
    "huge spacing": ("PixelSpacing", [1e9, 2]),
    "cosines 0": ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
    "cosines of length 2": ("ImageOrientationPatient", [2, 0, 0, 0, 2, 0]),
    "cosines aslant": ("ImageOrientationPatient", [1, 0, 0, 0.3, 1, 0]),
}


@pytest.mark.parametrize(("keyword", "value"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("write", [True, False])
def test_a_series_with_impossible_geometry_is_refused_by_name_and_the_others_go_on(
    keyword, value, write, tmp_path
):
    def broken(ds):
        setattr(ds, keyword, value)
        ds.PatientID = "A"

    write_series(tmp_path / "in/a", Recipe(adjust=broken))
    write_series(
        tmp_path / "in/b", Recipe(adjust=lambda ds: setattr(ds, "PixelData", (ds.pixel_array + 1).tobytes()))
    )
    one, other = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine", write=write)
    assert (one.status, other.status) == ("failed", "added")
    assert "does not say where or how its image lies" in one.error
    assert "in/a/" in one.error


@pytest.mark.parametrize(("keyword", "value"), DAMAGES.values(), ids=DAMAGES)
def test_a_t2_with_impossible_geometry_costs_nothing_else(keyword, value, tmp_path):
    t2, _ = write_examination(tmp_path / "in", Ids())["T2"]
    for path in (tmp_path / "in").rglob("*"):
        if path.is_file() and (ds := pydicom.dcmread(path)).SeriesInstanceUID == t2:
            setattr(ds, keyword, value)
            ds.save_as(path)
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert (one.status, one.t2) == ("added", "")
    assert "no T2 of series" in str(one)


@pytest.mark.parametrize("value", ["2,5", "nan", "1e400"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_rescale_that_does_not_parse_is_never_read_as_none(keyword, value, tmp_path):
    write_series(
        tmp_path / "in", Recipe(adjust=lambda ds: ds.update({"RescaleSlope": "3", "RescaleIntercept": "0"}))
    )
    path = sorted((tmp_path / "in").iterdir())[3]
    raw = pydicom.dcmread(path)
    setattr(raw, keyword, "1234567")
    raw.save_as(path)
    data = path.read_bytes()
    assert data.count(b"1234567") == 1
    path.write_bytes(data.replace(b"1234567", value.ljust(7).encode()))
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert one.status == "failed"
    assert path.name in one.error
    assert "Rescale Slope and Intercept" in one.error


@pytest.mark.parametrize("by_image", [True, False])
def test_images_without_a_patient_id_count_to_the_patient_of_their_study(by_image, tmp_path):
    paths = write_series(tmp_path / "in", Recipe(series_of=lambda b, s: (b, s % 2) if by_image else 0))
    for path in paths[::2]:
        ds = pydicom.dcmread(path)
        ds.PatientID = ""
        ds.save_as(path)
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert one.status == "added"
    assert "have no Patient ID" in str(one)


def test_repetitions_that_become_one_image_are_said(tmp_path):
    number = iter(range(1000))

    def repeated(ds):
        ds.AcquisitionNumber = 1 + next(number) // 15

    write_series(tmp_path / "in", Recipe(adjust=repeated))
    recipe = Recipe(adjust=repeated)
    uids = pydicom.dcmread(next((tmp_path / "in").iterdir()))
    for path in write_series(tmp_path / "again", recipe):
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID, ds.StudyInstanceUID = uids.SeriesInstanceUID, uids.StudyInstanceUID
        ds.FrameOfReferenceUID = uids.FrameOfReferenceUID
        ds.save_as(tmp_path / "in" / f"again{path.name}")
    (one,) = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert "b 1000 is the mean of 2 repetitions" in str(one)


def test_one_patient_id_with_two_dates_of_birth_is_said(tmp_path):
    for name, born in (("a", "19500101"), ("b", "19900101")):

        def adjust(ds, born=born):
            ds.PatientID, ds.PatientBirthDate = "ANON", born
            ds.PixelData = (ds.pixel_array + int(born[3])).tobytes()

        write_series(tmp_path / "in" / name, Recipe(adjust=adjust))
    outcomes = ingest(tmp_path / "in", tmp_path / "d", cohort="uterine")
    assert ["2 dates of birth" in str(one) for one in outcomes] == [True, True]
