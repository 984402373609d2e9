import gzip
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grids import grids
from tests.imaging.headers import VOXELS, require_as_simpleitk, to_itk
from uteroseg.errors import UserError
from uteroseg.imaging.metaimage import read_metaimage

RAW = VOXELS.tobytes()
BIG = VOXELS.astype(">i2").tobytes()
PACKED = zlib.compress(RAW)
TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, "f4", "f8"]
FOUR = {
    "NDims": "4",
    "DimSize": "2 3 4 1",
    "TransformMatrix": "0 1 0 0 0 0 1 0 1 0 0 0 0 0 0 1",
    "Offset": "1 2 3 0",
    "ElementSpacing": "1 2 3 1",
}


def header(**changes):
    """A header; None takes a field away, and ElementDataFile is last."""
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "0 1 0 0 0 1 1 0 0",
        "Offset": "1 2 3",
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": "1 2 3",
        "DimSize": "2 3 4",
        "ElementType": "MET_SHORT",
        **changes,
    }
    fields["ElementDataFile"] = fields.pop("ElementDataFile", "LOCAL")
    return "".join(f"{key} = {value}\n" for key, value in fields.items() if value is not None).encode()


def write(folder, voxels=RAW, **changes):
    path = folder / "mask.mha"
    path.write_bytes(header(**changes) + voxels)
    return path


@settings(deadline=None, max_examples=40)
@given(grids, st.sampled_from(TYPES), st.booleans(), st.sampled_from(["mha", "mhd"]))
def test_files_of_simpleitk_have_its_voxels_and_places(tmp_path_factory, geometry, dtype, packed, ending):
    data = np.random.default_rng(1).integers(0, 100, geometry.shape).astype(dtype)
    path = tmp_path_factory.mktemp("m") / f"mask.{ending}"
    sitk.WriteImage(to_itk(data, geometry), str(path), useCompression=packed)
    image, where = read_metaimage(path)
    np.testing.assert_array_equal(image, data)
    assert image.dtype == data.dtype
    assert where.difference(geometry, tolerance_mm=1e-3) is None


