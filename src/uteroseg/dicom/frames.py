"""One image plane, wherever it is stored: a classic file, or a frame of an enhanced one.

References
----------
DICOM PS3.3 C.7.6.2 Image Plane Module, C.8.13.5.9 MR Diffusion Macro, C.7.6.16.2 functional group macros.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from pydicom.dataset import Dataset

from uteroseg.dicom.bvalues import BValue, complete, read_b_value
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.enhanced import frame_count, functional_group, is_enhanced
from uteroseg.dicom.gradient import Direction, direction, is_isotropic
from uteroseg.dicom.scaling import Scaling, real_world_mapping, scaling
from uteroseg.dicom.scan import Series
from uteroseg.dicom.tiles import Tile, tiles_of
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import SQUARE, VOXEL_MM


@dataclass(frozen=True, eq=False)
class Frame:
    """One image plane and what is needed to put it in its place.

    Parameters
    ----------
    file : Path
    index : int
        Frame number from 0; 0 in a classic file.
    window : tuple of 2 ints or None
        Row and column of its first pixel in the stored plane, where that holds several slices.
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
        What tells repeated measurements apart: acquisition number and time, temporal position, and the
        b-value as written, since some protocols code repeated b 0 images as 0, 0.001, 0.002.
    scaling : Scaling
        From stored values to comparable ones.
    number : int
        Instance Number of a classic file, frame number of an enhanced one.
    unit : str
        Rescale Type, Units or the real-world unit, as written; empty where unknown.
    """

    file: Path
    index: int
    window: tuple[int, int] | None
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
    scaling: Scaling
    number: int
    unit: str


_known: WeakKeyDictionary[Series, tuple[Frame, ...]] = WeakKeyDictionary()  # asked for to find and to load


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
        If a file lacks its geometry or that of the slices in its mosaic, if the series mixes classic and
        enhanced files, or was refused when series were grouped.
    """
    if series.refused:
        raise series.refused
    if series in _known:
        return _known[series]
    _refuse_two_encodings(series)
    frames = [
        frame
        for path, header in zip(series.files, series.headers, strict=True)
        for frame in _frames(path, header, series.kind)
    ]
    b_values = complete([frame.b_value for frame in frames], series.manufacturer)
    found = tuple(replace(frame, b_value=b) for frame, b in zip(frames, b_values, strict=True))
    return _known.setdefault(series, found)


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
    with _geometry_needed(path):
        tiles = tiles_of(path, header)
    if is_enhanced(header):
        for index in range(frame_count(header)):
            frame_type = functional_group(header, "MRImageFrameTypeSequence", index).get("FrameType") or ()
            if kind is SeriesKind.ADC or "ADC" not in frame_type:
                yield _frame(path, header, index)
        return
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise UserError(
            f"{path} holds several frames, but not as enhanced MR.",
            expected="one plane per file, or an enhanced multi-frame file.",
            fix="export the series from the scanner as separate slices or as enhanced DICOM.",
        )
    for tile in tiles or (None,):
        yield _frame(path, header, 0, tile)


def _frame(path: Path, header: Dataset, index: int, tile: Tile | None = None) -> Frame:
    enhanced = is_enhanced(header)

    def group(keyword: str) -> Dataset:
        return functional_group(header, keyword, index) if enhanced else header

    with _geometry_needed(path):
        measures, diffusion = group("PixelMeasuresSequence"), group("MRDiffusionSequence")
        content, rescale = group("FrameContentSequence"), group("PixelValueTransformationSequence")
        thickness = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
        position = tile.position if tile else group("PlanePositionSequence").ImagePositionPatient
        b_value = read_b_value(diffusion)
        return Frame(
            file=path,
            index=index,
            window=tile.window if tile else None,
            rows=tile.rows if tile else int(header.Rows),
            columns=tile.columns if tile else int(header.Columns),
            position=_floats(position, 3),
            orientation=_orientation(group("PlaneOrientationSequence").ImageOrientationPatient),
            pixel_spacing=_spacing(measures.PixelSpacing),
            thickness=abs(float(thickness)) if thickness else None,
            b_value=b_value,
            direction=direction(diffusion),
            isotropic=is_isotropic(diffusion, b_value),
            repetition=(*_repetition(content), f"{b_value.value:g}" if b_value else ""),
            scaling=scaling(header, rescale, index),
            number=index if enhanced else int(header.get("InstanceNumber") or 0),
            unit=_unit(rescale, header, index),
        )


@contextmanager
def _geometry_needed(path: Path) -> Iterator[None]:
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} does not say where or how its image lies ({error}).",
            expected="Image Position, Image Orientation (two unit vectors at right angles), Pixel Spacing, "
            "Rows and Columns.",
            fix="export the series again from the scanner or the PACS.",
        ) from error


def _floats(values: object, count: int) -> tuple[float, ...]:
    numbers = tuple(float(v) for v in values)  # type: ignore[attr-defined]
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers where {count} belong")
    return numbers


def _orientation(values: object) -> tuple[float, ...]:
    """Two directions at right angles, of length 1 but for rounding."""
    numbers = _floats(values, 6)
    axes = np.reshape(numbers, (2, 3))
    if not np.abs(axes @ axes.T - np.eye(2)).max() <= SQUARE:
        raise ValueError(f"Image Orientation {', '.join(f'{number:g}' for number in numbers)}")
    return numbers


def _spacing(values: object) -> tuple[float, ...]:
    numbers = _floats(values, 2)
    if not all(VOXEL_MM[0] <= mm <= VOXEL_MM[1] for mm in numbers):
        raise ValueError(f"Pixel Spacing {', '.join(f'{mm:g}' for mm in numbers)}")
    return numbers


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
    mapping = real_world_mapping(header, index)
    code = next(iter(mapping.get("MeasurementUnitsCodeSequence") or ()), Dataset())
    written = (rescale.get("RescaleType"), header.get("Units"), code.get("CodeValue"))
    return next((str(w) for w in written if w and str(w) not in ("US", "normalized")), "")
