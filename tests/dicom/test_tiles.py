"""Several slices in one plane, against nibabel, dcm2niix and the same volume as separate slices."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
import pytest
from nibabel.nicom.dicomwrappers import MosaicWrapper
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import ORIENTATIONS, Recipe, edit, standard, truncate, united_imaging, write_series
from .build_frames import reencode, write_enhanced, write_mosaics, write_vframes


def no_b_value(ds: Dataset, b: float) -> None:
    """The CSA header that every mosaic has holds it."""


MOSAIC = Recipe(orientation="oblique", dialect=no_b_value)
VFRAME = Recipe(orientation="oblique", manufacturer="UIH", dialect=united_imaging)


def load(folder: Path) -> DwiStudy:
    return load_study(scan_folder(folder).series)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    return str(caught.value)


def assert_same_study(found: DwiStudy, expected: DwiStudy) -> None:
    np.testing.assert_array_equal(found.signal, expected.signal)
    np.testing.assert_allclose(found.geometry.affine, expected.geometry.affine, atol=1e-5)
    assert found.b_values == expected.b_values


def assert_is_that_of_dcm2niix(study: DwiStudy, folder: Path, out: Path) -> None:
    out.mkdir()
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("*.nii")
    ours = nib.as_closest_canonical(nib.Nifti1Image(study.signal.T, study.geometry.nifti_affine))
    theirs = nib.as_closest_canonical(nib.load(path))
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())


@pytest.mark.parametrize("reverse", [False, True], ids=["along the normal", "against the normal"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mosaic_is_the_same_study_as_separate_slices(
    orientation: str, reverse: bool, tmp_path: Path
) -> None:
    write_series(tmp_path / "slices", Recipe(orientation=orientation))
    write_mosaics(tmp_path / "mosaic", Recipe(orientation=orientation, dialect=no_b_value), reverse=reverse)
    assert_same_study(load(tmp_path / "mosaic"), load(tmp_path / "slices"))


@pytest.mark.parametrize("slices", [1, 4, 5, 9, 10])
def test_the_grid_of_a_mosaic_is_the_smallest_square_that_holds_its_slices(
    slices: int, tmp_path: Path
) -> None:
    write_series(tmp_path / "slices", Recipe(slices=slices))
    write_mosaics(tmp_path / "mosaic", Recipe(slices=slices, dialect=no_b_value))
    assert_same_study(load(tmp_path / "mosaic"), load(tmp_path / "slices"))


@pytest.mark.parametrize("reverse", [False, True], ids=["along the normal", "against the normal"])
def test_a_mosaic_lies_where_nibabel_puts_it(reverse: bool, tmp_path: Path) -> None:
    files = write_mosaics(tmp_path, MOSAIC, reverse=reverse)
    study = load(tmp_path)
    theirs = MosaicWrapper(pydicom.dcmread(files[1]))
    pixels = np.asarray(theirs.get_data())
    assert pixels.shape == (12, 10, 5)
    for s in range(5):
        point = theirs.affine @ (0, 0, s, 1)
        distances = [np.linalg.norm(study.geometry.to_patient((k, 0, 0)) - point[:3]) for k in range(5)]
        nearest = int(np.argmin(distances))
        assert distances[nearest] < 1e-3
        np.testing.assert_array_equal(study.signal[1, nearest], pixels[..., s])
    corner = theirs.affine @ (11, 9, 0, 1)
    ours = study.geometry.to_patient((4 if reverse else 0, 11, 9))
    np.testing.assert_allclose(ours, corner[:3], atol=1e-3)


@pytest.mark.parametrize("reverse", [False, True], ids=["along the normal", "against the normal"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mosaic_is_that_of_dcm2niix(orientation: str, reverse: bool, tmp_path: Path) -> None:
    recipe = Recipe(orientation=orientation, dialect=no_b_value)
    write_mosaics(tmp_path / "in", recipe, reverse=reverse)
    assert_is_that_of_dcm2niix(load(tmp_path / "in"), tmp_path / "in", tmp_path / "out")


def test_a_mosaics_b_values_come_from_the_csa_header_where_nothing_else_holds_them(tmp_path: Path) -> None:
    write_mosaics(tmp_path, MOSAIC)
    study = load(tmp_path)
    assert study.b_values == (0, 500, 1000)
    assert study.acquisition["b_value_source"] == "Siemens CSA header (0029,1010) B_value"


def test_the_number_of_slices_can_stand_outside_the_csa_header(tmp_path: Path) -> None:
    def private(ds: Dataset) -> None:
        block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", 5)

    recipe = Recipe(orientation="oblique", dialect=no_b_value, adjust=private)
    write_mosaics(tmp_path / "mosaic", recipe, csa=lambda tags: tags.pop("NumberOfImagesInMosaic"))
    write_series(tmp_path / "slices", Recipe(orientation="oblique"))
    assert_same_study(load(tmp_path / "mosaic"), load(tmp_path / "slices"))


Csa = dict[str, tuple[str, Sequence[str]]]


@pytest.mark.parametrize(
    ("csa", "change", "said"),
    [
        (dict.clear, None, "how many slices (NumberOfImagesInMosaic), which way they run"),
        (lambda tags: tags.pop("NumberOfImagesInMosaic"), None, "does not say how many slices"),
        (lambda tags: tags.update(NumberOfImagesInMosaic=("US", ["0"])), None, "does not say how many"),
        (lambda tags: tags.pop("SliceNormalVector"), None, "does not say which way they run"),
        (
            lambda tags: tags.update(SliceNormalVector=("FD", ["1", "0", "0"])),
            None,
            "not at right angles",
        ),
        (
            lambda tags: tags.update(SliceNormalVector=("FD", ["0", "0", "0"])),
            None,
            "not at right angles",
        ),
        (None, lambda ds: ds.pop("SpacingBetweenSlices"), "does not say how far apart"),
        (
            lambda tags: tags.update(NumberOfImagesInMosaic=("US", ["17"])),
            None,
            "which 5×5 slices do not fill evenly",
        ),
        (
            None,
            lambda ds: setattr(ds[0x0029, 0x1010], "value", ds[0x0029, 0x1010].value[:300]),
            "does not say how many",
        ),
    ],
    ids=["no CSA", "no number", "0 slices", "no normal", "tilted", "zero", "no gap", "uneven", "CSA cut"],
)
def test_a_mosaic_that_cannot_be_undone_is_refused_by_name(
    csa: Callable[[Csa], None] | None, change: Callable[[Dataset], None] | None, said: str, tmp_path: Path
) -> None:
    files = write_mosaics(
        tmp_path, Recipe(orientation="oblique", dialect=standard), csa=csa or (lambda tags: None)
    )
    if change:
        for path in files:
            edit(path, change)
    message = refusal(tmp_path)
    assert f"{files[0]} holds all slices of a volume in one image (mosaic)" in message
    assert said in message


def test_a_mosaic_without_position_is_refused_by_name(tmp_path: Path) -> None:
    files = write_mosaics(tmp_path, MOSAIC)
    edit(files[0], lambda ds: ds.pop("ImagePositionPatient"))
    assert f"{files[0]} does not say where or how its image lies" in refusal(tmp_path)


def test_a_compressed_mosaic_is_the_same_study(tmp_path: Path) -> None:
    files = write_mosaics(tmp_path, MOSAIC)
    expected = load(tmp_path)
    for path in files:
        reencode(path, JPEGLSLossless)
    assert_same_study(load(tmp_path), expected)


def test_a_truncated_mosaic_is_refused_by_name(tmp_path: Path) -> None:
    files = write_mosaics(tmp_path, MOSAIC)
    truncate(files[1], -200)
    assert str(files[1]) in refusal(tmp_path)


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit VR", "implicit VR"])
@pytest.mark.parametrize("slices", [1, 2, 5, 9, 10])
def test_united_imaging_tiles_are_the_same_study_as_separate_slices(
    slices: int, implicit: bool, tmp_path: Path
) -> None:
    recipe = Recipe(
        orientation="oblique",
        slices=slices,
        manufacturer="UIH",
        dialect=united_imaging,
        implicit=implicit,
    )
    write_series(tmp_path / "slices", recipe)
    write_vframes(tmp_path / "tiles", recipe)
    found = load(tmp_path / "tiles")
    assert found.b_values == (1, 500, 1000)
    assert_same_study(found, load(tmp_path / "slices"))


def test_united_imaging_tiles_reexported_as_unknown_bytes_are_read(tmp_path: Path) -> None:
    files = write_vframes(tmp_path, Recipe(manufacturer="UIH", dialect=united_imaging, implicit=True))
    expected = load(tmp_path)
    for path in files:
        ds = pydicom.dcmread(path)  # implicit VR: an unknown private sequence of known length is bytes
        assert isinstance(ds[0x0065, 0x1051].value, bytes)
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        ds.save_as(path, implicit_vr=False, little_endian=True)
    assert_same_study(load(tmp_path), expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_united_imaging_tiles_are_those_of_dcm2niix(orientation: str, tmp_path: Path) -> None:
    recipe = Recipe(orientation=orientation, manufacturer="UIH", dialect=united_imaging)
    write_vframes(tmp_path / "in", recipe)
    assert_is_that_of_dcm2niix(load(tmp_path / "in"), tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ds: ds.__delitem__((0x0065, 0x1051)), "holds positions for 0 of 5 slices"),
        (lambda ds: ds[0x0065, 0x1051].value.pop(), "holds positions for 4 of 5 slices"),
        (
            lambda ds: ds[0x0065, 0x1051].value[2].pop("ImagePositionPatient"),
            "holds positions for 4 of 5 slices",
        ),
        (
            lambda ds: [ds.__delitem__((0x0065, n)) for n in (0x1050, 0x1051)],
            "holds positions for 0 of 0 slices",
        ),
        (lambda ds: setattr(ds, "Rows", 23), "23×30 pixels, which 2×3 slices do not fill evenly"),
    ],
    ids=["no positions", "one item less", "one position less", "nothing", "uneven"],
)
def test_united_imaging_tiles_without_their_positions_are_refused_by_name(
    change: Callable[[Dataset], None], said: str, tmp_path: Path
) -> None:
    files = write_vframes(tmp_path, VFRAME)
    edit(files[0], change)
    message = refusal(tmp_path)
    assert f"{files[0]} holds all slices of a volume in one image (United Imaging VFRAME)" in message
    assert said in message


@pytest.mark.parametrize(("kind", "name"), [("MOSAIC", "mosaic"), ("VFRAME", "United Imaging VFRAME")])
def test_an_enhanced_file_of_tiles_is_refused_by_name(kind: str, name: str, tmp_path: Path) -> None:
    recipe = Recipe(image_type=("ORIGINAL", "PRIMARY", "DIFFUSION", kind))
    path = write_enhanced(tmp_path / "enhanced.dcm", recipe)
    assert f"{path} holds all slices of a volume in one image ({name})" in refusal(tmp_path)


def test_a_multi_frame_file_that_is_not_enhanced_mr_is_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe())
    edit(files[4], lambda ds: setattr(ds, "NumberOfFrames", 3))
    assert f"{files[4]} holds several frames" in refusal(tmp_path)
