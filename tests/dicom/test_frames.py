"""Directions and trace images as each vendor writes them, and what becomes of them in a study."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.bvalues import BValue
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.gradient import direction, is_isotropic
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.study import DwiStudy

from .build import Recipe, edit, voxels, write_series
from .build_frames import write_enhanced

Vector = tuple[float, float, float]

DIRECTIONS: list[Vector] = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
WEIGHTED = BValue(800, "test")


def load(folder: Path) -> DwiStudy:
    (found,) = find_studies(scan_folder(folder))
    return load_study(found.used)


def standard(ds: Dataset, vector: Vector) -> None:
    ds.DiffusionGradientOrientation = list(vector)


def enhanced_item(ds: Dataset, vector: Vector) -> None:
    ds.DiffusionGradientDirectionSequence = [Dataset()]
    ds.DiffusionGradientDirectionSequence[0].DiffusionGradientOrientation = list(vector)


def siemens(ds: Dataset, vector: Vector) -> None:
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0E, "FD", list(vector))


def siemens_raw_bytes(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0E, "UN", struct.pack("<3d", *vector))


def ge(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for number, component in zip((0xBB, 0xBC, 0xBD), vector, strict=True):
        block.add_new(number, "DS", f"{component:.6f}")


def ge_raw_bytes(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for number, component in zip((0xBB, 0xBC, 0xBD), vector, strict=True):
        block.add_new(number, "UN", f"{component:<10.6f}".encode())


def philips(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    for number, component in zip((0xB0, 0xB1, 0xB2), vector, strict=True):
        block.add_new(number, "FL", component)


def philips_raw_bytes(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    for number, component in zip((0xB0, 0xB1, 0xB2), vector, strict=True):
        block.add_new(number, "UN", struct.pack("<f", component))


def united_imaging(ds: Dataset, vector: Vector) -> None:
    ds.private_block(0x0065, "Image Private Header", create=True).add_new(0x37, "FD", list(vector))


def united_imaging_raw_bytes(ds: Dataset, vector: Vector) -> None:
    block = ds.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x37, "UN", struct.pack("<3d", *vector))


CLASSIC = [
    standard,
    siemens,
    siemens_raw_bytes,
    ge,
    ge_raw_bytes,
    philips,
    philips_raw_bytes,
    united_imaging,
    united_imaging_raw_bytes,
]


@pytest.mark.parametrize("write", [*CLASSIC, enhanced_item])
def test_a_direction_is_read_as_each_vendor_writes_it(write: Callable[[Dataset, Vector], None]) -> None:
    ds = Dataset()
    write(ds, (0.6, 0, -0.8))
    assert direction(ds) == pytest.approx((0.6, 0, -0.8))
    assert not is_isotropic(ds, WEIGHTED)


@pytest.mark.parametrize("write", [*CLASSIC, enhanced_item])
def test_no_direction_at_a_b_value_above_0_is_the_scanners_trace(
    write: Callable[[Dataset, Vector], None],
) -> None:
    ds = Dataset()
    write(ds, (0, 0, 0))
    assert direction(ds) is None
    assert is_isotropic(ds, WEIGHTED)
    assert not is_isotropic(ds, BValue(0, "test"))
    assert not is_isotropic(Dataset(), WEIGHTED)


def directionality(ds: Dataset) -> None:
    ds.DiffusionDirectionality = "ISOTROPIC"


def siemens_directionality(ds: Dataset) -> None:
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0D, "OB", b"ISOTROPIC ")


def philips_directionality(ds: Dataset) -> None:
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x04, "CS", "I")


def philips_directionality_raw_bytes(ds: Dataset) -> None:
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x04, "UN", b"I ")


@pytest.mark.parametrize(
    "write",
    [directionality, siemens_directionality, philips_directionality, philips_directionality_raw_bytes],
)
def test_a_trace_image_is_known_as_each_vendor_marks_it(write: Callable[[Dataset], None]) -> None:
    ds = Dataset()
    write(ds)
    assert is_isotropic(ds, None)


@pytest.mark.parametrize("broken", [(1, 0), (), (1, 0, 0, 0)])
def test_anything_but_three_numbers_is_no_direction(broken: tuple[float, ...]) -> None:
    ds = Dataset()
    ds.DiffusionGradientOrientation = list(broken)
    assert direction(ds) is None
    assert not is_isotropic(ds, WEIGHTED)


def written_by(write: Callable[[Dataset, Vector], None]) -> Callable[[Dataset], None]:
    """Move the standard direction to where a vendor keeps it; make every direction's signal its own."""

    def adjust(ds: Dataset) -> None:
        if "DiffusionGradientOrientation" in ds:
            vector = tuple(ds.DiffusionGradientOrientation)
            del ds.DiffusionGradientOrientation
            del ds.DiffusionDirectionality
            factor = 1 + int(np.argmax(vector))
            ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) * factor).tobytes()
            write(ds, vector)

    return adjust


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit VR", "implicit VR"])
@pytest.mark.parametrize("write", CLASSIC)
def test_directions_of_every_vendor_combine_to_their_geometric_mean(
    write: Callable[[Dataset, Vector], None], implicit: bool, tmp_path: Path
) -> None:
    recipe = Recipe(
        b_values=(0, 800), directions=DIRECTIONS, adjust=written_by(write), implicit=implicit, slices=3
    )
    write_series(tmp_path, recipe)
    study = load(tmp_path)
    np.testing.assert_array_equal(study.signal[0, 2], voxels(0, 2))
    np.testing.assert_allclose(study.signal[1, 2], voxels(800, 2) * 6 ** (1 / 3), rtol=1e-5)


