"""What each vendor writes: where the b-value stands, how values are stored, and what its ADC map looks like.

Where a private element stands and how its value is coded is the same knowledge that `uteroseg.dicom` reads
by; what is known of it from real files is in docs/dicom.md.

References
----------
DICOM PS3.3 C.8.3.1 (MR Image), C.8.13.5.9 (MR Diffusion Macro), PS3.5 7.8 (private elements). Philips'
scaling: Chenevert et al., Transl Oncol 2014, PMC3998685.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from pydicom.dataset import Dataset

from uteroseg.dicom.acquisition import manufacturer_name
from uteroseg.dicom.bvalues import GE_OFFSET
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import DwiStudy

Vendor = Literal["siemens", "ge", "philips", "canon", "uih"]

_PHILIPS_B0 = 0.001  # s/mm²
_PHILIPS_ADC_SLOPE = 0.1  # 10⁻⁶ mm²/s per stored value


@dataclass(frozen=True, eq=False)
class Stored:
    """One volume as a scanner stores it.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (slices, rows, columns)
    b_value : float or None
        s/mm²; None for an ADC map.
    slope : float or None
        Rescale Slope, where the vendor writes one into classic files.
    scale_slope : float or None
        Philips (2005,100E): stored value per unit of signal.
    """

    pixels: Array
    b_value: float | None
    slope: float | None = None
    scale_slope: float | None = None


@dataclass(frozen=True)
class Dialect:
    """How a vendor writes.

    Parameters
    ----------
    name : str
        As `uteroseg.dicom.acquisition.manufacturer_name` recognises it.
    manufacturer, model : str
    bits : int
        Bits Stored.
    dwi_type, adc_type : tuple of str
        Image Type of classic files.
    enhanced_type : tuple of str
        Image Type of an enhanced file with b images; derived images have no pulse sequence attributes.
    dwi_name, adc_name : str
        Series Description, with a place for the scan plane.
    mark : callable
        Writes the b-value, and what goes with it, into a classic image of a volume.
    rescales : bool
        Every b-value has its own slopes, of which the displayed values do not compare.
    per_frame : bool
        Enhanced files repeat orientation and pixel measures in every frame.
    """

    name: str
    manufacturer: str
    model: str
    bits: int
    dwi_type: tuple[str, ...]
    adc_type: tuple[str, ...]
    dwi_name: str
    adc_name: str
    mark: Callable[[Dataset, Stored], None]
    enhanced_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE")
    rescales: bool = False
    per_frame: bool = False

    def store(self, signal: Array, b_values: Sequence[float]) -> tuple[Stored, ...]:
        """Turn signal into stored values: exactly where whole numbers fit, otherwise with one factor."""
        if self.rescales:
            volumes = zip(signal, b_values, strict=True)
            return tuple(_own_slopes(volume, b, number) for number, (volume, b) in enumerate(volumes))
        highest = 2**self.bits - 1
        largest = float(signal.max(initial=0))
        whole = np.array_equal(signal, np.rint(signal))
        factor = 1.0 if whole and largest <= highest else highest / max(largest, 1e-9)
        return tuple(
            Stored(_rounded(volume * factor, highest), b) for volume, b in zip(signal, b_values, strict=True)
        )

    def store_adc(self, adc: Array) -> Stored:
        """Turn an ADC map (10⁻³ mm²/s) into stored values of 10⁻⁶ mm²/s."""
        highest = 2**self.bits - 1
        if not self.rescales:
            return Stored(_rounded(adc * 1e3, highest), None)
        return Stored(_rounded(adc * 1e3 / _PHILIPS_ADC_SLOPE, highest), None, _PHILIPS_ADC_SLOPE, 1.0)


def vendor_of(study: DwiStudy) -> Vendor:
    """The vendor whose scanner a study was simulated for; Siemens where it does not say."""
    name = manufacturer_name(str(study.acquisition.get("Manufacturer") or ""))
    return next((vendor for vendor, dialect in _DIALECTS.items() if dialect.name == name), "siemens")


def dialect_of(vendor: str) -> Dialect:
    """The dialect of a vendor.

    Raises
    ------
    UserError
        If there is none.
    """
    for known in get_args(Vendor):
        if known == vendor:
            return _DIALECTS[known]
    raise UserError(
        f"There is no DICOM dialect of the vendor {vendor!r}.",
        expected=f"one of {', '.join(get_args(Vendor))}.",
        fix="choose one of them.",
    )


def _rounded(values: Array, highest: int) -> Array:
    return np.rint(np.clip(values, 0, highest)).astype(np.uint16)


def _own_slopes(volume: Array, b_value: float, number: int) -> Stored:
    """Use the 16 bits for each b-value, and let it be displayed by another slope than the others.

    A whole scale slope keeps whole numbers exactly.
    """
    scale_slope = 65535 / max(float(volume.max(initial=0)), 1.0)
    scale_slope = float(np.floor(scale_slope)) if scale_slope >= 1 else float(np.float32(scale_slope))
    slope = round(0.0625 * (1 + 0.37 * number), 6)
    return Stored(_rounded(volume * scale_slope, 65535), b_value, slope, scale_slope)


def mark_philips_scaling(dataset: Dataset, volume: Stored) -> None:
    """Write Philips' scale slope beside its rescale slope."""
    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", volume.scale_slope)