OBEYED = {
    "nothing unusual": (RAW, {}),
    "bytes before the voxels, counted from the end": (b"1234567" + RAW, {"HeaderSize": "-1"}),
    "big-endian": (BIG, {"BinaryDataByteOrderMSB": "True"}),
    "big-endian in small letters": (BIG, {"BinaryDataByteOrderMSB": "true"}),
    "big-endian under its older key": (
        BIG,
        {"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "TRUE"},
    ),
    "compressed": (PACKED, {"CompressedData": "True", "CompressedDataSize": str(len(PACKED))}),
    "compressed in small letters": (
        PACKED,
        {"CompressedData": "true", "CompressedDataSize": str(len(PACKED))},
    ),
    "another word for the matrix": (RAW, {"TransformMatrix": None, "Rotation": "0 1 0 1 0 0 0 0 1"}),
    "yet another": (RAW, {"TransformMatrix": None, "Orientation": "0 1 0 1 0 0 0 0 1"}),
    "another word for the place": (RAW, {"Offset": None, "Position": "7 8 9"}),
    "yet another word": (RAW, {"Offset": None, "Origin": "7 8 9"}),
    "voxel sizes for distances": (RAW, {"ElementSpacing": None, "ElementSize": "4 5 6"}),
    "voxel sizes beside distances": (RAW, {"ElementSize": "4 5 6"}),
    "a negative distance": (RAW, {"ElementSpacing": "1 2 -3"}),
    "axes that are not at right angles": (RAW, {"TransformMatrix": "1 0 0 0.5 1 0 0 0 1"}),
    "a centre of rotation": (RAW, {"CenterOfRotation": "10 20 30"}),
    "the orientation in letters": (RAW, {"AnatomicalOrientation": "LPS"}),
    "the type 'long'": (VOXELS.astype("<i4").tobytes(), {"ElementType": "MET_LONG"}),
    "the voxels' place in other letters": (RAW, {"ElementDataFile": "Local"}),
    "no slope to speak of": (RAW, {"ElementToIntensityFunctionSlope": "1.0"}),
    "what SimpleITK copies from DICOM": (RAW, {"0008|0060": "MR", "ITK_original_spacing": "[1, 2, 3]"}),
    "a name with an umlaut": (RAW, {"Name": "Gebärmutter"}),
}


@pytest.mark.parametrize("what", OBEYED)
def test_hand_made_headers_are_read_as_simpleitk_reads_them(what, tmp_path):
    voxels, changes = OBEYED[what]
    path = write(tmp_path, voxels, **changes)
    require_as_simpleitk(read_metaimage(path), path)
    np.testing.assert_array_equal(read_metaimage(path)[0], VOXELS)


@pytest.mark.parametrize("bytes_before", [0, 10])
@pytest.mark.parametrize("packed", [False, True])
def test_bytes_before_the_voxels_are_passed_over(bytes_before, packed, tmp_path):
    changes = {"CompressedData": "True", "CompressedDataSize": str(len(PACKED))} if packed else {}
    voxels = b"x" * bytes_before + (PACKED if packed else RAW)
    size = len(header(**changes, HeaderSize="000")) + bytes_before
    path = write(tmp_path, voxels, **changes, HeaderSize=f"{size:03d}")
    require_as_simpleitk(read_metaimage(path), path)
    (tmp_path / "voxels.raw").write_bytes(voxels)
    (tmp_path / "mask.mhd").write_bytes(
        header(**changes, HeaderSize=str(bytes_before), ElementDataFile="voxels.raw")
    )
    require_as_simpleitk(read_metaimage(tmp_path / "mask.mhd"), tmp_path / "mask.mhd")


def test_lines_may_end_as_on_windows(tmp_path):
    path = write(tmp_path)
    path.write_bytes(header().replace(b"\n", b"\r\n") + RAW)
    require_as_simpleitk(read_metaimage(path), path)


def test_a_fourth_dimension_of_one_is_none(tmp_path):
    image, geometry = read_metaimage(write(tmp_path, **FOUR))
    np.testing.assert_array_equal(image, VOXELS)
    assert geometry.difference(read_metaimage(write(tmp_path))[1], tolerance_mm=1e-9) is None


REFUSED = {
    "HeaderSize = 5": (b"12345" + RAW, {"HeaderSize": "5"}),  # ends within the header
    "HeaderSize = -5": (RAW, {"HeaderSize": "-5"}),
    "HeaderSize = -1": (PACKED, {"HeaderSize": "-1", "CompressedData": "True"}),
    "HeaderSize|invalid literal": (RAW, {"HeaderSize": "many"}),
    "its voxels take 55 bytes, 48 are expected": (RAW + b"1234567", {}),  # a HeaderSize that was forgotten
    "its voxels take 40 bytes": (RAW[:40], {}),
    "BinaryData = False": (b" 1" * 24, {"BinaryData": "False"}),
    "BinaryDataByteOrderMSB = maybe": (RAW, {"BinaryDataByteOrderMSB": "maybe"}),
    "BinaryDataByteOrderMSB = False and ElementByteOrderMSB = True": (RAW, {"ElementByteOrderMSB": "True"}),
    "CompressedDataSize = 7": (PACKED, {"CompressedData": "True", "CompressedDataSize": "7"}),
    "do not end where the file does": (PACKED + b"more", {"CompressedData": "True"}),
    "its compressed voxels do not end": (PACKED[:-4], {"CompressedData": "True"}),
    "Error -3": (PACKED[:-4] + b"1234", {"CompressedData": "True"}),  # the checksum
    "ElementNumberOfChannels = 3": (RAW * 3, {"ElementNumberOfChannels": "3"}),
    "ElementType = MET_SHORT_ARRAY": (RAW, {"ElementType": "MET_SHORT_ARRAY"}),
    "ElementType = MET_STRING": (RAW, {"ElementType": "MET_STRING"}),
    "ElementToIntensityFunctionSlope = 2": (RAW, {"ElementToIntensityFunctionSlope": "2"}),
    "ElementToIntensityFunctionOffset = 1": (RAW, {"ElementToIntensityFunctionOffset": "1"}),
    "DistanceUnits = cm": (RAW, {"DistanceUnits": "cm"}),
    "ObjectType = Mesh": (RAW, {"ObjectType": "Mesh"}),
    "NDims = 2": (RAW, {"NDims": "2"}),
    r"DimSize = 2 3 2 2": (RAW, {**FOUR, "DimSize": "2 3 2 2"}),
    r"DimSize = 2 3 4 1": (RAW, {"DimSize": "2 3 4 1"}),
    r"DimSize = -2 3 -4": (RAW, {"DimSize": "-2 3 -4"}),
    "fourth dimension outside space": (RAW, {**FOUR, "TransformMatrix": "1 0 0 1 0 1 0 0 0 0 1 0 0 0 0 1"}),
    "Offset = 1 2 3 and Origin = 7 8 9": (RAW, {"Origin": "7 8 9"}),
    "no Offset or Position or Origin": (RAW, {"Offset": None}),
    "no TransformMatrix": (RAW, {"TransformMatrix": None}),
    "no ElementSize": (RAW, {"ElementSpacing": None}),
    "Offset = 1 2 nan": (RAW, {"Offset": "1 2 nan"}),
    "an affine is a finite": (RAW, {"ElementSpacing": "1 2 0"}),
    "UltrasoundImageOrientation = MF: this field is not known": (RAW, {"UltrasoundImageOrientation": "MF"}),
    "offset = 7 8 9: this field is not known": (RAW, {"offset": "7 8 9"}),
    "ElementDataFile = LIST": (RAW, {"ElementDataFile": "LIST"}),
    r"ElementDataFile = s%03d.raw 1 4 1": (RAW, {"ElementDataFile": "s%03d.raw 1 4 1"}),
    "ElementDataFile = gone.raw": (RAW, {"ElementDataFile": "gone.raw"}),
    "ElementDataFile = : ": (RAW, {"ElementDataFile": ""}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_read_right_is_refused_by_key_and_value(message, tmp_path):
    voxels, changes = REFUSED[message]
    path = write(tmp_path, voxels, **changes)
    with pytest.raises(UserError, match=r"mask\.mha cannot be read \(.*(" + message + ")"):
        read_metaimage(path)


@pytest.mark.parametrize("name", ["../secret.raw", "{folder}/secret.raw", r"..\secret.raw", r"C:\secret.raw"])
def test_voxels_outside_the_headers_folder_are_not_opened(name, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(RAW)
    (tmp_path / "in" / name.rsplit("/", 1)[-1]).write_bytes(RAW)  # a Windows path is a name on Linux
    with pytest.raises(UserError, match=r"ElementDataFile = .*: the name of one file"):
        read_metaimage(write(tmp_path / "in", ElementDataFile=name.format(folder=tmp_path)))


def test_a_field_that_stands_twice_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"DimSize = 4 3 2\n" + header() + RAW)
    with pytest.raises(UserError, match="DimSize stands twice"):
        read_metaimage(path)


def test_a_header_without_end_is_refused(tmp_path):
    path = write(tmp_path)
    for content in (b"", header()[:60], b"x" * 10**6, b"Comment = a\nName = b\n" * 10**4):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"mask\.mha cannot be read"):
            read_metaimage(path)


def test_gzip_in_place_of_zlib_is_read(tmp_path):
    image, _ = read_metaimage(write(tmp_path, gzip.compress(RAW), CompressedData="True"))
    np.testing.assert_array_equal(image, VOXELS)
