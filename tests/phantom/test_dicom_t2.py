import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from tests.annotations.opened import read_annotation
from tests.phantom.dicom_build import ENCODINGS, VENDORS, small_mask, small_study
from tests.polygons import inside
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import require_studies
from uteroseg.imaging.resample import resample_mask
from uteroseg.phantom.dialects import dialect_of
from uteroseg.phantom.dicom_files import write_dicom
from uteroseg.phantom.dicom_masks import list_masks
from uteroseg.phantom.dicom_rtstruct import Roi, write_rtstruct
from uteroseg.phantom.dicom_series import Identity, ImageSeries
from uteroseg.phantom.t2 import FINER, T2Image, t2_grid


def t2_of(study):
    grid = t2_grid(study.geometry)
    fine = np.repeat(np.repeat(small_mask(study.geometry).data, FINER, axis=1), FINER, axis=2)
    signal = np.random.default_rng(1).integers(0, 4096, grid.shape).astype(np.float32)
    return T2Image(signal, grid, fine.astype(np.float32))


def write(folder, study, **options):
    write_dicom(study, folder, patient_id="virtual-1", seed=3, t2=t2_of(study), **options)
    return folder


def files(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def rasterised(structure_set, t2, images):
    """The first region on the grid of the T2: by each contour's image, points in its rows and columns."""
    slices = {image.SOPInstanceUID: image.InstanceNumber - 1 for image in images}
    outlines = {number: [] for number in slices.values()}
    for contour in structure_set.ROIContourSequence[0].get("ContourSequence", []):
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        assert len(points) == contour.NumberOfContourPoints
        index = t2.geometry.to_index(points)
        number = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        np.testing.assert_allclose(index[:, 0], number, atol=1e-3)
        outlines[number].append(index[:, 1:])
    return np.stack([inside(outlines[number], t2.geometry.shape[1:]) for number in sorted(outlines)])


@pytest.mark.parametrize("plane", ["sagittal", "axial"])
def test_contours_bring_back_the_tumour_on_the_t2_grid(plane, tmp_path):
    study = small_study(plane)
    folder, t2 = write(tmp_path / "out", study), t2_of(study)
    images = files(folder / "t2")
    np.testing.assert_array_equal(np.stack([image.pixel_array for image in images]), t2.signal)
    drawn = rasterised(pydicom.dcmread(folder / "rtstruct.dcm"), t2, images)
    truth = t2.mask.data
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) >= 0.97


def test_the_structure_set_names_the_tumour_its_colour_and_the_t2(tmp_path):
    folder = write(tmp_path / "out", small_study())
    t2, dwi = files(folder / "t2"), files(folder / "dwi")
    drawn = pydicom.dcmread(folder / "rtstruct.dcm")
    assert drawn.StructureSetROISequence[0].ROIName == "Tumour"
    assert list(drawn.ROIContourSequence[0].ROIDisplayColor) == [0, 235, 235]
    (frame,) = drawn.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == t2[0].SeriesInstanceUID
    referenced = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert referenced == [image.SOPInstanceUID for image in t2]
    for keyword in ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID"):
        assert drawn[keyword].value == t2[0][keyword].value == dwi[0][keyword].value
    assert not (folder / "seg.dcm").exists()


def test_a_region_with_a_hole_says_so_and_an_empty_one_has_no_contours(tmp_path):
    study = small_study()
    ring = np.zeros(study.geometry.shape)
    ring[2, 5:15, 5:15] = 1
    ring[2, 8:10, 8:10] = 0
    identity = Identity("p", "", 1, "test")
    series = ImageSeries(study.geometry, {}, identity, dialect_of("ge"), "t2", ())
    rois = [Roi("ROI", (0, 235, 235), ring), Roi("ROI", (255, 0, 255), ring * 0)]
    write_rtstruct(tmp_path / "rt.dcm", rois, series)
    first, second = pydicom.dcmread(tmp_path / "rt.dcm").ROIContourSequence
    assert [c.ContourGeometricType for c in first.ContourSequence] == ["CLOSEDPLANAR_XOR"] * 2
    assert "ContourSequence" not in second


def test_a_segmentation_on_the_t2_is_on_its_grid_and_names_its_images(tmp_path):
    study = small_study()
    folder, t2 = write(tmp_path / "out", study, t2_annotation="seg"), t2_of(study)
    mask = read_annotation(folder / "seg.dcm")  # of the slices with tumour
    assert mask.geometry.spacing == pytest.approx(t2.geometry.spacing)
    np.testing.assert_array_equal(resample_mask(mask, t2.geometry).data, t2.mask.data)
    (series,) = pydicom.dcmread(folder / "seg.dcm").ReferencedSeriesSequence
    assert series.SeriesInstanceUID == files(folder / "t2")[0].SeriesInstanceUID
    assert not (folder / "rtstruct.dcm").exists()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_no_vendors_t2_is_taken_for_diffusion(vendor, encoding, tmp_path):
    folder = write(tmp_path / "out", small_study(), vendor=vendor, encoding=encoding)
    (found,) = require_studies(scan_folder(folder), folder)
    assert [series.number for series in (*found.dwi, found.adc)] == [5, 6]
    assert {series.kind for series in found.others} == {SeriesKind.T2, SeriesKind.RTSTRUCT}


def test_the_same_arguments_give_the_same_bytes_and_the_table_names_what_was_drawn(tmp_path):
    first, again = (write(tmp_path / name / "p", small_study()) for name in "ab")
    for path in ("rtstruct.dcm", "t2/MR0001.dcm"):
        assert (first / path).read_bytes() == (again / path).read_bytes()
    list_masks(tmp_path / "a")
    assert (tmp_path / "a" / "annotations.csv").read_text().splitlines()[1:] == ["p,p/rtstruct.dcm,"]


@pytest.mark.parametrize("annotation", ["rtstruct", "seg"])
def test_without_a_tumour_nothing_is_drawn_on_the_t2(annotation, tmp_path):
    study = small_study()
    without = replace(t2_of(study), coverage=np.zeros(t2_grid(study.geometry).shape, np.float32))
    folder = tmp_path / "out"
    write_dicom(study, folder, patient_id="virtual-1", seed=3, t2=without, t2_annotation=annotation)
    assert sorted(path.name for path in folder.iterdir()) == ["adc", "dwi", "t2"]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
@pytest.mark.parametrize("annotation", ["rtstruct", "seg"])
def test_dciodvfy_finds_no_errors(annotation, tmp_path):
    folder = write(tmp_path / "out", small_study(), t2_annotation=annotation)
    for path in (folder / "t2" / "MR0001.dcm", folder / f"{annotation}.dcm"):
        told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        printed = told.stdout + told.stderr
        assert any(kind in printed for kind in ("MRImage", "RTStructureSet", "Segmentation"))
        assert [line for line in printed.splitlines() if line.startswith("Error")] == []
