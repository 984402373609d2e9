"""SEG and SR of one mask, for every orientation and encoding: valid, and others find the same voxels."""

import highdicom as hd
import numpy as np
import pydicom
import pytest

from tests.annotations.opened import read_seg
from tests.dicom.readers import dciodvfy_errors
from tests.dicom.test_seg import foreground, in_order, study_in
from tests.grids import grid
from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.sr import write_sr
from uteroseg.imaging.measure import AdcStatistics, adc_statistics, maximum_diameter_mm, volume_ml
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.dicom_files import write_dicom

VALUE = {"Volume": "cm3", "Diameter": "mm", "Apparent Diffusion Coefficient": "um2/s"}


def scanned(folder, orientation="sagittal", encoding="classic"):
    """A small study as DICOM, found again, with a mask without symmetry."""
    geometry = grid(orientation, (6, 14, 11))
    rng = np.random.default_rng(3)
    at_b0 = rng.uniform(500, 3000, geometry.shape)
    adc = rng.uniform(0.8, 2.0, geometry.shape)
    signal = np.stack([np.rint(at_b0 * np.exp(-b / 1000 * adc)) for b in (0, 800)])
    write_dicom(
        DwiStudy(signal.astype(np.float32), (0.0, 800.0), geometry),
        folder,
        patient_id="p",
        seed=1,
        vendor="siemens",
        encoding=encoding,
    )
    found, study = study_in(folder)
    data = np.zeros(study.geometry.shape, bool)
    data[1:3, 4:9, 2:5] = data[4, 12, 10] = True
    return found, study, Mask(data, study.geometry)


def write_both(folder, found, study, mask, **options):
    seg = write_seg(
        folder / "seg.dcm",
        mask,
        source_images(found.dwi),
        algorithm_name="m",
        algorithm_version="1",
        **options,
    )
    adc = adc_statistics(mask, study.fit().adc)
    measured = {"volume_ml": volume_ml(mask), "diameter_mm": maximum_diameter_mm(mask), "adc": adc}
    write_sr(folder / "sr.dcm", seg, **measured)
    return measured


def numbers(report):
    """Every number of a report by its name and derivation, from its attributes alone."""
    found = {}
    for item in walk(report):
        if item.get("ValueType") == "NUM":
            name = item.ConceptNameCodeSequence[0].CodeMeaning
            value = item.MeasuredValueSequence[0]
            assert value.MeasurementUnitsCodeSequence[0].CodeValue == VALUE[name]
            how = [
                inner.ConceptCodeSequence[0].CodeMeaning
                for inner in item.get("ContentSequence") or ()
                if inner.ConceptNameCodeSequence[0].CodeValue == "121401"  # derivation
            ]
            found[name, *how] = float(value.NumericValue)
    return found


def walk(item):
    yield item
    for inner in item.get("ContentSequence") or ():
        yield from walk(inner)


