"""What header fields say of stored pixels is obeyed, or the file is refused by name."""

import numpy as np
import pydicom
import pytest

from tests.dicom.build import Recipe, write_series
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError


def change(folder, **fields):
    """Change one file's header and leave its pixels as they are."""
    path = sorted(folder.iterdir())[2]
    header = pydicom.dcmread(path)
    for keyword, value in fields.items():
        setattr(header, keyword, value)
    header.save_as(path)
    return path


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"BitsStored": 10, "HighBit": 9}, "need more than the 10 bits"),
        ({"BitsStored": 12, "HighBit": 15}, "High Bit 15"),
        ({"BitsStored": 11, "HighBit": 10, "PixelRepresentation": 1}, "need more than the 11 bits"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME1"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    ],
)
def test_pixels_that_are_not_what_they_seem_are_refused(fields, told, tmp_path):
    write_series(tmp_path / "in", Recipe())
    path = change(tmp_path / "in", **fields)
    with pytest.raises(UserError, match=told) as error:
        load_study(scan_folder(tmp_path / "in").series)
    assert str(path) in error.value.found


def test_bits_that_are_enough_are_enough(tmp_path):
    write_series(tmp_path / "in", Recipe())
    before = load_study(scan_folder(tmp_path / "in").series).signal
    for signed in (0, 1):
        change(tmp_path / "in", BitsStored=13, HighBit=12, PixelRepresentation=signed)
        np.testing.assert_array_equal(load_study(scan_folder(tmp_path / "in").series).signal, before)


def test_padding_is_no_signal(tmp_path):
    def padded(ds):
        ds.add_new("PixelPaddingValue", "US", 65000)
        pixels = ds.pixel_array.copy()
        pixels[:2] = 65000
        ds.PixelData = pixels.tobytes()

    write_series(tmp_path / "in", Recipe(adjust=padded))
    signal = load_study(scan_folder(tmp_path / "in").series).signal
    assert signal.max() < 5000
    assert (signal == 0).any(axis=(1, 2, 3)).all()


def test_a_series_with_the_images_of_two_patients_gives_neither_half(tmp_path):
    for path in write_series(tmp_path / "in", Recipe())[::2]:
        header = pydicom.dcmread(path)
        header.PatientID = "OTHER"
        header.save_as(path)
    for series in scan_folder(tmp_path / "in").series:
        with pytest.raises(UserError, match="One series has images of 2 Patient IDs"):
            load_study([series])
