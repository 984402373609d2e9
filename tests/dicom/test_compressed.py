"""Every transfer syntax gives the same study; a file that is cut in any of them is refused by name."""

import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.pixels import rescaled
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import Recipe, philips, siemens, truncate, write_series
from .build_frames import SYNTAXES, reencode, write_enhanced

pytestmark = pytest.mark.filterwarnings("ignore:End of file reached")  # what pydicom says of cut files

ENCAPSULATED = [name for name, syntax in SYNTAXES.items() if syntax.is_encapsulated]


def load(folder: Path) -> DwiStudy:
    (found,) = find_studies(scan_folder(folder))
    return load_study(found.used)


def assert_same_study(found: DwiStudy, expected: DwiStudy) -> None:
    np.testing.assert_array_equal(found.signal, expected.signal)
    np.testing.assert_array_equal(found.geometry.affine, expected.geometry.affine)
    assert found.b_values == expected.b_values
    assert found.acquisition == expected.acquisition


def reencode_all(folder: Path, name: str) -> None:
    for path in sorted(folder.iterdir()):
        reencode(path, SYNTAXES[name])
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == SYNTAXES[name]


@pytest.mark.parametrize("name", SYNTAXES)
def test_classic_files_give_the_same_study(name: str, tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(dialect=siemens, orientation="oblique"))
    expected = load(tmp_path)
    reencode_all(tmp_path, name)
    assert_same_study(load(tmp_path), expected)


@pytest.mark.parametrize("name", SYNTAXES)
def test_enhanced_files_give_the_same_study(name: str, tmp_path: Path) -> None:
    write_enhanced(tmp_path / "whole.dcm", Recipe(orientation="oblique"))
    expected = load(tmp_path)
    reencode_all(tmp_path, name)
    assert_same_study(load(tmp_path), expected)


@pytest.mark.parametrize("name", SYNTAXES)
def test_private_floats_survive_every_syntax(name: str, tmp_path: Path) -> None:
    write_series(tmp_path, Recipe(manufacturer="Philips Medical Systems", dialect=philips))
    reencode_all(tmp_path, name)
    assert load(tmp_path).b_values == (0, 500, 1000)


@pytest.mark.parametrize("name", SYNTAXES)
def test_a_real_enhanced_file_gives_the_same_study(name: str, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "siemens_xa30_enhanced" / "series_16.dcm"
    path = tmp_path / "in" / "enhanced.dcm"
    path.parent.mkdir()
    path.write_bytes(source.read_bytes())
    reencode(path, SYNTAXES[name])
    expected = load_study(scan_folder(source).series)
    assert_same_study(load_study(scan_folder(path).series), expected)


@pytest.mark.parametrize("name", SYNTAXES)
def test_real_classic_files_give_the_same_images(name: str, real_data: Path, tmp_path: Path) -> None:
    for source in sorted((real_data / "prostatex" / "0000" / "dwi").iterdir())[:6]:
        (tmp_path / source.name).write_bytes(source.read_bytes())
    plain = [image for _, image in _images(tmp_path)]
    for path in sorted(tmp_path.iterdir()):
        reencode(path, SYNTAXES[name])
    again = [image for _, image in _images(tmp_path)]
    assert len(plain) == 6
    np.testing.assert_array_equal(again, plain)


def _images(folder: Path):
    (series,) = scan_folder(folder).series
    return rescaled(frames_of(series), comparable=True)


@pytest.mark.parametrize("keep", [-8, -10, -60, 0.9], ids=["delimiter", "delimiter cut", "fragment", "10 %"])
@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
@pytest.mark.parametrize("name", ENCAPSULATED)
def test_a_compressed_file_that_ends_early_is_refused_by_name(
    name: str, enhanced: bool, keep: float, tmp_path: Path
) -> None:
    if enhanced:
        path = write_enhanced(tmp_path / "whole.dcm", Recipe())
    else:
        path = write_series(tmp_path, Recipe())[6]
    reencode(path, SYNTAXES[name])
    size = len(path.read_bytes())
    truncate(path, int(keep) if keep < 0 else int(size * keep))
    with pytest.raises(UserError) as caught:
        load_study(scan_folder(tmp_path).series)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
@pytest.mark.parametrize("name", ["deflated", "big endian"])
@pytest.mark.parametrize("cut", [20, 300])
def test_other_encodings_that_end_early_are_refused_by_name(
    cut: int, name: str, enhanced: bool, tmp_path: Path
) -> None:
    if enhanced:
        path = write_enhanced(tmp_path / "whole.dcm", Recipe())
    else:
        path = write_series(tmp_path, Recipe())[6]
    reencode(path, SYNTAXES[name])
    truncate(path, -cut)
    scan = scan_folder(tmp_path)
    if path in [file.path for file in scan.skipped] and not scan.series:  # the header itself is cut
        return
    with pytest.raises(UserError) as caught:
        load_study(scan.series)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ENCAPSULATED)
def test_a_frame_too_few_in_the_compressed_pixels_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "whole.dcm", Recipe())
    reencode(path, SYNTAXES[name])
    ds = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=15))
    ds.PixelData = pydicom.encaps.encapsulate(frames[:-1])
    ds.save_as(path)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)


def test_compressed_enhanced_files_are_decoded_a_frame_at_a_time(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "large.dcm", Recipe(slices=20))
    ds = pydicom.dcmread(path)
    ds.Rows = ds.Columns = 256
    ds.PixelData = np.arange(60, dtype=np.uint16).repeat(256 * 256).tobytes()
    ds.save_as(path)
    reencode(path, SYNTAXES["RLE"])
    (series,) = scan_folder(tmp_path).series
    frames = frames_of(series)
    tracemalloc.start()
    total = sum(float(image[0, 0]) for _, image in rescaled(frames, comparable=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == sum(range(60))
    assert peak < 60 * 256 * 256 * 2 / 3


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit VR", "implicit VR"])
def test_files_without_file_meta_information_are_read(implicit: bool, tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(implicit=implicit))
    expected = load(tmp_path)
    for path in files:
        ds = pydicom.dcmread(path)
        ds.preamble, ds.file_meta = None, pydicom.dataset.FileMetaDataset()
        ds.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[:2] == b"\x08\x00"
    assert_same_study(load(tmp_path), expected)


def test_pixels_that_no_decoder_takes_are_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    reencode(files[3], SYNTAXES["JPEG-LS lossless"])
    ds = pydicom.dcmread(files[3])
    assert ds.file_meta.TransferSyntaxUID != ExplicitVRLittleEndian
    ds.PixelData = pydicom.encaps.encapsulate([bytes(200)])
    ds.save_as(files[3])
    with pytest.raises(UserError, match="pixels cannot be read") as caught:
        load(tmp_path)
    assert str(files[3]) in str(caught.value)
