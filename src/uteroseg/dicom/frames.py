"""One image plane, wherever it is stored: a classic file, or a frame of an enhanced one.

References
----------
DICOM PS3.3 C.7.6.2 Image Plane Module, C.8.13.5.9 MR Diffusion Macro, C.7.6.16.2 functional group macros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from uteroseg.dicom.bvalues import BValue, PrivateElement, complete, read_b_value
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.enhanced import frame_count, functional_group, is_enhanced
from uteroseg.dicom.scan import Series
from uteroseg.errors import UserError

Direction = tuple[float, ...]

_DIRECTION_PLACES = 3  # decimals of a unit vector: nearer directions are one
_SIEMENS_DIRECTIONALITY = PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0D)
_PHILIPS_DIRECTIONALITY = PrivateElement("philips", 0x2001, "Philips Imaging DD 001", 0x04)
_PHILIPS_SCALE_SLOPE = PrivateElement("philips", 0x2005, "Philips MR Imaging DD 001", 0x0E, binary=True)
_UNITED_IMAGING_TILES = PrivateElement("uih", 0x0065, "Image Private Header", 0x50)
_DIRECTION_VECTORS = (
    PrivateElement("siemens", 0x0019, "SIEMENS MR HEADER", 0x0E),
    PrivateElement("uih", 0x0065, "Image Private Header", 0x37),
)
_DIRECTION_COMPONENTS = (
    tuple(PrivateElement("ge", 0x0019, "GEMS_ACQU_01", n) for n in (0xBB, 0xBC, 0xBD)),
    tuple(
        PrivateElement("philips", 0x2005, "Philips MR Imaging DD 001", n, binary=True)
        for n in (0xB0, 0xB1, 0xB2)
    ),
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One image plane and what is needed to put it in its place.

    Parameters
    ----------
    file : Path
    index : int
        Frame number from 0; 0 in a classic file.
    rows, columns : int
    position : tuple of 3 floats
        Image Position (Patient), mm.
    orientation : tuple of 6 floats
        Image Orientation (Patient).
    pixel_spacing : tuple of 2 floats
        Between rows, between columns, mm.
    thickness : float or None
        Spacing Between Slices, else Slice Thickness, mm.
    b_value : BValue or None
    direction : tuple of 3 floats or None
        Diffusion gradient direction; None where there is none or it is unknown.
    isotropic : bool
        The scanner's own trace image.
    repetition : tuple of str
        What tells repeated measurements apart: acquisition number and time, temporal position.
    slope, intercept : float
        Rescale of the stored values (C.11.1).
    scale_slope : float or None
        Philips (2005,100E): rescaled values divided by ``slope × scale_slope`` compare between images.
    number : int
        Instance Number of a classic file, frame number of an enhanced one.
    unit : str
        Rescale Type, Units or the real-world unit, as written; empty where unknown.
    """

    file: Path
    index: int
    rows: int
    columns: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    thickness: float | None
    b_value: BValue | None
    direction: Direction | None
    isotropic: bool
    repetition: tuple[str, ...]
    slope: float
    intercept: float
    scale_slope: float | None
    number: int
    unit: str


def frames_of(series: Series) -> tuple[Frame, ...]:
    """List the image planes of a series.

    Parameters
    ----------
    series : Series

    Returns
    -------
    tuple of Frame

    Raises
    ------
    UserError
        If a file lacks its geometry, or stores its slices as mosaic or tiles, or if the series mixes classic
        and enhanced files.
    """
    _refuse_two_encodings(series)
    frames = [
        frame
        for path, header in zip(series.files, series.headers, strict=True)
        for frame in _frames(path, header, series.kind)
    ]
    b_values = complete([frame.b_value for frame in frames], series.manufacturer)
    return tuple(replace(frame, b_value=b) for frame, b in zip(frames, b_values, strict=True))


def _refuse_two_encodings(series: Series) -> None:
    by_encoding = {
        is_enhanced(header): path for path, header in zip(series.files, series.headers, strict=True)
    }
    if len(by_encoding) == 2:
        raise UserError(
            f"{series.name} is there twice: as single slices ({by_encoding[False]}) and as an enhanced "
            f"multi-frame file ({by_encoding[True]}).",
            expected="each image once.",
            fix="keep one of the two encodings in the folder.",
        )


