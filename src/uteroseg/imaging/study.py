"""The things the project is about: a diffusion study, a mask, and an image beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.diffusion import DiffusionFit, fit_adc
from uteroseg.imaging.geometry import Array, Geometry

if TYPE_CHECKING:
    from PIL.Image import Image

DERIVED = "derived_images"
"""Field of ``DwiStudy.acquisition``: b-values whose images were not measured → how they were computed."""
ADC_LEFT_OUT = "scanner_adc_left_out"
"""Field of the same: why the scanner's ADC map is not there, in words that name nobody."""

ADC_EMPTY = "it holds no ADC above 0"
REPETITIONS = "repetitions_averaged"
"""Field of the same: b-values whose images are means of repetitions → of how many."""


@dataclass(frozen=True, eq=False, repr=False)
class DwiStudy:
    """One diffusion acquisition: one image per b-value on one grid.

    Parameters
    ----------
    signal : ndarray of float32, shape (b-values, slices, rows, columns)
        Trace-weighted images, arbitrary units that are the same for every b-value.
    b_values : tuple of float
        Diffusion weighting, s/mm², strictly ascending.
    geometry : Geometry
    scanner_adc : ndarray of float32, shape (slices, rows, columns), optional
        The scanner's own ADC map, 10⁻³ mm²/s.
    acquisition : mapping
        Scanner fields under their BIDS names (``Manufacturer``, ``EchoTime`` in s, …) and
        ``b_value_source``; `DERIVED` where images are. Nothing in it identifies a patient.
    adc_b_min : float
        s/mm²; images of lower b-values are left out of the ADC fit. 0 where an image is derived: its fit is
        the map that it was derived from.
    source : object, optional
        The scanner files that it was read from, for DICOM objects that refer to them
        (`uteroseg.dicom.source_images`). They name the patient, and are written nowhere.

    Raises
    ------
    ValueError
        If shapes and b-values do not belong together.
    UserError
        If the signal is not finite.
    """

    signal: Array
    b_values: tuple[float, ...]
    geometry: Geometry
    scanner_adc: Array | None = None
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    adc_b_min: float = 0.0
    source: object | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.derived:
            object.__setattr__(self, "adc_b_min", 0.0)
        if self.signal.shape != (len(self.b_values), *self.geometry.shape):
            raise ValueError(
                f"signal {self.signal.shape} does not fit "
                f"{len(self.b_values)} b-values on {self.geometry.shape}"
            )
        if any(b >= c for b, c in zip(self.b_values, self.b_values[1:], strict=False)):
            raise ValueError(f"b-values must ascend strictly, got {self.b_values}")
        if self.scanner_adc is not None and self.scanner_adc.shape != self.geometry.shape:
            raise ValueError(f"scanner ADC {self.scanner_adc.shape} does not fit {self.geometry.shape}")
        if not np.isfinite(self.signal).all():
            raise UserError(
                "The diffusion signal holds values that are not finite numbers.",
                expected="finite signal in every voxel.",
                fix="look at the images in a viewer and convert them again from the scanner's files.",
            )

    @property
    def derived(self) -> bool:
        """Whether an image was computed from others instead of measured."""
        return bool(self.acquisition.get(DERIVED))

    def fit(self) -> DiffusionFit:
        """Fit the ADC; raises UserError with fewer than two b-values of at least ``adc_b_min``."""
        return fit_adc(self.signal, self.b_values, b_min=self.adc_b_min)

    def plot(self, mask: Mask | None = None, *, tiles: int = 6) -> Image:
        """Slices at the highest b-value, as a picture: notebooks show it, ``.save(path)`` keeps it.

        Parameters
        ----------
        mask : Mask, optional
            On the study's grid: its outline is drawn, and the slices are those with most of it.
        tiles : int
            At most this many slices.
        """
        from uteroseg.imaging.overlay import overlay  # pillow

        shown = mask or Mask(np.zeros(self.geometry.shape, bool), self.geometry)
        shown.geometry.require_same(
            self.geometry, what="mask and study", fix="resample the mask to the study's grid."
        )
        return overlay(self.signal[-1], shown, caption=f"b {self.b_values[-1]:g} s/mm²", tiles=tiles)

    def to_sitk(self) -> list[Any]:
        """SimpleITK images, one for each b-value."""
        from uteroseg.imaging.exchange import to_sitk

        return [to_sitk(image, self.geometry) for image in self.signal]

    def to_nibabel(self) -> Any:
        """A 4-D NIfTI image, a volume for each b-value."""
        from uteroseg.imaging.exchange import to_nibabel

        return to_nibabel(self.signal, self.geometry)

    @staticmethod
    def from_sitk(images: Sequence[Any], b_values: Sequence[float]) -> DwiStudy:
        """A study of SimpleITK images; see `uteroseg.imaging.exchange.study_of_sitk`."""
        from uteroseg.imaging.exchange import study_of_sitk

        return study_of_sitk(images, b_values)

    @staticmethod
    def from_nibabel(image: Any, b_values: Sequence[float]) -> DwiStudy:
        """A study of a 4-D image of nibabel; see `uteroseg.imaging.exchange.study_of_nibabel`."""
        from uteroseg.imaging.exchange import study_of_nibabel

        return study_of_nibabel(image, b_values)

    def __repr__(self) -> str:
        b_values = ", ".join(f"{b:g}" for b in self.b_values)
        source = self.acquisition.get("b_value_source")
        return f"DwiStudy({self.geometry.described}, b {b_values} s/mm²{f' from {source}' if source else ''})"

    def _repr_png_(self) -> bytes:
        from uteroseg.imaging.overlay import png

        return png(self.plot())


