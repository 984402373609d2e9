"""What a series is, from ImageType, description and tags together: each alone is wrong somewhere.

References
----------
DICOM PS3.3 C.7.6.1.1.2 and C.8.13.1.1.1, Image Type; C.8.13.5.1, MR Image Frame Type Macro.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import MRImageStorage, RTStructureSetStorage, SegmentationStorage

from uteroseg.dicom.bvalues import BValue, read_b_value
from uteroseg.dicom.enhanced import MULTI_FRAME, functional_group

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"  # Label Map Segmentation Storage
MR_IMAGES = (MRImageStorage, *MULTI_FRAME)

_ADC_UNIT = re.compile(r"(mm|um|µm)\^?2\s*/\s*s", re.IGNORECASE)
_CALCULATED = re.compile(r"CALC|COMPUTED|SYNTH|(?<![A-Z])[CSE]DWI|(?<![A-Z])CB\d{3,}")
_EXPONENTIAL = re.compile(r"(?<![A-Z])EADC|EXP[A-Z]*[ _-]*(ADC|APPARENT)")
_ADC = re.compile(r"(?<![A-Z])D?ADC(?![A-Z])|APPARENT DIFF")
_PARAMETRIC = re.compile(r"(?<![A-Z])(FA|COLFA|TENSOR|ANISOTROPY|EIGEN\w*)(?![A-Z_])")
_DIFFUSION = re.compile(
    r"(?<![A-Z])(DWI|DIFF|DTI|TRACEW|RESOLVE|DW)|DIFFUSION|(?<![A-Z])B[ _=]?\d{2,4}(?!\d)"
)
_T2 = re.compile(r"(?<![A-Z0-9])T2(?!\s*\*|STAR)")
_BETWEEN_TWO_B = re.compile(r"ep_b\d+_\d+$")
_PARAMETRIC_TYPES = {"FA", "COLFA", "COL_FA", "TENSOR", "FRACTIONAL_ANISOTROPY", "RA", "EIGENVALUE"}
_EXPONENTIAL_TYPES = {"EADC", "EXP_ADC", "EXPONENTIAL_ADC", "EXPADC"}
_NOT_SLICES = {"LOCALIZER", "MIP", "MIN_IP", "MPR", "PROJECTION IMAGE", "PHASE", "PHASE MAP", "P"}


class SeriesKind(StrEnum):
    """What a series holds."""

    DWI = "dwi"
    ADC = "adc"
    EXPONENTIAL_ADC = "exponential_adc"
    PARAMETRIC = "parametric"
    CALCULATED_B = "calculated_b"
    T2 = "t2"
    SEGMENTATION = "segmentation"
    RTSTRUCT = "rtstruct"
    OTHER = "other"


@dataclass(frozen=True)
class Classification:
    """A kind, and why, in words for the user."""

    kind: SeriesKind
    reason: str


SILENT = (
    Classification(SeriesKind.T2, "description names T2"),
    Classification(SeriesKind.OTHER, "no sign of diffusion"),
)
"""What nothing but its text speaks for: beside diffusion-weighted images of its series it is their b 0."""


@dataclass(frozen=True)
class _Evidence:
    """What the header says, in upper case."""

    image_type: frozenset[str]
    description: str
    sequence: str
    adc_unit: bool
    colour: bool
    header: Dataset

    @classmethod
    def of(cls, header: Dataset) -> _Evidence:
        image_type = [text.upper() for text in _values(header, "ImageType")]
        unit = _texts(header, "RescaleType", "Units")
        return cls(
            frozenset(image_type + _frame_types(header)),
            _texts(header, "SeriesDescription"),
            str(header.get("SequenceName") or ""),
            bool(_ADC_UNIT.search(unit)),
            header.get("SamplesPerPixel", 1) == 3,
            header,
        )

    @property
    def b_value(self) -> BValue | None:
        """Read where it decides only: on most images it need not be."""
        return read_b_value(_diffusion_item(self.header))


def classify(header: Dataset) -> Classification:
    """Say what an image is.

    Parameters
    ----------
    header : Dataset
        Header of one file of the series.

    Returns
    -------
    Classification
    """
    sop_class = str(header.get("SOPClassUID") or "")
    modality = str(header.get("Modality") or "")
    if sop_class in (SegmentationStorage, LABEL_MAP_SEGMENTATION) or modality == "SEG":
        return Classification(SeriesKind.SEGMENTATION, "segmentation object")
    if sop_class == RTStructureSetStorage or modality == "RTSTRUCT":
        return Classification(SeriesKind.RTSTRUCT, "radiotherapy structure set")
    if sop_class not in MR_IMAGES:
        return Classification(SeriesKind.OTHER, f"not an MR image ({modality or 'no modality'})")
    return _classify_mr(_Evidence.of(header))


def _classify_mr(evidence: _Evidence) -> Classification:
    original = "ORIGINAL" in evidence.image_type
    if unusable := evidence.image_type & _NOT_SLICES:
        return Classification(SeriesKind.OTHER, f"ImageType {min(unusable)}")
    if types := evidence.image_type & _EXPONENTIAL_TYPES:
        return Classification(SeriesKind.EXPONENTIAL_ADC, f"ImageType {min(types)}")
    if _EXPONENTIAL.search(evidence.description) and not original:
        return Classification(SeriesKind.EXPONENTIAL_ADC, "description names an exponential ADC")
    if types := frozenset(t for t in evidence.image_type if t == "ADC" or t.startswith("ADC_")):
        return Classification(SeriesKind.ADC, f"ImageType {min(types)}")
    if evidence.adc_unit:
        return Classification(SeriesKind.ADC, "its unit is that of an ADC")
    # A source series may be called "DWI for ADC": then it is original and has a b-value.
    if _ADC.search(evidence.description) and not (original and evidence.b_value):
        return Classification(SeriesKind.ADC, "description names an ADC and the image is no source image")
    if evidence.colour:
        return Classification(SeriesKind.PARAMETRIC, "colour image")
    if types := evidence.image_type & _PARAMETRIC_TYPES:
        return Classification(SeriesKind.PARAMETRIC, f"ImageType {min(types)}")
    if _PARAMETRIC.search(evidence.description) and not original:
        return Classification(SeriesKind.PARAMETRIC, "description names a parametric map")
    if types := frozenset(t for t in evidence.image_type if _CALCULATED.search(t)):
        return Classification(SeriesKind.CALCULATED_B, f"ImageType {min(types)}")
    if _CALCULATED.search(evidence.description) and not original:
        return Classification(SeriesKind.CALCULATED_B, "description says that the b-value was calculated")
    if _BETWEEN_TWO_B.search(evidence.sequence) and not original:
        return Classification(SeriesKind.CALCULATED_B, "SequenceName spans several b-values")
    return _source(evidence)


def _source(evidence: _Evidence) -> Classification:
    """Tell source images apart; a b-value of 0 alone proves nothing: some vendors write it everywhere."""
    if any("DIFFUSION" in t or t in ("DWI", "TRACEW") for t in evidence.image_type):
        return Classification(SeriesKind.DWI, "ImageType is diffusion")
    if (b_value := evidence.b_value) and b_value.value > 0:
        return Classification(SeriesKind.DWI, f"b-value in {b_value.source}")
    if _DIFFUSION.search(evidence.description):
        return Classification(SeriesKind.DWI, "description names diffusion")
    if _T2.search(evidence.description):
        return SILENT[0]
    return SILENT[1]


def _diffusion_item(header: Dataset) -> Dataset:
    """Give the item that holds the b-value: of an enhanced file, the frame with the largest."""
    frames = len(header.get("PerFrameFunctionalGroupsSequence") or ())
    if header.get("SOPClassUID") not in MULTI_FRAME or not frames:
        return header
    items = [functional_group(header, "MRDiffusionSequence", i) for i in {0, frames // 2, frames - 1}]
    return max(items, key=_b_value_of)


def _b_value_of(item: Dataset) -> float:
    found = read_b_value(item)
    return found.value if found else 0.0


def _frame_types(header: Dataset) -> list[str]:
    item = functional_group(header, "MRImageFrameTypeSequence")
    return [text.upper() for text in _values(item, "FrameType")]


def _values(item: Dataset, keyword: str) -> list[str]:
    """The values of an element as text, whether it has none, one or several."""
    value = item.get(keyword)
    return [str(v) for v in (value if isinstance(value, MultiValue) else [value])] if value else []


def _texts(header: Dataset, *keywords: str) -> str:
    return " ".join(str(header.get(keyword) or "") for keyword in keywords).upper()
