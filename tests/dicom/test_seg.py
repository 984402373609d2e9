from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.opened import read_seg
from uteroseg.dicom.assemble import load_study, source_images
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import _rectangular, write_seg
from uteroseg.dicom.stack import arrange_map
from uteroseg.dicom.studies import FoundStudy, find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import DwiStudy, Mask

from .build import ORIENTATIONS, Recipe, write_series
from .build_damage import write_damaged
from .build_frames import write_enhanced
from .readers import by_dcmqi, by_highdicom, dciodvfy_errors


def study_in(folder: Path) -> tuple[FoundStudy, DwiStudy]:
    (found,) = find_studies(scan_folder(folder))
    return found, load_study(found.used)


def read_series_geometry(files: list[Path]) -> Geometry:
    """The grid of a series of one b-value."""
    (series,) = scan_folder(files[0].parent).series
    return arrange_map(frames_of(series), what="test")[0]


def random_mask(geometry: Geometry, seed: int = 0) -> Mask:
    return Mask(np.random.default_rng(seed).random(geometry.shape) > 0.6, geometry)


def write(path: Path, mask: Mask, found: FoundStudy) -> pydicom.Dataset:
    write_seg(
        path,
        mask,
        source_images(found.dwi),
        algorithm_name="model-1",
        algorithm_version="2",
        keep_empty_frames=True,
    )
    return pydicom.dcmread(path)