def _frames(path: Path, header: Dataset, kind: SeriesKind) -> Iterator[Frame]:
    if is_enhanced(header):
        for index in range(frame_count(header)):
            frame_type = functional_group(header, "MRImageFrameTypeSequence", index).get("FrameType") or ()
            if kind is SeriesKind.ADC or "ADC" not in frame_type:
                yield _frame(path, header, index)
        return
    tiled = "MOSAIC" in (header.get("ImageType") or ()) or "VFRAME" in _UNITED_IMAGING_TILES.text(header)
    if tiled or int(header.get("NumberOfFrames") or 1) > 1:
        raise UserError(
            f"{path} holds all slices of a volume in one image (mosaic or tiles).",
            expected="one slice per file, or an enhanced multi-frame file.",
            fix="export the series from the scanner as separate slices or as enhanced DICOM.",
        )
    yield _frame(path, header, 0)


def _frame(path: Path, header: Dataset, index: int) -> Frame:
    enhanced = is_enhanced(header)

    def group(keyword: str) -> Dataset:
        return functional_group(header, keyword, index) if enhanced else header

    try:
        measures, diffusion = group("PixelMeasuresSequence"), group("MRDiffusionSequence")
        content, rescale = group("FrameContentSequence"), group("PixelValueTransformationSequence")
        thickness = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
        scale_slope = _PHILIPS_SCALE_SLOPE.read(header)
        return Frame(
            file=path,
            index=index,
            rows=int(header.Rows),
            columns=int(header.Columns),
            position=_floats(group("PlanePositionSequence").ImagePositionPatient, 3),
            orientation=_floats(group("PlaneOrientationSequence").ImageOrientationPatient, 6),
            pixel_spacing=_floats(measures.PixelSpacing, 2),
            thickness=abs(float(thickness)) if thickness else None,
            b_value=read_b_value(diffusion),
            direction=_direction(diffusion),
            isotropic=_is_isotropic(diffusion),
            repetition=_repetition(content),
            slope=float(rescale.get("RescaleSlope") or 1),
            intercept=float(rescale.get("RescaleIntercept") or 0),
            scale_slope=scale_slope[0] if scale_slope and scale_slope[0] > 0 else None,
            number=index if enhanced else int(header.get("InstanceNumber") or 0),
            unit=_unit(rescale, header, index),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} does not say where or how its image lies ({error}).",
            expected="Image Position, Image Orientation, Pixel Spacing, Rows and Columns.",
            fix="export the series again from the scanner or the PACS.",
        ) from error


def _floats(values: object, count: int) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)  # type: ignore[attr-defined]
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers where {count} belong")
    return numbers


def _direction(item: Dataset) -> Direction | None:
    """Read a gradient direction: standard, enhanced, then private; none at b 0."""
    standard = item.get("DiffusionGradientOrientation")
    if standard is None and item.get("DiffusionGradientDirectionSequence"):
        standard = item.DiffusionGradientDirectionSequence[0].get("DiffusionGradientOrientation")
    vector = tuple(standard) if standard else next((v for e in _DIRECTION_VECTORS if (v := e.read(item))), ())
    if not vector:
        parts = ([e.read(item) for e in elements] for elements in _DIRECTION_COMPONENTS)
        vector = next((tuple(p[0] for p in part if p) for part in parts if all(part)), ())
    if len(vector) != 3 or not any(vector):
        return None
    return tuple(round(float(v), _DIRECTION_PLACES) + 0.0 for v in vector)


def _is_isotropic(item: Dataset) -> bool:
    said = (
        str(item.get("DiffusionDirectionality") or ""),
        _SIEMENS_DIRECTIONALITY.text(item),
        _PHILIPS_DIRECTIONALITY.text(item),
    )
    return any(text.upper() in ("ISOTROPIC", "I") for text in said)


def _repetition(item: Dataset) -> tuple[str, ...]:
    keywords = (
        "AcquisitionNumber",
        "AcquisitionTime",
        "TemporalPositionIdentifier",
        "FrameAcquisitionNumber",
        "FrameAcquisitionDateTime",
        "TemporalPositionIndex",
    )
    return tuple(str(item.get(keyword) or "") for keyword in keywords)


def _unit(rescale: Dataset, header: Dataset, index: int) -> str:
    mapping = (
        functional_group(header, "RealWorldValueMappingSequence", index)
        if is_enhanced(header)
        else next(iter(header.get("RealWorldValueMappingSequence") or ()), Dataset())
    )
    code = next(iter(mapping.get("MeasurementUnitsCodeSequence") or ()), Dataset())
    written = (rescale.get("RescaleType"), header.get("Units"), code.get("CodeValue"))
    return next((str(w) for w in written if w and str(w) not in ("US", "normalized")), "")
