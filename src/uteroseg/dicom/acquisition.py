"""Scanner fields for the sidecar, under their BIDS names, with nothing that can identify a patient.

Text in a header is free: anyone can have typed a name into it. So no text is copied; manufacturer and model
are recognised from lists, coded strings are kept only if they are defined terms.

References
----------
BIDS 1.10, MRI scanner hardware and sequence metadata; DICOM PS3.3 C.8.3.1 MR Image Module, C.8.13.5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset

from uteroseg.dicom.enhanced import functional_group, is_enhanced

_MANUFACTURERS = (
    ("siemens", "Siemens"),
    ("ge medical", "GE"),
    ("ge healthcare", "GE"),
    ("general electric", "GE"),
    ("philips", "Philips"),
    ("toshiba", "Toshiba"),
    ("canon", "Canon"),
    ("uih", "United Imaging"),
    ("united imaging", "United Imaging"),
    ("hitachi", "Hitachi"),
    ("fujifilm", "Fujifilm"),
)
_MODEL = re.compile(
    r"\b("
    r"Aera|Altea|Amira|Avanto|Cima|Espree|Essenza|Free\.Max|Harmony|Lumina|Magnus|Prisma|Sempra|"
    r"Skyra|Sola|Sonata|Spectra|Symphony|Terra|Trio|Verio|Vida|Viato|Biograph|Architect|Artist|"
    r"Discovery|Explorer|Hero|Optiva|Optima|Pioneer|Premier|Signa|Voyager|Achieva|Ambition|"
    r"Elition|Gyroscan|Ingenia|Intera|Multiva|Panorama|Centurian|Elan|Galan|Orian|Titan|Vantage|"
    r"Fortian"
    r")\b",
    re.IGNORECASE,
)
_MODEL_NUMBER = re.compile(r"\b(MR[ -]?\d{3,4}\w?|uMR ?(?:Omega|Jupiter|NX|\d{3})|HDxt|HDx)\b", re.IGNORECASE)
_TERMS = {
    "ScanningSequence": {"SE", "IR", "GR", "EP", "RM"},
    "SequenceVariant": {"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"},
    "MRAcquisitionType": {"2D", "3D"},
}
# BIDS name, DICOM keyword, functional group of enhanced files, factor to the BIDS unit
_NUMBERS = (
    ("MagneticFieldStrength", "MagneticFieldStrength", None, 1.0),
    ("EchoTime", "EchoTime", None, 1e-3),
    ("EchoTime", "EffectiveEchoTime", "MREchoSequence", 1e-3),
    ("RepetitionTime", "RepetitionTime", "MRTimingAndRelatedParametersSequence", 1e-3),
    ("FlipAngle", "FlipAngle", "MRTimingAndRelatedParametersSequence", 1.0),
    ("PixelBandwidth", "PixelBandwidth", "MRImagingModifierSequence", 1.0),
    ("SliceThickness", "SliceThickness", "PixelMeasuresSequence", 1.0),
    ("ParallelReductionFactorInPlane", "ParallelReductionFactorInPlane", "MRModifierSequence", 1.0),
)


def acquisition(header: Dataset) -> Mapping[str, Any]:
    """Collect the scanner fields of a study.

    Parameters
    ----------
    header : Dataset
        Of one file.

    Returns
    -------
    mapping
        BIDS names; EchoTime and RepetitionTime in s, PixelBandwidth in Hz per pixel, SliceThickness in mm,
        MagneticFieldStrength in T. Absent fields are left out.
    """
    fields = _texts(header, model="ManufacturerModelName")
    for name, keyword, group, factor in _NUMBERS:
        source = functional_group(header, group) if group and is_enhanced(header) else header
        number = _number(source, keyword)
        if number is not None:
            fields[name] = round(number * factor, 9)
    return fields


def acquisition_of_sidecar(sidecar: Mapping[str, Any]) -> Mapping[str, Any]:
    """Collect the same fields from a BIDS sidecar, as dcm2niix writes one, in its units."""
    fields = _texts(sidecar, model="ManufacturersModelName")
    for name in dict.fromkeys(name for name, *_ in _NUMBERS):
        value = sidecar.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            fields[name] = value
    return fields


def echo_time_ms(header: Dataset) -> float | None:
    """Echo time of the (first) image, ms."""
    if is_enhanced(header):
        return _number(functional_group(header, "MREchoSequence"), "EffectiveEchoTime")
    return _number(header, "EchoTime")


def manufacturer_name(text: str) -> str | None:
    """Name of the vendor that a header's Manufacturer means, or None."""
    lower = text.lower()
    if lower.strip() == "ge":
        return "GE"
    return next((name for part, name in _MANUFACTURERS if part in lower), None)


def _texts(header: Dataset | Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """What is recognised of the texts."""
    fields: dict[str, Any] = {}
    if manufacturer := manufacturer_name(str(header.get("Manufacturer") or "")):
        fields["Manufacturer"] = manufacturer
    if known_model := _model_name(str(header.get(model) or "")):
        fields["ManufacturersModelName"] = known_model
    for name, terms in _TERMS.items():
        value = header.get(name) or ()
        values = [str(v) for v in ([value] if isinstance(value, str) else value)]
        if known := [v for v in values if v in terms]:
            fields[name] = known if len(known) > 1 else known[0]
    return fields


def _model_name(text: str) -> str | None:
    """Known words of a model name; nothing else of the text."""
    known = [word.capitalize() for word in _MODEL.findall(text)] + _MODEL_NUMBER.findall(text)
    return " ".join(dict.fromkeys(known)) or None


def _number(source: Dataset, keyword: str) -> float | None:
    try:
        return float(source.get(keyword))
    except (TypeError, ValueError):
        return None
