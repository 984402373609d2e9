import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.sr.codedict import codes

from uteroseg.annotations.regions import Choice
from uteroseg.annotations.segmentation import read_seg
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.frames import frames_of
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.stack import arrange_map
from uteroseg.dicom.studies import FoundStudy, find_studies
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import DwiStudy, Mask

from .build import ORIENTATIONS, Recipe, write_series


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
    write_seg(path, mask, found.dwi, algorithm_name="model-1", algorithm_version="2", keep_empty_frames=True)
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


def dciodvfy_errors(path: Path) -> list[str]:
    """Errors, other than those that the source file already has, as dicom3tools' validator sees them."""
    printed = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
    assert "Segmentation" in printed  # it ran and recognised the object
    return [line for line in printed.splitlines() if line.startswith("Error")]


needs_dciodvfy = pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is absent")


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
        write_seg(out / "seg.dcm", mask, found.dwi, algorithm_name="m", algorithm_version="1")
    assert list(out.iterdir()) == []


@needs_dciodvfy
@pytest.mark.parametrize("orientation", ["sagittal", "oblique"])
def test_the_validator_finds_no_errors(orientation: str, tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe(orientation=orientation))
    found, study = study_in(tmp_path / "dwi")
    write(tmp_path / "seg.dcm", random_mask(study.geometry), found)
    assert dciodvfy_errors(tmp_path / "seg.dcm") == []


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
    if shutil.which("dciodvfy"):
        assert dciodvfy_errors(tmp_path / "seg.dcm") == []


SEGMENTS = [(1, "green", 1), (2, "ORANGE", 2), (3, "PURPLE", 3), (4, "LIGHT*", 1), (5, "dark_blue", 1)]


def test_another_tools_seg_is_read(real_data: Path) -> None:
    mask = read_seg(real_data / "dicom_seg" / "liver.dcm")
    truth = sitk.ReadImage(str(real_data / "dicom_seg" / "liver_seg.nrrd"))
    np.testing.assert_array_equal(mask.data, sitk.GetArrayFromImage(truth) > 0)
    point = truth.TransformIndexToPhysicalPoint((7, 5, 2))
    np.testing.assert_allclose(mask.geometry.to_patient((2, 5, 7)), point, atol=1e-3)


@pytest.mark.parametrize(("number", "name", "group"), SEGMENTS)
def test_every_one_of_overlapping_segments_is_that_of_its_truth(
    number: int, name: str, group: int, real_data: Path
) -> None:
    path = real_data / "dicom_seg" / "partial_overlaps.dcm"
    truth = sitk.ReadImage(str(real_data / "dicom_seg" / f"partial_overlaps-{group}.nrrd"))
    expected = sitk.GetArrayFromImage(truth) == number
    for choice in (Choice(number=number), Choice(name=name)):
        mask = read_seg(path, choice=choice)
        np.testing.assert_array_equal(mask.data, expected)
    np.testing.assert_allclose(mask.geometry.to_patient((0, 0, 0)), truth.GetOrigin(), atol=1e-3)


def test_a_sparse_label_map_is_read_where_its_frames_lie(real_data: Path) -> None:
    path = real_data / "dicom_seg" / "sparse-labelmap-noppv.dcm"
    mask, header = read_seg(path), pydicom.dcmread(path)
    assert mask.data.sum(axis=(1, 2)).tolist() == [315, 0, 315]
    assert mask.geometry.spacing == pytest.approx((2.5, 0.7, 0.7))
    for frame, pixels in zip(header.PerFrameFunctionalGroupsSequence, header.pixel_array, strict=True):
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        slice_index = round(float(mask.geometry.to_index(place)[0]))
        np.testing.assert_array_equal(mask.data[slice_index], pixels == 1)


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_fractional_segments_and_label_maps_are_read(kind: str, tmp_path: Path) -> None:
    files = write_series(tmp_path / "dwi", Recipe(orientation="oblique", b_values=(0,)))
    mask = random_mask(read_series_geometry(files))
    images = sorted(map(pydicom.dcmread, files), key=lambda ds: int(ds.InstanceNumber))
    pixels = mask.data * np.float32(0.8) + ~mask.data * np.float32(0.3)
    seg = hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels if kind == "FRACTIONAL" else mask.data.astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=1,
                segment_label="Tumour",
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Neoplasm,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
        ],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    seg.save_as(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(read_seg(tmp_path / "seg.dcm").data, mask.data)


@pytest.mark.parametrize(
    ("name", "choice", "found"),
    [
        ("partial_overlaps.dcm", Choice(), "holds 5 regions: 1 GREEN; 2 ORANGE"),
        ("partial_overlaps.dcm", Choice(number=9), "holds no region of number 9, it holds: 1 GREEN"),
        ("partial_overlaps.dcm", Choice(name="*BLUE"), "holds 2 regions of name .*4 LIGHT_BLUE; 5 DARK_BLUE"),
        ("source_ct/01.dcm", Choice(), "not a segmentation"),
        ("liver_seg.nrrd", Choice(), "cannot be read as DICOM"),
        ("nothing.dcm", Choice(), "does not exist"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    name: str, choice: Choice, found: str, real_data: Path
) -> None:
    with pytest.raises(UserError, match=found) as caught:
        read_seg(real_data / "dicom_seg" / name, choice=choice)
    assert name in caught.value.found


def test_a_truncated_seg_is_refused_by_name(tmp_path: Path) -> None:
    write_series(tmp_path / "dwi", Recipe())
    found, study = study_in(tmp_path / "dwi")
    path = tmp_path / "seg.dcm"
    write(path, random_mask(study.geometry), found)
    whole = path.read_bytes()
    for size in (len(whole) - 20, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"seg\.dcm"):
            read_seg(path)
