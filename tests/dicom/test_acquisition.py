import json
from pathlib import Path

import pytest

from uteroseg.dicom.acquisition import acquisition, manufacturer_name
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder

from .build import Recipe, edit, write_series


def test_fields_have_bids_names_and_units(tmp_path: Path) -> None:
    write_series(tmp_path, Recipe())
    assert dict(load_study(scan_folder(tmp_path).series).acquisition) == {
        "Manufacturer": "Siemens",
        "ManufacturersModelName": "Aera",
        "MagneticFieldStrength": 3.0,
        "EchoTime": 0.063,
        "RepetitionTime": 2.7,
        "PixelBandwidth": 1500.0,
        "SliceThickness": 3.0,
        "ScanningSequence": "EP",
        "SequenceVariant": "SK",
        "MRAcquisitionType": "2D",
        "b_value_source": "standard (0018,9087)",
    }


def test_identity_in_any_text_of_the_header_stays_out(tmp_path: Path) -> None:
    def plant(ds: object) -> None:
        for element in ds:  # type: ignore[attr-defined]
            if element.VR in (
                "LO",
                "SH",
                "PN",
                "LT",
                "ST",
                "UT",
                "CS",
                "DA",
                "TM",
            ) and element.keyword not in (
                "Modality",
                "ImageType",
                "PhotometricInterpretation",
            ):
                element.value = "JANEDOE"

    for path in write_series(tmp_path, Recipe()):
        edit(path, plant)
    written = json.dumps(dict(load_study(scan_folder(tmp_path).series).acquisition)).lower()
    assert "jane" not in written
    assert "secret" not in written


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("CANON_MEC", "Canon"),
        ("TOSHIBA_MEC", "Toshiba"),
        ("UIH", "United Imaging"),
        ("Jane Doe", None),
        ("", None),
    ],
)
def test_manufacturers_are_recognised(text: str, name: str | None) -> None:
    assert manufacturer_name(text) == name


def test_an_enhanced_file_keeps_its_timing_per_frame(real_data: Path) -> None:
    series = scan_folder(real_data / "siemens_xa30_enhanced").series
    found = acquisition(series[0].headers[0])
    assert (found["EchoTime"], found["RepetitionTime"]) == (0.068, 3.516)
    assert (found["Manufacturer"], found["ManufacturersModelName"]) == ("Siemens", "Prisma")