@pytest.mark.parametrize("marked", [True, False], ids=["marked I", "known by its zero direction"])
def test_philips_trace_mixed_among_the_directions_is_used_alone(marked: bool, tmp_path: Path) -> None:
    def adjust(ds: Dataset) -> None:
        last = list(ds.get("DiffusionGradientOrientation", ())) == [0, 0, 1]
        written_by(philips)(ds)
        if last:
            philips(ds, (0, 0, 0))
            if marked:
                philips_directionality(ds)

    recipe = Recipe(
        b_values=(0, 800), directions=DIRECTIONS, adjust=adjust, manufacturer="Philips Medical Systems"
    )
    write_series(tmp_path, recipe)
    np.testing.assert_array_equal(load(tmp_path).signal[1, 2], voxels(800, 2) * 3)


def test_enhanced_directions_and_trace_are_told_apart_per_frame(tmp_path: Path) -> None:
    def frame(group: Dataset, b: float, s: int) -> None:
        item = group.MRDiffusionSequence[0]
        item.DiffusionBValue = 0.0 if b == 0 else 800.0
        if b:
            item.DiffusionDirectionality = "ISOTROPIC" if b == 803 else "DIRECTIONAL"
        if b in (801, 802):
            enhanced_item(item, DIRECTIONS[int(b) - 801])

    write_enhanced(tmp_path / "enhanced.dcm", Recipe(b_values=(0, 801, 802, 803)), frame)
    study = load(tmp_path)
    assert study.b_values == (0, 800)
    np.testing.assert_array_equal(study.signal[1, 2], voxels(803, 2))


def philips_as_written(ds: Dataset, b: float) -> None:
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", b)


PHILIPS_B0 = Recipe(
    b_values=(0, 0.001, 0.002, 800), dialect=philips_as_written, manufacturer="Philips Medical Systems"
)


def test_philips_b_0_coded_as_0_and_thousandths_is_one_b_0(tmp_path: Path) -> None:
    write_series(tmp_path, PHILIPS_B0)
    study = load(tmp_path)
    assert study.b_values == (0, 800)
    three = [voxels(b, 2).astype(float) for b in (0, 0.001, 0.002)]
    np.testing.assert_allclose(study.signal[0, 2], np.prod(three, axis=0) ** (1 / 3), rtol=1e-5)


def test_a_copy_among_repeated_b_0_images_is_still_named(tmp_path: Path) -> None:
    files = write_series(tmp_path, PHILIPS_B0)
    edit(shutil.copy(files[7], tmp_path / "copy"), lambda ds: setattr(ds, "SOPInstanceUID", generate_uid()))
    with pytest.raises(UserError, match="twice") as caught:
        load(tmp_path)
    assert str(files[7]) in str(caught.value)


def test_a_low_b_value_that_is_reported_as_0_beside_b_0_is_refused_by_name(tmp_path: Path) -> None:
    files = write_series(tmp_path, Recipe(b_values=(0, 10, 800)))
    for path in files[5:10]:
        edit(path, lambda ds: setattr(ds, "DiffusionBValue", 0.0))
    with pytest.raises(UserError, match=r"b 0 at .* twice"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("image_type", "description"),
    [
        (("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "ep2d_diff_ADC"),
        (("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND", "ADC"), "ep2d_diff"),
        (("DERIVED", "PRIMARY", "DIFFUSION", "CALC_BVALUE", "TRACEW"), "ep2d_diff_CALC_BVAL"),
        (("DERIVED", "SECONDARY", "OTHER"), "cDWI b1400"),
        (("DERIVED", "PRIMARY", "DIFFUSION", "EADC"), "eADC"),
    ],
)
def test_maps_and_calculated_images_that_carry_a_b_value_are_no_source(
    image_type: tuple[str, ...], description: str, tmp_path: Path
) -> None:
    recipe = Recipe()
    write_series(tmp_path / "dwi", recipe)
    derived = Recipe(
        b_values=(1400,),
        image_type=image_type,
        description=description,
        number=4,
        study_uid=recipe.study_uid,
        frame_of_reference_uid=recipe.frame_of_reference_uid,
    )
    write_series(tmp_path / "derived", derived)
    study = load(tmp_path)
    assert study.b_values == (0, 500, 1000)
    np.testing.assert_array_equal(study.signal[2, 1], voxels(1000, 1))


def test_an_enhanced_file_without_position_is_refused_by_name(tmp_path: Path) -> None:
    path = write_enhanced(
        tmp_path / "enhanced.dcm", Recipe(), lambda group, b, s: group.pop("PlanePositionSequence")
    )
    (series,) = scan_folder(tmp_path).series
    with pytest.raises(UserError, match="does not say where or how its image lies") as caught:
        frames_of(series)
    assert str(path) in str(caught.value)
