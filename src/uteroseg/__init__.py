"""uteroseg: tumour segmentation in pelvic diffusion-weighted MRI. Research use, not for diagnosis."""

from typing import Any

__version__ = "0.1.0"

RESEARCH_USE = "Research use, not for diagnosis."
"""Stands wherever a result is shown or written."""

_EXPORTS = {
    "Dataset": "uteroseg.dataset.store",
    "DwiStudy": "uteroseg.imaging.study",
    "Geometry": "uteroseg.imaging.geometry",
    "Mask": "uteroseg.imaging.study",
    "Prediction": "uteroseg.model.prediction",
    "UserError": "uteroseg.errors",
    "adapt": "uteroseg.library",
    "evaluate": "uteroseg.library",
    "open_model": "uteroseg.model.ensemble",
    "predict": "uteroseg.model.prediction",
    "read_dicom": "uteroseg.library",
    "read_nifti": "uteroseg.library",
    "simulate": "uteroseg.library",
    "train": "uteroseg.library",
}
"""Imported when they are asked for, so that importing the package alone stays light; typed in the stub."""


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted([*_EXPORTS, "RESEARCH_USE", "__version__"])
