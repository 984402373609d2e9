"""Measurements of a segmentation as a DICOM Structured Report.

References
----------
DICOM PS3.16 TID 1500 (Measurement Report), TID 1411 (Volumetric ROI Measurements); CID 7464 (how a value is
derived from a region), CID 7469, 7470 (sizes), CID 7181 (units). Percentiles: IBSI, arXiv:1612.07003.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from uteroseg import RESEARCH_USE
from uteroseg.files import write_file
from uteroseg.imaging.measure import AdcStatistics

_SERIES_NUMBER = 9101  # after the segmentation
_UM2_PER_S = 1000.0
"""10⁻³ mm²/s in µm²/s, in which DICOM's lists of units have ADC."""
_DERIVATIONS = {
    "mean": codes.SCT.Mean,
    "median": codes.SCT.Median,
    "p10": Code("QG58", "IBSI", "10th Intensity Percentile"),
    "p90": Code("8DWT", "IBSI", "90th Intensity Percentile"),
}


def write_sr(
    path: Path, segmentation: Dataset, *, volume_ml: float, diameter_mm: float, adc: AdcStatistics
) -> None:
    """Write the measurements of a segmentation's one segment as a Comprehensive 3D SR (TID 1500).

    Parameters
    ----------
    path : Path
        Appears whole or not at all; an existing file is replaced.
    segmentation : Dataset
        From `uteroseg.dicom.seg.write_seg`; patient, study, algorithm and sources are those of it.
    volume_ml : float
    diameter_mm : float
        Maximum diameter in three dimensions; left out of the report where the volume is 0.
    adc : AdcStatistics
        10⁻³ mm²/s; written in µm²/s. Left out where no voxel has an ADC.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # highdicom quotes patient names in its warnings
        group = _measurement_group(segmentation, _measurements(volume_ml, diameter_mm, adc))
        report = hd.sr.Comprehensive3DSR(
            evidence=[segmentation, *_images(segmentation)],
            content=_report(group)[0],
            series_instance_uid=generate_uid(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="uteroseg",
            is_complete=True,
            series_description=f"Tumour measurements, uteroseg. {RESEARCH_USE.removesuffix('.')}",
        )
    write_file(path, report.save_as)


def _report(group: hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations) -> hd.sr.MeasurementReport:
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=generate_uid(entropy_srcs=["uteroseg", version("uteroseg")]),
        name=f"uteroseg. {RESEARCH_USE}",
        manufacturer_name="uteroseg",
        model_name=version("uteroseg"),
    )
    observer = hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.cid100.MRIUnspecifiedBodyRegion,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _measurement_group(
    segmentation: Dataset, measurements: list[hd.sr.Measurement]
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    """What was measured of which segment, which `ReferencedSegment.from_segmentation` fails to refer to."""
    (segment,) = segmentation.SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    region = segment.get("AnatomicRegionSequence")
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=segment.TrackingUID, identifier=segment.TrackingID),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=int(segment.SegmentNumber),
            **_sources(segmentation),
        ),
        finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_type=codes.SCT.Neoplasm,
        finding_sites=[hd.sr.FindingSite(hd.sr.CodedConcept.from_dataset(region[0]))] if region else None,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=algorithm.AlgorithmName, version=algorithm.AlgorithmVersion
        ),
        measurements=measurements,
    )


def _images(segmentation: Dataset) -> list[Dataset]:
    """What the report needs to know of the images that the segmentation refers to."""
    images = []
    for series in segmentation.ReferencedSeriesSequence:
        for reference in series.ReferencedInstanceSequence:
            image = Dataset()
            image.StudyInstanceUID = segmentation.StudyInstanceUID
            image.SeriesInstanceUID = series.SeriesInstanceUID
            image.SOPClassUID = reference.ReferencedSOPClassUID
            image.SOPInstanceUID = reference.ReferencedSOPInstanceUID
            images.append(image)
    return images


def _sources(segmentation: Dataset) -> dict[str, Any]:
    """The one series that was segmented; each image where they are of several, as the template wants it."""
    images = _images(segmentation)
    if len(segmentation.ReferencedSeriesSequence) == 1:
        return {"source_series": hd.sr.SourceSeriesForSegmentation(images[0].SeriesInstanceUID)}
    sources = [hd.sr.SourceImageForSegmentation(one.SOPClassUID, one.SOPInstanceUID) for one in images]
    return {"source_images": sources}


def _measurements(volume_ml: float, diameter_mm: float, adc: AdcStatistics) -> list[hd.sr.Measurement]:
    measured = [hd.sr.Measurement(codes.SCT.Volume, _rounded(volume_ml), codes.UCUM.CubicCentimeter)]
    if volume_ml:
        measured.append(
            hd.sr.Measurement(
                codes.SCT.Diameter,
                _rounded(diameter_mm),
                codes.UCUM.Millimeter,
                derivation=codes.SCT.Maximum,
            )
        )
    for name, derivation in _DERIVATIONS.items():
        if (value := getattr(adc, name)) is not None:
            measured.append(
                hd.sr.Measurement(
                    codes.DCM.ApparentDiffusionCoefficient,
                    _rounded(value * _UM2_PER_S),
                    codes.UCUM.SquareMicrometerPerSecond,
                    derivation=derivation,
                )
            )
    return measured


def _rounded(value: float) -> float:
    """Three decimals: a DICOM decimal string has 16 characters."""
    return round(float(value), 3)
