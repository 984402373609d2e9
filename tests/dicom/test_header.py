from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from uteroseg.dicom import header as module
from uteroseg.dicom.header import PlainHeader, Unreadable, read_compact, read_header, read_whole

from .build import DIALECTS, Recipe, edit, write_series


def _one(folder: Path, **recipe: object) -> Path:
    return write_series(folder, Recipe(b_values=(800,), slices=1, **recipe))[0]


def _same(header: Dataset, path: Path) -> None:
    whole = pydicom.dcmread(path)
    wanted = [element for element in whole if element.tag in module._WANTED]
    assert [e.tag for e in header] == [e.tag for e in wanted]
    for element in wanted:
        assert header[element.tag].value == element.value, element
        assert header[element.tag].VR == element.VR, element


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_plain_file_is_read_as_pydicom_reads_it(dialect: str, implicit: bool, tmp_path: Path) -> None:
    manufacturer, write, _ = DIALECTS[dialect]
    path = _one(tmp_path, dialect=write, manufacturer=manufacturer, implicit=implicit)
    assert isinstance(read_compact(path), PlainHeader)
    header = read_header(path)
    assert header is not None
    _same(header, path)


@pytest.mark.parametrize(
    "folder", ["prostatex/0000/dwi", "canon_galan/enhanced", "siemens_xa30_enhanced", "dicom_seg"]
)
def test_real_files_are_read_as_pydicom_reads_them(folder: str, real_data: Path) -> None:
    for path in sorted((real_data / folder).glob("*.dcm"))[:3]:
        assert isinstance(read_compact(path), PlainHeader)
        header = read_header(path)
        assert header is not None
        _same(header, path)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("implicit", [False, True])
def test_sequences_of_any_length_are_kept_or_skipped(undefined: bool, implicit: bool, tmp_path: Path) -> None:
    def nest(ds: Dataset) -> None:
        inner, outer = Dataset(), Dataset()
        inner.CodeValue = "um2/s"
        outer.MeasurementUnitsCodeSequence = Sequence([inner])
        ds.RealWorldValueMappingSequence = Sequence([outer, outer])
        ds.ReferencedImageSequence = Sequence([outer])
        for sequence in (
            ds["RealWorldValueMappingSequence"],
            ds["ReferencedImageSequence"],
            outer["MeasurementUnitsCodeSequence"],
        ):
            sequence.is_undefined_length = undefined
        outer.is_undefined_length_sequence_item = undefined

    path = _one(tmp_path, adjust=nest, implicit=implicit)
    header = read_header(path)
    assert header is not None
    assert isinstance(read_compact(path), PlainHeader)
    _same(header, path)
    assert "ReferencedImageSequence" not in header


def test_what_is_not_plain_is_left_to_pydicom(tmp_path: Path) -> None:
    path = _one(tmp_path)
    whole = pydicom.dcmread(path)
    whole.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pixels = np.frombuffer(whole.PixelData, "<u2").astype(">u2").tobytes()
    whole["PixelData"].value = pixels
    pydicom.dcmwrite(path, whole, implicit_vr=False, little_endian=False)
    header = read_compact(path)
    assert isinstance(header, Dataset)
    assert (header.Rows, header.SeriesDescription) == (12, "DWI")


def _bytes(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        assert content.count(old) == 1
        path.write_bytes(content.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (_bytes(b"\x20\x00\x11\x00IS\x02\x003 ", b"\x20\x00\x11\x00IS\x02\x00x "), "SeriesNumber"),
        (_bytes(b"\x20\x00\x11\x00IS\x02\x003 ", b"\x20\x00\x11\x00ZZ\x02\x003 "), "SeriesNumber"),
        (_bytes(b"\x18\x00\x81\x00DS\x04\x0063.0", b"\x18\x00\x81\x00DS\x04\x006-.0"), "EchoTime"),
        (lambda path: edit(path, lambda ds: setattr(ds, "DiffusionBValue", float("nan"))), "DiffusionBValue"),
    ],
)
def test_values_that_do_not_parse_count_as_absent(
    change: Callable[[Path], None], gone: str, tmp_path: Path
) -> None:
    path = _one(tmp_path)
    assert gone in read_header(path)
    change(path)
    header = read_header(path)
    assert gone not in header
    assert header.Rows == 12


def test_values_in_sequences_that_do_not_parse_count_as_absent_too(tmp_path: Path) -> None:
    def nest(ds: Dataset) -> None:
        inner, frame = Dataset(), Dataset()
        inner.ImagePositionPatient = [7, 8, 9]
        frame.PlanePositionSequence = Sequence([inner])
        frame.MRDiffusionSequence = Sequence([Dataset()])
        frame.MRDiffusionSequence[0].DiffusionBValue = float("inf")
        ds.PerFrameFunctionalGroupsSequence = Sequence([frame, frame])

    path = _one(tmp_path, adjust=nest)
    path.write_bytes(path.read_bytes().replace(b"7.0\\8.0\\9.0", b"7.0\\8-0\\9.0", 1))
    first, second = read_header(path).PerFrameFunctionalGroupsSequence
    assert "ImagePositionPatient" not in first.PlanePositionSequence[0]
    assert second.PlanePositionSequence[0].ImagePositionPatient == [7, 8, 9]
    assert "DiffusionBValue" not in first.MRDiffusionSequence[0]


def test_a_sequence_that_is_none_counts_as_absent(tmp_path: Path) -> None:
    path = _one(tmp_path, adjust=lambda ds: ds.add_new(0x52009230, "LO", "no sequence"))
    assert "PerFrameFunctionalGroupsSequence" not in read_header(path)


def test_a_length_of_gigabytes_asks_for_no_more_than_the_file_has(tmp_path: Path) -> None:
    path = _one(tmp_path, adjust=lambda ds: ds.add_new(0x00186020, "UT", "text"))
    _bytes(b"\x20\x60UT\0\0\x04\0\0\0", b"\x20\x60UT\0\0\xf0\xff\xff\xff")(path)
    with pytest.raises(Unreadable, match="ends early"):
        read_header(path)


def test_decoding_gives_what_pydicom_gives(tmp_path: Path, real_data: Path) -> None:
    for path in (_one(tmp_path), real_data / "prostatex/0000/dwi/1-01.dcm"):
        image = read_whole(path)
        image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        np.testing.assert_array_equal(image.pixel_array, pydicom.dcmread(path).pixel_array)


def test_pixels_that_claim_to_be_compressed_are_not_read_as_plain(tmp_path: Path) -> None:
    path = _one(tmp_path)
    plain = b"1.2.840.10008.1.2.1\0"
    _bytes(b"\x02\x00\x10\x00UI\x14\x00" + plain, b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.5\0")(
        path
    )
    assert read_whole(path).file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
