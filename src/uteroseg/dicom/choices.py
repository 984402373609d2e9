"""What the user can choose of how DICOM studies are read; free of pydicom, which takes long to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """How studies are read, where their files leave a choice.

    Parameters
    ----------
    b_values : tuple of float
        s/mm², in the order of acquisition: for series whose headers and description hold none.
    drop_incomplete : bool
        Leave out b-values that are not whole, instead of refusing the study.
    align : bool
        Align the images of the b-values in plane (`uteroseg.imaging.align`).
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit.
    """

    b_values: tuple[float, ...] = ()
    drop_incomplete: bool = False
    align: bool = False
    adc_b_min: float = 0.0
