"""A simulated series as classic MR files, one per slice and b-value.

References
----------
DICOM PS3.3 A.4 (MR Image IOD), C.7.6.2 (Image Plane), C.8.3.1 (MR Image).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import FileDataset
from pydicom.uid import MRImageStorage

from uteroseg.phantom.dialects import Stored
from uteroseg.phantom.dicom_series import DATE, TIME, ImageSeries, decimal, set_pixels, window
from uteroseg.phantom.t2 import ECHO_TIME_MS


def write_classic(series: ImageSeries, folder: Path) -> None:
    """Write ``MR0001.dcm`` … into an existing folder, b-value by b-value."""
    number = 0
    for volume in series.volumes:
        dataset = _common(series, volume)
        for index in range(len(volume.pixels)):
            number += 1
            _set_slice(dataset, series, volume, index, number)
            dataset.save_as(folder / f"MR{number:04d}.dcm", enforce_file_format=True)


def _common(series: ImageSeries, volume: Stored) -> FileDataset:
    """What the images of one volume share: to make each anew would take most of the time."""
    dataset = series.new_file(MRImageStorage)
    dataset.update(series.measures())
    values = {
        "AcquisitionDate": DATE,
        "AcquisitionTime": TIME,
        "MRAcquisitionType": "2D",
        "ImagedNucleus": "1H",
        "EchoNumbers": "1",
        "InPlanePhaseEncodingDirection": "ROW",
        "AcquisitionNumber": "1",
        "ImageOrientationPatient": series.orientation(),
        **(_SPIN_ECHO if series.is_t2 else _echo_planar(series)),
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    if not series.is_t2:
        series.dialect.mark(dataset, volume)
    return dataset


def _echo_planar(series: ImageSeries) -> dict[str, Any]:
    return {
        "ImageType": list(series.dialect.adc_type if series.is_map else series.dialect.dwi_type),
        "ScanningSequence": "EP",
        "SequenceVariant": ["SK", "SP"],
        "ScanOptions": ["PFP", "FS"],
        "RepetitionTime": "4000",
        "EchoTime": decimal(series.echo_time_ms()),
        "NumberOfAverages": "4",
        "EchoTrainLength": "64",
        "FlipAngle": "90",
    }


_SPIN_ECHO: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "ScanningSequence": "SE",
    "SequenceVariant": ["SK", "SP", "OSP"],
    "ScanOptions": "",
    "RepetitionTime": "5000",
    "EchoTime": decimal(ECHO_TIME_MS),
    "NumberOfAverages": "2",
    "EchoTrainLength": "17",
    "FlipAngle": "150",
}
"""Of the T2 series; no fat suppression."""


def _set_slice(dataset: FileDataset, series: ImageSeries, volume: Stored, index: int, number: int) -> None:
    geometry = series.geometry
    series.set_instance(dataset, number)
    dataset.ImagePositionPatient = series.position(index)
    dataset.SliceLocation = decimal(float(geometry.to_patient((index, 0, 0)) @ geometry.normal))
    set_pixels(dataset, volume.pixels[index])
    window(dataset, volume.pixels[index], volume.slope)