@pytest.mark.parametrize("keep_empty_frames", [False, True], ids=["sparse", "every frame"])
@pytest.mark.parametrize("encoding", ["classic", "enhanced"])
@pytest.mark.parametrize("orientation", ["sagittal", "axial", "oblique", "negated columns"])
def test_seg_and_sr_are_valid_and_others_find_the_same_voxels(
    orientation, encoding, keep_empty_frames, tmp_path
):
    found, study, mask = scanned(tmp_path / "scan", orientation, encoding)
    measured = write_both(tmp_path, found, study, mask, keep_empty_frames=keep_empty_frames)
    for name in ("seg.dcm", "sr.dcm"):
        assert dciodvfy_errors(tmp_path / name) == []

    seg, report = (pydicom.dcmread(tmp_path / name) for name in ("seg.dcm", "sr.dcm"))
    assert int(seg.NumberOfFrames) == (6 if keep_empty_frames else 3)
    voxels = in_order(study.geometry.to_patient(np.argwhere(mask.data)))
    np.testing.assert_allclose(foreground(seg), voxels, atol=1e-3)
    volume = hd.seg.segread(tmp_path / "seg.dcm").get_volume(segment_numbers=[1], combine_segments=True)
    seen = np.argwhere(volume.array > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    np.testing.assert_allclose(in_order(seen), voxels, atol=1e-3)
    back = read_seg(tmp_path / "seg.dcm")
    np.testing.assert_allclose(in_order(back.geometry.to_patient(np.argwhere(back.data))), voxels, atol=1e-3)

    assert numbers(report) == pytest.approx(
        {
            ("Volume",): measured["volume_ml"],
            ("Diameter", "Maximum"): measured["diameter_mm"],
            ("Apparent Diffusion Coefficient", "Mean"): measured["adc"].mean * 1000,
            ("Apparent Diffusion Coefficient", "Median"): measured["adc"].median * 1000,
            ("Apparent Diffusion Coefficient", "10th Intensity Percentile"): measured["adc"].p10 * 1000,
            ("Apparent Diffusion Coefficient", "90th Intensity Percentile"): measured["adc"].p90 * 1000,
        },
        abs=2e-3,
    )


def test_the_report_refers_to_the_segment_and_to_the_study_it_is_of(tmp_path):
    found, study, mask = scanned(tmp_path / "scan")
    write_both(tmp_path, found, study, mask, site="uterus")
    seg, report = pydicom.dcmread(tmp_path / "seg.dcm"), hd.sr.srread(tmp_path / "sr.dcm")
    assert (report.StudyInstanceUID, report.PatientID) == (found.study_uid, "p")
    assert report.SeriesInstanceUID != seg.SeriesInstanceUID
    assert "Research use, not for diagnosis" in report.SeriesDescription
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.reference_type.value == "121191"  # referenced segment
    segment = group.referenced_segment
    assert segment.referenced_sop_instance_uid == seg.SOPInstanceUID
    assert segment.source_series_for_segmentation.value == found.dwi[0].series_uid
    assert group.tracking_uid == seg.SegmentSequence[0].TrackingUID
    assert group.finding_type.value == "108369006"
    assert [site.value.value for site in group.finding_sites] == ["35039007"]
    region = seg.SegmentSequence[0].AnatomicRegionSequence[0]
    assert (region.CodeValue, region.CodingSchemeDesignator) == ("35039007", "SCT")
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == seg.SOPInstanceUID


def test_images_of_several_series_are_named_each(tmp_path):
    found, study, mask = scanned(tmp_path / "scan")
    for number, header in enumerate(found.dwi[0].headers):
        header.SeriesInstanceUID = f"1.2.{number}"
    write_both(tmp_path, found, study, mask)
    report = hd.sr.srread(tmp_path / "sr.dcm")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    named = [
        image.referenced_sop_instance_uid for image in group.referenced_segment.source_images_for_segmentation
    ]
    assert named == [header.SOPInstanceUID for header in found.dwi[0].headers[:6]]
    assert dciodvfy_errors(tmp_path / "sr.dcm") == []


def test_a_mask_without_tumour_has_a_volume_of_nothing_and_no_diameter(tmp_path):
    found, study, mask = scanned(tmp_path / "scan")
    empty = Mask(np.zeros_like(mask.data), mask.geometry)
    write_both(tmp_path, found, study, empty)
    assert numbers(pydicom.dcmread(tmp_path / "sr.dcm")) == {("Volume",): 0}
    assert int(pydicom.dcmread(tmp_path / "seg.dcm").NumberOfFrames) == 6
    for name in ("seg.dcm", "sr.dcm"):
        assert dciodvfy_errors(tmp_path / name) == []


def test_a_tumour_without_adc_has_none_in_the_report(tmp_path):
    found, _, mask = scanned(tmp_path / "scan")
    seg = write_seg(
        tmp_path / "seg.dcm", mask, source_images(found.dwi), algorithm_name="m", algorithm_version="1"
    )
    write_sr(tmp_path / "sr.dcm", seg, volume_ml=1.0, diameter_mm=2.0, adc=AdcStatistics(0, 9))
    assert set(numbers(pydicom.dcmread(tmp_path / "sr.dcm"))) == {("Volume",), ("Diameter", "Maximum")}
