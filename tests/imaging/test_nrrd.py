import bz2
import gzip
import zlib

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grids import grids
from tests.imaging.headers import VOXELS, require_as_simpleitk, to_itk
from uteroseg.errors import UserError
from uteroseg.imaging.nrrd import Segment, read_nrrd

RAW = VOXELS.tobytes()
BIG = VOXELS.astype(">i2").tobytes()
TEXT = " ".join(map(str, VOXELS.ravel())).encode()
TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, "f4", "f8"]
LAYERS = {
    "dimension": "4",
    "sizes": "2 2 3 4",
    "space directions": "none (0,1,0) (0,0,2) (3,0,0)",
    "kinds": "list domain domain domain",
}


def header(**changes):
    """A header; None takes a field away, and a value with a line break goes on in further lines."""
    fields = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "2 3 4",
        "space directions": "(0,1,0) (0,0,2) (3,0,0)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(1,2,3)",
        **changes,
    }
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    return "\n".join(["NRRD0005", "# a comment", *lines, ""]).encode()


def write(folder, voxels=RAW, keys="", **changes):
    path = folder / "mask.nrrd"
    path.write_bytes(header(**changes) + keys.encode() + b"\n" + voxels)
    return path


@settings(deadline=None, max_examples=40)
@given(grids, st.sampled_from(TYPES), st.booleans(), st.sampled_from(["nrrd", "nhdr"]))
def test_files_of_simpleitk_have_its_voxels_and_places(tmp_path_factory, geometry, dtype, packed, ending):
    data = np.random.default_rng(1).integers(0, 100, geometry.shape).astype(dtype)
    path = tmp_path_factory.mktemp("m") / f"mask.{ending}"
    sitk.WriteImage(to_itk(data, geometry), str(path), useCompression=packed)
    image, where, segments = read_nrrd(path)
    np.testing.assert_array_equal(image, data)
    assert image.dtype == data.dtype
    assert where.difference(geometry, tolerance_mm=1e-3) is None
    assert segments == ()


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_files_of_pynrrd_are_read(encoding, dtype, tmp_path):
    about = {"space": "RAS", "space directions": np.diag([1.0, 2, 3]), "space origin": [1, 2, 3]}
    about |= {"encoding": encoding, "Author": "a key of one's own"}
    nrrd.write(str(tmp_path / "mask.nrrd"), VOXELS.T.astype(dtype), about)
    image, geometry, _ = read_nrrd(tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(image, VOXELS)
    np.testing.assert_allclose(geometry.to_patient((0, 0, 1)), (-2, -2, 3))


OBEYED = {
    "nothing unusual": (RAW, {}),
    "bytes before the voxels": (b"1234567" + RAW, {"byte skip": "7"}),
    "bytes before the voxels, written together": (b"1234567" + RAW, {"byteskip": "7"}),
    "bytes before the voxels, in capitals": (b"1234567" + RAW, {"Byte Skip": "7"}),
    "bytes before the voxels, counted from the end": (b"1234567" + RAW, {"byte skip": "-1"}),
    "lines before the voxels": (b"one\ntwo\n" + RAW, {"line skip": "2"}),
    "lines, then bytes": (b"one\ntwo\nxyz" + RAW, {"lineskip": "2", "byte skip": "3"}),
    "gzip": (gzip.compress(RAW), {"encoding": "gzip"}),
    "gzip behind lines": (b"one\n" + gzip.compress(RAW), {"encoding": "gz", "line skip": "1"}),
    "bytes within gzip": (gzip.compress(b"1234" + RAW), {"encoding": "gzip", "byte skip": "4"}),
    "text": (TEXT, {"encoding": "ascii", "endian": None}),
    "text behind a line": (b"zz\n" + TEXT, {"encoding": "txt", "line skip": "1"}),
    "text behind bytes": (b"zz " + TEXT, {"encoding": "text", "byte skip": "3"}),
    "hexadecimal": (RAW.hex(" ").encode(), {"encoding": "hex"}),
    "hexadecimal, big-endian": (BIG.hex("\n", 20).encode(), {"encoding": "hex", "endian": "big"}),
    "big-endian": (BIG, {"endian": "big"}),
    "one of the names of a type": (RAW, {"type": "signed short int"}),
    "another": (RAW, {"type": "int16_t"}),
    "vectors with spaces": (RAW, {"space directions": "(0, 1, 0) (0, 0, 2) (3, 0, 0)"}),
    "cells": (RAW, {"centerings": "cell cell cell"}),
    "nodes": (RAW, {"centers": "node node node"}),
    "a slice thickness": (RAW, {"thicknesses": "nan nan 9"}),
    "a measurement frame": (RAW, {"measurement frame": "(0,1,0) (1,0,0) (0,0,1)"}),
    "units": (RAW, {"space units": '"mm" "mm" "mm"'}),
    "no spacings": (RAW, {"spacings": "nan nan nan"}),
    **{
        f"space {name}": (RAW, {"space": name})
        for name in ("RAS", "LAS", "LPS", "right-anterior-superior", "Left-Anterior-Superior")
    },
}


@pytest.mark.parametrize("what", OBEYED)
def test_hand_made_headers_are_read_as_simpleitk_reads_them(what, tmp_path):
    voxels, changes = OBEYED[what]
    path = write(tmp_path, voxels, **changes)
    require_as_simpleitk(read_nrrd(path), path)
    np.testing.assert_array_equal(read_nrrd(path)[0], VOXELS)


def test_bzip2_is_read(tmp_path):  # which SimpleITK cannot
    image, _, _ = read_nrrd(write(tmp_path, bz2.compress(b"12" + RAW), encoding="bzip2", byteskip="2"))
    np.testing.assert_array_equal(image, VOXELS)


def test_lines_may_end_as_on_windows(tmp_path):
    path = write(tmp_path)
    path.write_bytes(header().replace(b"\n", b"\r\n") + b"\r\n" + RAW)
    require_as_simpleitk(read_nrrd(path), path)


@pytest.mark.parametrize("skips", [{"byte skip": "-1"}, {"line skip": "1"}])
def test_voxels_in_a_file_beside_the_header_are_read(skips, tmp_path):
    (tmp_path / "voxels.raw").write_bytes(b"ab\n" + RAW)
    path = tmp_path / "mask.nhdr"
    path.write_bytes(header(**skips, **{"data file": "voxels.raw"}))
    require_as_simpleitk(read_nrrd(path), path)


@pytest.mark.parametrize("first", [True, False])
def test_layers_may_be_the_first_dimension_or_the_last(first, tmp_path):
    layers = np.stack([VOXELS, VOXELS + 100])
    vectors = LAYERS["space directions"].removeprefix("none ")
    last = {
        "sizes": "2 3 4 2",
        "space directions": f"{vectors} (nan,nan,nan)",
        "kinds": "domain domain domain list",
    }
    voxels = np.moveaxis(layers, 0, -1) if first else layers
    path = write(tmp_path, voxels.tobytes(), **{**LAYERS, **({} if first else last)})
    image, geometry, _ = read_nrrd(path)
    np.testing.assert_array_equal(image, layers)
    plain = read_nrrd(write(tmp_path))[1]
    assert geometry.difference(plain, tolerance_mm=1e-9) is None


REFUSED = {
    "its voxels take 55 bytes, 48 are expected": (RAW + b"1234567", {}),  # a byte skip that was forgotten
    "its voxels take 40 bytes": (RAW[:40], {}),
    "byte skip = -2": (RAW, {"byte skip": "-2"}),
    "byte skip = -1": (gzip.compress(RAW), {"byte skip": "-1", "encoding": "gzip"}),
    "line skip = -1": (RAW, {"line skip": "-1"}),
    "line skip = 99999999": (RAW, {"line skip": "99999999"}),
    "Compressed file ended": (gzip.compress(RAW)[:-5], {"encoding": "gzip"}),
    "CRC check failed": (gzip.compress(RAW)[:-8] + bytes(8), {"encoding": "gzip"}),
    "Not a gzipped file": (zlib.compress(RAW), {"encoding": "gzip"}),
    "Not a gzipped file .b'mo'": (gzip.compress(RAW) + b"more", {"encoding": "gzip"}),
    "Invalid data stream": (RAW, {"encoding": "bzip2"}),
    "its voxels take 46 bytes": (TEXT[:-3], {"encoding": "ascii"}),
    "could not|out of bounds|too large": (b"99999 " * 24, {"encoding": "ascii"}),
    "invalid literal": (TEXT.replace(b" ", b","), {"encoding": "ascii"}),
    "encoding = zrl": (RAW, {"encoding": "zrl"}),
    "endian = : ": (RAW, {"endian": None}),
    "endian = middle": (RAW, {"endian": "middle"}),
    "type = block": (RAW, {"type": "block", "block size": None}),
    "blocksize = 2: this field is not known": (RAW, {"type": "block", "blocksize": "2"}),
    "space = scanner-xyz": (RAW, {"space": "scanner-xyz"}),
    "space = 3D-left-handed": (RAW, {"space": "3D-left-handed"}),
    "space = 3D-right-handed": (RAW, {"space": "3D-right-handed"}),
    "space = LPST": (RAW, {"space": "LPST"}),
    "lacks the field 'space'": (RAW, {"space": None, "space directions": None, "spacings": "1 2 3"}),
    "space dimension = 3: this field is not known": (RAW, {"space": None, "space dimension": "3"}),
    "lacks the field 'space origin'": (RAW, {"space origin": None}),
    r"space origin = none": (RAW, {"space origin": "none"}),
    r"space origin = \(1,2\)": (RAW, {"space origin": "(1,2)"}),
    r"space directions = none": (RAW, {"space directions": "none (0,0,2) (3,0,0)"}),
    r"space directions = \(0,1,nan\)": (RAW, {"space directions": "(0,1,nan) (0,0,2) (3,0,0)"}),
    r"space directions = 0,1,0": (RAW, {"space directions": "0,1,0 0,0,2 3,0,0"}),
    "an affine is a finite": (RAW, {"space directions": "(0,1,0) (0,1,0) (3,0,0)"}),
    "space units = .cm": (RAW, {"space units": '"cm" "cm" "cm"'}),
    "spacings = 5 5 5": (RAW, {"spacings": "5 5 5"}),
    "axis mins = 0 0 0": (RAW, {"axis mins": "0 0 0"}),
    "units = .cm": (RAW, {"units": '"cm" "mm" "mm"'}),
    "old min = 0: this field is not known": (RAW, {"old min": "0", "old max": "1"}),
    "subspace = 3: this field is not known": (RAW, {"subspace": "3"}),
    "kinds = domain domain time": (RAW, {"kinds": "domain domain time"}),
    "kinds = domain domain:": (RAW, {"kinds": "domain domain"}),
    "kinds = vector": (RAW * 2, {**LAYERS, "kinds": "vector domain domain domain"}),
    "kinds = RGB-color": (RAW * 3, {**LAYERS, "sizes": "3 2 3 4", "kinds": "RGB-color space space space"}),
    "dimensions? is|a vector for three": (
        RAW * 2,
        {**LAYERS, "space directions": "(0,1,0) none (0,0,2) (3,0,0)"},
    ),
    "sizes = 2 3:": (RAW, {"sizes": "2 3"}),
    "sizes = 2 3 -4:": (RAW, {"sizes": "2 3 -4"}),
    "data file = s%d.raw 0 3 1": (RAW, {"data file": "s%d.raw 0 3 1"}),
    "data file = LIST": (RAW, {"data file": "LIST"}),
    r"data file = \.\./secret.raw": (RAW, {"data file": "../secret.raw"}),
    "the line 'a field without a colon'": (RAW, {"endian": "little\na field without a colon"}),
    "Encoding stands twice": (RAW, {"Encoding": "raw"}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_read_right_is_refused_by_field_and_value(message, tmp_path):
    voxels, changes = REFUSED[message]
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(RAW)
    path = write(tmp_path / "in", voxels, **changes)
    with pytest.raises(UserError, match=r"mask\.nrrd cannot be read \(.*(" + message + ")"):
        read_nrrd(path)


@pytest.mark.parametrize("content", [b"", b"NRRD0009\n\n", b"NRRD", b"\x1f\x8b" * 99, b"x" * 10**5])
def test_anything_else_is_refused(content, tmp_path):
    (tmp_path / "mask.nrrd").write_bytes(content)
    with pytest.raises(UserError, match=r"mask\.nrrd cannot be read \(it does not begin"):
        read_nrrd(tmp_path / "mask.nrrd")


def test_segments_are_told_as_the_header_names_them(tmp_path):
    def segments(keys):
        return read_nrrd(write(tmp_path, keys=keys))[2]

    named = "Segment{0}_Name:={1}\nSegment{0}_LabelValue:={2}\nSegment{0}_Layer:={3}\n".format
    keys = named(10, "Blase", 2, 0) + named(2, "Gebärmutter: links", 1, 0) + named(3, "again", 1, 0)
    assert segments(keys) == (
        Segment(0, 1, "Gebärmutter: links"),
        Segment(0, 1, "again"),
        Segment(0, 2, "Blase"),
    )
    nameless = "Segment0_Name:=a\nSegment0_ID:=x:=y\nSegment3_ID:=b\n"
    assert segments(nameless) == (Segment(0, None, "a"), Segment(0, None, ""))
    assert segments("Segment5_LabelValue:=3\n") == (Segment(0, 3, ""),)
    path = write(tmp_path, RAW * 2, nameless, **LAYERS)
    assert read_nrrd(path)[2] == (Segment(0, None, "a"), Segment(1, None, ""))
    path = write(tmp_path, RAW * 2, "Segment1_Name:=a\nSegment1_LabelValue:=3\n", **LAYERS)
    with pytest.raises(UserError, match="Segment1_Layer is missing, and there are 2 layers"):
        read_nrrd(path)
    with pytest.raises(UserError, match="invalid literal for int"):
        segments(named(0, "a", "one", 0))
    with pytest.raises(UserError, match="Segment1_Name stands twice"):
        segments("Segment1_Name:=a\nSegment1_Name:=b\n")


def test_names_in_latin_1_are_read(tmp_path):
    path = write(tmp_path)
    path.write_bytes(header() + "Segment0_Name:=Gebärmutter\n\n".encode("latin-1") + RAW)
    assert read_nrrd(path)[2] == (Segment(0, None, "Gebärmutter"),)
