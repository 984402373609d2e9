"""What the user can choose of how studies are read; free of pydicom, which takes long to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ReadOptions:
    """How studies are read, where their files leave a choice.

    Parameters
    ----------
    b_values : tuple of float
        s/mm², in the order of acquisition: for series whose headers and description hold none, and for an
        image of high b beside an ADC map.
    drop_incomplete : bool
        Leave out b-values that are not whole, instead of refusing the study.
    align : bool
        Align the images of the b-values in plane (`uteroseg.imaging.align`).
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit.
    nifti_form : {"qform", "sform"}, optional
        Which of the two places in a NIfTI header counts where they lie apart; DICOM has one.
    """

    b_values: tuple[float, ...] = ()
    drop_incomplete: bool = False
    align: bool = False
    adc_b_min: float = 0.0
    nifti_form: Literal["qform", "sform"] | None = None