def _mark_siemens(dataset: Dataset, volume: Stored) -> None:
    if volume.b_value is None:
        return
    dataset.SequenceName = f"*ep_b{volume.b_value:.0f}t"
    dataset.DiffusionBValue = float(volume.b_value)
    private = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    private.add_new(0x0C, "IS", f"{volume.b_value:.0f}")
    private.add_new(0x0D, "CS", "ISOTROPIC")


def _mark_ge(dataset: Dataset, volume: Stored) -> None:
    if volume.b_value is None:
        return
    private = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    private.add_new(0x39, "IS", [GE_OFFSET + round(volume.b_value), 8, 0, 0])
    direction = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for number in (0xBB, 0xBC, 0xBD):  # no direction: the images of the directions were combined
        direction.add_new(number, "DS", "0")


def _mark_philips(dataset: Dataset, volume: Stored) -> None:
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", volume.slope, "normalized"
    mark_philips_scaling(dataset, volume)
    if volume.b_value is not None:
        private = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
        private.add_new(0x03, "FL", max(volume.b_value, _PHILIPS_B0))
        private.add_new(0x04, "CS", "I")


def _mark_canon(dataset: Dataset, volume: Stored) -> None:
    if volume.b_value:  # at b 0 there is nothing
        dataset.DiffusionBValue = float(volume.b_value)


def _mark_uih(dataset: Dataset, volume: Stored) -> None:
    if volume.b_value is not None:
        private = dataset.private_block(0x0065, "Image Private Header", create=True)
        private.add_new(0x09, "FD", float(volume.b_value))


_DIALECTS: dict[Vendor, Dialect] = {
    "siemens": Dialect(
        name="Siemens",
        manufacturer="SIEMENS",
        model="Virtual Skyra",
        bits=12,
        dwi_type=("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND"),
        adc_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"),
        dwi_name="virtual ep2d_diff_{}_TRACEW",
        adc_name="virtual ep2d_diff_{}_ADC",
        mark=_mark_siemens,
        enhanced_type=("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"),
        per_frame=True,
    ),
    "ge": Dialect(
        name="GE",
        manufacturer="GE MEDICAL SYSTEMS",
        model="Virtual Signa",
        bits=12,
        dwi_type=("ORIGINAL", "PRIMARY", "OTHER"),
        adc_type=("DERIVED", "SECONDARY", "PROCESSED"),
        dwi_name="virtual DWI {}",
        adc_name="Apparent Diffusion Coefficient (mm2/s) virtual {}",
        mark=_mark_ge,
    ),
    "philips": Dialect(
        name="Philips",
        manufacturer="Philips Medical Systems",
        model="Virtual Ingenia",
        bits=16,
        dwi_type=("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
        adc_type=("DERIVED", "PRIMARY", "ADC", "ADC", "UNSPECIFIED"),
        dwi_name="virtual DWI {}",
        adc_name="virtual dDWI {}_ADC",
        mark=_mark_philips,
        rescales=True,
    ),
    "canon": Dialect(
        name="Canon",
        manufacturer="CANON_MEC",
        model="Virtual Galan 3T",
        bits=12,
        dwi_type=("ORIGINAL", "PRIMARY", "GDC"),
        adc_type=("DERIVED", "SECONDARY", "GDC"),
        dwi_name="virtual DWI_{}",
        adc_name="virtual DWI_{} ADC",
        mark=_mark_canon,
    ),
    "uih": Dialect(
        name="United Imaging",
        manufacturer="UIH",
        model="Virtual uMR 790",
        bits=12,
        dwi_type=("ORIGINAL", "PRIMARY", "M", "ISO"),
        adc_type=("DERIVED", "PRIMARY", "ADC"),
        dwi_name="virtual epi_dwi_{}",
        adc_name="virtual epi_dwi_{}_ADC",
        mark=_mark_uih,
    ),
}