@dataclass(frozen=True, eq=False, repr=False)
class Mask:
    """A binary segmentation on a grid.

    Parameters
    ----------
    data : ndarray of bool, shape (slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    ValueError
        If the shapes differ or the data is not boolean.
    """

    data: Array
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.data.dtype != np.bool_ or self.data.shape != self.geometry.shape:
            raise ValueError(
                f"a mask is boolean on its geometry's grid {self.geometry.shape}, "
                f"got {self.data.dtype} {self.data.shape}"
            )

    @property
    def volume_ml(self) -> float:
        """Its volume."""
        from uteroseg.imaging.measure import volume_ml  # which imports this

        return volume_ml(self)

    def to_sitk(self) -> Any:
        """A SimpleITK image of 0 and 1."""
        from uteroseg.imaging.exchange import to_sitk

        return to_sitk(self.data.astype(np.uint8), self.geometry)

    def to_nibabel(self) -> Any:
        """A NIfTI image of 0 and 1."""
        from uteroseg.imaging.exchange import to_nibabel

        return to_nibabel(self.data.astype(np.uint8), self.geometry)

    @staticmethod
    def from_sitk(image: Any) -> Mask:
        """A mask of a SimpleITK image of 0 and one other value."""
        from uteroseg.imaging.exchange import mask_of, of_sitk

        return mask_of(*of_sitk(image))

    @staticmethod
    def from_nibabel(image: Any) -> Mask:
        """A mask of an image of nibabel of 0 and one other value."""
        from uteroseg.imaging.exchange import mask_of, of_nibabel

        return mask_of(*of_nibabel(image))

    def __repr__(self) -> str:
        return f"Mask({self.volume_ml:.2f} mL, {self.geometry.described})"


@dataclass(frozen=True, eq=False)
class Volume:
    """An image on a grid of its own, such as the examination's T2.

    Parameters
    ----------
    image : ndarray of float32, shape (slices, rows, columns)
        Arbitrary units.
    geometry : Geometry
    acquisition : mapping
        Scanner fields under their BIDS names; nothing in it identifies a patient.
    name : str
        What its files are called, for messages alone.
    """

    image: Array
    geometry: Geometry
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
