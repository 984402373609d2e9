"""What a reader drew on a simulated series as RTSTRUCT: closed planar contours.

References
----------
DICOM PS3.3 A.19 (RT Structure Set IOD), C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour), C.8.8.8 (RT ROI
Observations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage

from uteroseg.dicom.virtual import mark_virtual
from uteroseg.imaging.geometry import Array
from uteroseg.phantom.dicom_series import DATE, TIME, ImageSeries, decimal
from uteroseg.phantom.outline import outlines, signed_area

_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"  # retired, and what writers still put there
_NUMBER = "7"


@dataclass(frozen=True, eq=False)
class Roi:
    """A region that was drawn.

    Parameters
    ----------
    name : str
        Several may share one, as in collections where they differ by colour alone.
    colour : tuple of int
        Red, green, blue, 0–255.
    coverage : ndarray, shape (slices, rows, columns)
        0–1 on the grid of the series, or a mask.
    """

    name: str
    colour: tuple[int, int, int]
    coverage: Array


TUMOUR_NAME, TUMOUR_COLOUR = "Tumour", (0, 235, 235)


def write_rtstruct(path: Path, rois: Sequence[Roi], series: ImageSeries) -> None:
    """Write regions that were drawn on a classic series; the same ones give the same bytes.

    A region with a hole has contours that are combined by exclusive or (CLOSEDPLANAR_XOR).
    """
    dataset = _file(series)
    dataset.StructureSetROISequence = [
        _item(
            ROINumber=str(number),
            ReferencedFrameOfReferenceUID=series.identity.uid("frame of reference"),
            ROIName=roi.name,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, roi in enumerate(rois, start=1)
    ]
    dataset.ROIContourSequence = [_contours(roi, number, series) for number, roi in enumerate(rois, start=1)]
    dataset.RTROIObservationsSequence = [
        _item(
            ObservationNumber=str(number),
            ReferencedROINumber=str(number),
            RTROIInterpretedType="",
            ROIInterpreter="",
        )
        for number in range(1, len(rois) + 1)
    ]
    dataset.save_as(path, enforce_file_format=True)


def _file(series: ImageSeries) -> FileDataset:
    """Everything but the regions."""
    uid = series.identity.uid
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = RTStructureSetStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = uid("structure set")
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": RTStructureSetStorage,
        "SOPInstanceUID": uid("structure set"),
        **series.examination(),
        "Modality": "RTSTRUCT",
        "Manufacturer": "uteroseg virtual patients",
        "OperatorsName": "",
        "SeriesDescription": "Virtual tumour, drawn on the T2",
        "SeriesInstanceUID": uid("structure set series"),
        "SeriesNumber": _NUMBER,
        "FrameOfReferenceUID": uid("frame of reference"),
        "PositionReferenceIndicator": "",
        "StructureSetLabel": "RESEARCH",
        "StructureSetDate": DATE,
        "StructureSetTime": TIME,
        "ApprovalStatus": "UNAPPROVED",
        "ReferencedFrameOfReferenceSequence": [_reference(series)],
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    mark_virtual(dataset)
    return dataset


def _reference(series: ImageSeries) -> Dataset:
    """Frame of reference → study → series → every image of it."""
    images = [_image(series, index) for index in range(series.geometry.shape[0])]
    drawn_on = _item(
        SeriesInstanceUID=series.identity.uid(f"{series.name} series"), ContourImageSequence=images
    )
    study = _item(
        ReferencedSOPClassUID=_DETACHED_STUDY,
        ReferencedSOPInstanceUID=series.identity.uid("study"),
        RTReferencedSeriesSequence=[drawn_on],
    )
    frame_of_reference = series.identity.uid("frame of reference")
    return _item(FrameOfReferenceUID=frame_of_reference, RTReferencedStudySequence=[study])


def _image(series: ImageSeries, index: int) -> Dataset:
    uid = series.instance_uid(index + 1)
    return _item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID=uid)


def _contours(roi: Roi, number: int, series: ImageSeries) -> Dataset:
    item = _item(ROIDisplayColor=[str(part) for part in roi.colour], ReferencedROINumber=str(number))
    drawn = list(_drawn(roi))
    hole = any(signed_area(outline) < 0 for _, outline in drawn)
    if drawn:  # an empty sequence is not allowed
        item.ContourSequence = [
            _item(
                ContourImageSequence=[_image(series, index)],
                ContourGeometricType="CLOSEDPLANAR_XOR" if hole else "CLOSED_PLANAR",
                NumberOfContourPoints=str(len(outline)),
                ContourNumber=str(place),
                ContourData=[decimal(round(v, 3)) for v in _points(series, index, outline)],
            )
            for place, (index, outline) in enumerate(drawn, start=1)
        ]
    return item


def _drawn(roi: Roi) -> Iterator[tuple[int, Array]]:
    for index, coverage in enumerate(roi.coverage):
        for outline in outlines(coverage):
            yield index, outline


def _points(series: ImageSeries, index: int, outline: Array) -> list[float]:
    """x, y, z of every vertex (LPS, mm), one after the other."""
    rows, columns = outline.T
    indices = [[index, row, column] for row, column in zip(rows, columns, strict=True)]
    return [float(v) for v in series.geometry.to_patient(indices).ravel()]


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
