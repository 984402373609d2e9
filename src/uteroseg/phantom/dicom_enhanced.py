"""A simulated series as one enhanced multi-frame MR file.

References
----------
DICOM PS3.3 A.36.2 (Enhanced MR Image IOD), C.7.6.16 (Multi-frame Functional Groups), C.7.6.17 (Multi-frame
Dimension), C.8.13 (Enhanced MR modules and macros).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import EnhancedMRImageStorage

from uteroseg.phantom.dialects import Stored, mark_philips_scaling
from uteroseg.phantom.dicom_series import DATE, TIME, ImageSeries, decimal, set_pixels, window

_DATE_TIME = DATE + TIME
_FRAME_MS = 96_000.0
_ADC_TYPE = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")

_IMAGE: dict[str, Any] = {
    "AcquisitionDateTime": _DATE_TIME,
    "AcquisitionDuration": 96.0,
    "AcquisitionContextSequence": [],
    "ContentQualification": "RESEARCH",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
    "KSpaceFiltering": "NONE",
    "ResonantNucleus": "1H",
    "ApplicableSafetyStandardAgency": "IEC",
}
_PULSE_SEQUENCE: dict[str, Any] = {
    "MRAcquisitionType": "2D",
    "PulseSequenceName": "virtual epse2d",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "YES",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "FAT",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "NumberOfKSpaceTrajectories": 1,
}
"""Of original images only."""

_CONTRAST: dict[str, Any] = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "DIFFUSION",
}
_SHARED: dict[str, dict[str, Any]] = {
    "MRImagingModifierSequence": {
        "MagnetizationTransfer": "NONE",
        "BloodSignalNulling": "NO",
        "Tagging": "NONE",
        "PixelBandwidth": "1500",
        "TransmitterFrequency": 123.2,
    },
    "MRReceiveCoilSequence": {
        "ReceiveCoilName": "Body",
        "ReceiveCoilManufacturerName": "",
        "ReceiveCoilType": "BODY",
        "QuadratureReceiveCoil": "NO",
    },
    "MRTransmitCoilSequence": {
        "TransmitCoilName": "Body",
        "TransmitCoilManufacturerName": "",
        "TransmitCoilType": "BODY",
    },
    "MRModifierSequence": {
        "InversionRecovery": "NO",
        "FlowCompensation": "NONE",
        "Spoiling": "NONE",
        "T2Preparation": "NO",
        "SpectrallySelectedExcitation": "NONE",
        "SpatialPresaturation": "NONE",
        "PartialFourier": "NO",
        "ParallelAcquisition": "NO",
    },
    "MRAveragesSequence": {"NumberOfAverages": "4"},
}


def write_enhanced(series: ImageSeries, folder: Path) -> None:
    """Write ``MR0001.dcm`` into an existing folder: every slice of the first b-value, then the next."""
    dataset = series.new_file(EnhancedMRImageStorage)
    series.set_instance(dataset, 1)
    image_type = _ADC_TYPE if series.is_map else series.dialect.enhanced_type
    pulse_sequence = _PULSE_SEQUENCE if image_type[0] == "ORIGINAL" else {}
    frames = [(volume, index) for volume in series.volumes for index in range(len(volume.pixels))]
    for keyword, value in {**_IMAGE, **pulse_sequence, **_CONTRAST, "ImageType": list(image_type)}.items():
        setattr(dataset, keyword, value)
    dataset.AcquisitionNumber = "1"
    dataset.NumberOfFrames = str(len(frames))
    _add_dimensions(dataset, series)
    shared = _shared(series, image_type)
    in_frames = _plane(series) if series.dialect.per_frame else Dataset()
    shared.update(Dataset() if series.dialect.per_frame else _plane(series))
    dataset.SharedFunctionalGroupsSequence = [shared]
    order = [volume.b_value for volume in series.volumes]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(series, volume, index, order.index(volume.b_value) + 1, in_frames) for volume, index in frames
    ]
    set_pixels(dataset, np.concatenate([volume.pixels for volume in series.volumes]))
    dataset.save_as(folder / "MR0001.dcm", enforce_file_format=True)


def _add_dimensions(dataset: Dataset, series: ImageSeries) -> None:
    """Frames are told apart by stack, position and, but for a map, b-value: Siemens and Canon count those."""
    uid = series.identity.uid(f"{series.name} dimensions")
    keywords = ("StackID", "InStackPositionNumber", "TemporalPositionIndex")
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=uid)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=uid,
            DimensionIndexPointer=Tag(keyword),
            FunctionalGroupPointer=Tag("FrameContentSequence"),
        )
        for keyword in keywords[: 2 if series.is_map else 3]
    ]


def _shared(series: ImageSeries, image_type: Sequence[str]) -> Dataset:
    """The functional groups that are the same in every frame."""
    shared = Dataset()
    for keyword, values in _SHARED.items():
        setattr(shared, keyword, [_item(**values)])
    _, rows, columns = series.geometry.shape
    shared.MRTimingAndRelatedParametersSequence = [_timing()]
    shared.MRFOVGeometrySequence = [
        _item(
            InPlanePhaseEncodingDirection="ROW",
            MRAcquisitionFrequencyEncodingSteps=rows,
            MRAcquisitionPhaseEncodingStepsInPlane=columns,
            PercentSampling="100",
            PercentPhaseFieldOfView="100",
        )
    ]
    shared.MREchoSequence = [_item(EffectiveEchoTime=series.echo_time_ms())]
    shared.MRImageFrameTypeSequence = [_item(FrameType=list(image_type), **_CONTRAST)]
    pelvis = _item(CodeValue="12921003", CodingSchemeDesignator="SCT", CodeMeaning="Pelvis")
    shared.FrameAnatomySequence = [_item(FrameLaterality="U", AnatomicRegionSequence=[pelvis])]
    return shared


def _timing() -> Dataset:
    return _item(
        RepetitionTime="4000",
        FlipAngle="90",
        EchoTrainLength="64",
        RFEchoTrainLength=1,
        GradientEchoTrainLength=64,
        GradientOutputType="PER_NERVE_STIM",
        GradientOutput=0.8,
        SpecificAbsorptionRateSequence=[
            _item(
                SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY",
                SpecificAbsorptionRateValue=0.5,
            )
        ],
        OperatingModeSequence=[
            _item(OperatingModeType=kind, OperatingMode="IEC_NORMAL")
            for kind in ("GRADIENT", "RF", "STATIC FIELD")
        ],
    )


def _plane(series: ImageSeries) -> Dataset:
    """Orientation and measures, which are per frame or shared, as the vendor likes."""
    return _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=series.orientation())],
        PixelMeasuresSequence=[series.measures()],
    )


def _frame(series: ImageSeries, volume: Stored, index: int, b_number: int, plane: Dataset) -> Dataset:
    """The functional groups of one frame."""
    frame = Dataset()
    frame.update(plane)
    place = [1, index + 1] if series.is_map else [1, index + 1, b_number]
    frame.FrameContentSequence = [
        _item(
            FrameAcquisitionDateTime=_DATE_TIME,
            FrameReferenceDateTime=_DATE_TIME,
            FrameAcquisitionDuration=_FRAME_MS,
            StackID="1",
            InStackPositionNumber=index + 1,
            TemporalPositionIndex=b_number,
            DimensionIndexValues=place,
        )
    ]
    frame.PlanePositionSequence = [_item(ImagePositionPatient=series.position(index))]
    diffusion = _item(DiffusionDirectionality="ISOTROPIC" if volume.b_value != 0 else "NONE")
    if volume.b_value is not None:
        diffusion.DiffusionBValue = float(volume.b_value)
    frame.MRDiffusionSequence = [diffusion]
    rescale = _item(RescaleIntercept="0", RescaleSlope=decimal(volume.slope or 1), RescaleType="US")
    frame.PixelValueTransformationSequence = [rescale]
    look = Dataset()
    window(look, volume.pixels[index], volume.slope)
    frame.FrameVOILUTSequence = [look]
    if volume.scale_slope is not None:
        private = Dataset()
        mark_philips_scaling(private, volume)
        frame.private_block(0x2005, "Philips MR Imaging DD 005", create=True).add_new(0x0F, "SQ", [private])
    return frame


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