def foreground(seg: pydicom.Dataset) -> np.ndarray:
    """Patient coordinates of every voxel set in a SEG, from its own attributes alone, sorted."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    points = []
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        origin = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        for row, column in np.argwhere(pixels):
            points.append(origin + cosines[:3] * column * between_columns + cosines[3:] * row * between_rows)
    return in_order(np.array(points))


def in_order(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.round(3).T)]


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_voxel_lies_where_the_mask_has_it(orientation: str, descending: bool, tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe(orientation=orientation, descending=descending))
    found, study = study_in(tmp_path / "dwi")
    mask = random_mask(study.geometry)
    seg = write(tmp_path / "seg.dcm", mask, found)
    expected = study.geometry.to_patient(np.argwhere(mask.data))
    np.testing.assert_allclose(foreground(seg), in_order(expected), atol=1e-3)


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_reading_back_gives_the_same_mask_on_the_same_grid(
    orientation: str, descending: bool, tmp_path: Path
) -> None:
    write_series(tmp_path / "dwi", Recipe(orientation=orientation, descending=descending))
    found, study = study_in(tmp_path / "dwi")
    mask = random_mask(study.geometry)
    write(tmp_path / "seg.dcm", mask, found)
    back = read_seg(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(back.data, mask.data)
    np.testing.assert_allclose(back.geometry.affine, mask.geometry.affine, atol=1e-6)


def test_each_frame_references_the_image_at_its_position_of_the_lowest_b_value(tmp_path: Path) -> None:
    files = write_series(tmp_path / "dwi", Recipe(orientation="oblique", descending=True))
    found, study = study_in(tmp_path / "dwi")
    seg = write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    lowest = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, files[:5])}
    assert len(seg.PerFrameFunctionalGroupsSequence) == 5
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        np.testing.assert_allclose(
            frame.PlanePositionSequence[0].ImagePositionPatient,
            lowest[source.ReferencedSOPInstanceUID].ImagePositionPatient,
            atol=1e-6,
        )
    (series,) = seg.ReferencedSeriesSequence
    assert {i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence} == set(lowest)


def test_it_says_what_it_is_and_what_it_is_not_for(tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe())
    found, study = study_in(tmp_path / "dwi")
    seg = write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    (segment,) = seg.SegmentSequence
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    category = segment.SegmentedPropertyCategoryCodeSequence[0]
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning) == ("108369006", "SCT", "Neoplasm")
    assert (category.CodeValue, category.CodingSchemeDesignator) == ("49755003", "SCT")
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("model-1", "2")
    assert (seg.SegmentationType, seg.Manufacturer, seg.Modality) == ("BINARY", "uteroseg", "SEG")
    assert "Research use, not for diagnosis" in seg.SeriesDescription
    assert seg.ContentDescription == "Research use, not for diagnosis"
    assert seg.StudyInstanceUID == found.study_uid
    assert seg.FrameOfReferenceUID == found.dwi[0].frame_of_reference_uid


def test_an_empty_mask_is_written_and_read(tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe(orientation="sagittal"))
    found, study = study_in(tmp_path / "dwi")
    empty = Mask(np.zeros(study.geometry.shape, bool), study.geometry)
    seg = write(tmp_path / "seg.dcm", empty, found)
    assert not seg.pixel_array.any()
    back = read_seg(tmp_path / "seg.dcm")
    assert not back.data.any()
    assert back.geometry.difference(study.geometry, tolerance_mm=1e-3) is None


def test_sources_that_lost_attributes_to_de_identification_are_enough(tmp_path: Path) -> None:
    def strip(ds: pydicom.Dataset) -> None:
        for keyword in ("PatientName", "PatientSex", "StudyDate", "AccessionNumber", "FrameOfReferenceUID"):
            del ds[keyword]

    write_series(tmp_path / "dwi", Recipe(adjust=strip))
    found, study = study_in(tmp_path / "dwi")
    mask = random_mask(study.geometry)
    write(tmp_path / "seg.dcm", mask, found)
    np.testing.assert_array_equal(read_seg(tmp_path / "seg.dcm").data, mask.data)


def test_a_mask_on_another_grid_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe())
    found, study = study_in(tmp_path / "dwi")
    affine = study.geometry.affine.copy()
    affine[0, 3] += 5
    mask = Mask(np.zeros(study.geometry.shape, bool), Geometry(study.geometry.shape, affine))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError, match="grids differ"):
        write_seg(out / "seg.dcm", mask, source_images(found.dwi), algorithm_name="m", algorithm_version="1")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("kept", [False, True], ids=["sparse", "every frame"])
@pytest.mark.parametrize("slices", [(2,), (0, 3), (1, 2, 4), ()], ids=str)
def test_others_find_the_same_voxels_whatever_slices_have_tumour(
    slices: tuple[int, ...], kept: bool, tmp_path: Path
) -> None:
    write_series(tmp_path / "dwi", Recipe(orientation="oblique"))
    found, study = study_in(tmp_path / "dwi")
    mask = Mask(np.zeros(study.geometry.shape, bool), study.geometry)
    mask.data[slices, 2:5, 3:9] = True
    path = tmp_path / "seg.dcm"
    seg = write_seg(
        path,
        mask,
        source_images(found.dwi),
        algorithm_name="m",
        algorithm_version="1",
        keep_empty_frames=kept,
    )
    assert int(seg.NumberOfFrames) == (len(slices) if slices and not kept else 5)
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SpacingBetweenSlices == measures.SliceThickness == pytest.approx(4)
    np.testing.assert_array_equal(by_highdicom(path, study.geometry), mask.data)
    np.testing.assert_array_equal(by_dcmqi(path, study.geometry), mask.data)
    assert dciodvfy_errors(path) == []


def test_images_of_several_series_are_referred_to_in_theirs(tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe())
    found, study = study_in(tmp_path / "dwi")
    for number, header in enumerate(found.dwi[0].headers):
        header.SeriesInstanceUID = f"1.2.{number}"
    seg = write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    expected = {h.SOPInstanceUID: h.SeriesInstanceUID for h in found.dwi[0].headers[:5]}
    referred = {
        instance.ReferencedSOPInstanceUID: series.SeriesInstanceUID
        for series in seg.ReferencedSeriesSequence
        for instance in series.ReferencedInstanceSequence
    }
    assert referred == expected


@pytest.mark.parametrize("dialect", ["siemens mosaic", "uih tiles"])
def test_slices_of_one_file_refer_to_it_without_a_frame(dialect: str, tmp_path: Path) -> None:
    write_damaged(tmp_path / "dwi", dialect, "oblique")
    found, study = study_in(tmp_path / "dwi")
    seg = write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    lowest = found.dwi[0].headers[0].SOPInstanceUID
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == lowest
        assert "ReferencedFrameNumber" not in source
        assert source.SpatialLocationsPreserved == "NO"
    ((instance,),) = [series.ReferencedInstanceSequence for series in seg.ReferencedSeriesSequence]
    assert instance.ReferencedSOPInstanceUID == lowest


def test_slices_of_an_enhanced_file_refer_to_its_frames(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "dwi" / "1.dcm", Recipe(b_values=(800, 0), orientation="sagittal"))
    found, study = study_in(tmp_path / "dwi")
    seg = write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    source = pydicom.dcmread(tmp_path / "dwi" / "1.dcm")
    numbers = []
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (image,) = frame.DerivationImageSequence[0].SourceImageSequence
        numbers.append(int(image.ReferencedFrameNumber))
        group = source.PerFrameFunctionalGroupsSequence[numbers[-1] - 1]
        np.testing.assert_allclose(
            frame.PlanePositionSequence[0].ImagePositionPatient,
            group.PlanePositionSequence[0].ImagePositionPatient,
            atol=1e-6,
        )
    assert sorted(numbers) == [6, 7, 8, 9, 10]  # those of b 0


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 30), st.integers(2, 160), st.integers(2, 160)),
    st.floats(1.5, 3),
    st.floats(2, 5),
)
def test_rounded_directions_and_positions_are_set_right_around_the_centre(
    seed: int, shape: tuple[int, int, int], pixel: float, gap: float
) -> None:
    rng = np.random.default_rng(seed)
    columns, rows, _ = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    slices = np.arange(max(shape[0], 2))[:, None] * gap * np.cross(columns, rows)
    places = np.round(slices + rng.uniform(-200, 200, 3), 1)
    rounded = Geometry.from_dicom(
        shape,
        position=places[0],
        orientation=np.round([*columns, *rows], 3),
        pixel_spacing=(pixel, pixel),
        slice_step=(places[-1] - places[0]) / (len(places) - 1),
    )
    grid = _rectangular(rounded)
    axes = grid.affine[:3, :3] / np.array(grid.spacing)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert rounded.difference(grid, tolerance_mm=0.25 * pixel) is None
    middle = (np.array(shape) - 1) / 2
    np.testing.assert_allclose(grid.to_patient(middle), rounded.to_patient(middle), atol=1e-9)


def test_a_grid_that_is_skewed_by_more_than_rounding_is_written_as_it_is(tmp_path: Path) -> None:
    def lean(ds: pydicom.Dataset) -> None:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [float(x) + 0.1 * float(z), y, z]

    write_series(tmp_path / "dwi", Recipe(adjust=lean))
    found, study = study_in(tmp_path / "dwi")
    mask = random_mask(study.geometry)
    seg = write(tmp_path / "seg.dcm", mask, found)
    expected = study.geometry.to_patient(np.argwhere(mask.data))
    np.testing.assert_allclose(foreground(seg), in_order(expected), atol=1e-3)


REAL = ["prostatex/0000", "siemens_xa30_enhanced", "canon_galan/enhanced"]


@pytest.mark.parametrize("folder", REAL)
def test_real_studies_round_trip(folder: str, real_data: Path, tmp_path: Path) -> None:
    found, study = study_in(real_data / folder)
    data = np.zeros(study.geometry.shape, bool)
    data[3:9, 20:50, 15:40] = True
    data[5, 60, 10] = True
    seg = write(tmp_path / "seg.dcm", Mask(data, study.geometry), found)
    expected = study.geometry.to_patient(np.argwhere(data))
    np.testing.assert_allclose(foreground(seg), in_order(expected), atol=1e-3)
    back = read_seg(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(back.data, data)
    assert back.geometry.difference(study.geometry, tolerance_mm=1e-3) is None
    for frame in seg.PerFrameFunctionalGroupsSequence:
        assert len(frame.DerivationImageSequence[0].SourceImageSequence) == 1
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []
