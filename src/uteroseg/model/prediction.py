"""From a study to its tumour mask: the one way, for the clinic, the experiment and the validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import AdcStatistics, adc_statistics, maximum_diameter_mm, volume_ml
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.model.calibration import soft_dice
from uteroseg.model.ensemble import Engine, Forward, open_model
from uteroseg.model.flags import Flag, quality_flags
from uteroseg.model.prepare import (
    PreparedStudy,
    SliceGrid,
    mask_from_output,
    normalise,
    require_fitting_grid,
)
from uteroseg.model.spec import ModelCard

if TYPE_CHECKING:
    from PIL.Image import Image


class Prepared(Protocol):
    """What can be segmented: a study, or a case that was prepared before."""

    @property
    def geometry(self) -> Geometry:
        """Of the study."""

    def on_matrix(self, grid: SliceGrid) -> Array:
        """Its channels as `PreparedStudy.on_matrix` gives them."""


def segment(prepared: Prepared, forward: Forward) -> tuple[Mask, Array]:
    """Segment the tumour.

    Parameters
    ----------
    prepared : PreparedStudy or another Prepared
    forward : Forward
        A model, open; or a network in training.

    Returns
    -------
    mask : Mask
        On the study's grid.
    probability : ndarray of float32, shape (slices, rows, columns)
        Of tumour, on the study's grid.

    Raises
    ------
    UserError
        If the study has one b-value only, no high one, no signal, or a grid that the model cannot take.
    """
    require_fitting_grid(prepared.geometry, forward.spec)
    grid = SliceGrid.between(prepared.geometry, forward.spec)
    return mask_from_output(forward.probability(normalise(prepared.on_matrix(grid), forward.spec)), grid)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model finds in a study. What is measured of it is measured when it is first asked for.

    Parameters
    ----------
    mask : Mask
        On the study's grid.
    probability : ndarray of float32, shape (slices, rows, columns)
        Of tumour, on the study's grid.
    prepared : PreparedStudy
    models : tuple of ModelCard
        That it is of: the first stands for all, others are members of an ensemble.
    """

    mask: Mask
    probability: Array
    prepared: PreparedStudy
    models: tuple[ModelCard, ...]

    @property
    def study(self) -> DwiStudy:
        """The study."""
        return self.prepared.study

    @property
    def card(self) -> ModelCard:
        """What the model is."""
        return self.models[0]

    @cached_property
    def volume_ml(self) -> float:
        """Volume of the mask."""
        return volume_ml(self.mask)

    @cached_property
    def diameter_mm(self) -> float:
        """Maximum diameter of the mask."""
        return maximum_diameter_mm(self.mask)

    @cached_property
    def adc(self) -> AdcStatistics:
        """ADC inside the mask, 10⁻³ mm²/s."""
        return adc_statistics(self.mask, self.prepared.fit.adc)

    @cached_property
    def soft_dice(self) -> float:
        """DSC that the mask would reach if the probabilities were right."""
        return soft_dice(self.probability, self.mask.data)

    @property
    def expected_dsc(self) -> float | None:
        """The same after the model's calibration; None where the model has none."""
        calibration = self.card.training.expected_dsc
        return calibration.expected_dsc(self.soft_dice) if calibration else None

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """Reasons not to trust the mask, the most severe first."""
        return tuple(quality_flags(self.prepared, self.mask, self.soft_dice, self.card))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a result says of the model in any case."""
        if not self.card.training.virtual:
            return ()
        return (
            "The model was trained on virtual patients: "
            "what it finds in a real one means nothing clinically.",
        )

    def save(self, folder: str | Path, *, probability: bool = False, keep_empty_frames: bool = False) -> Path:
        """Write mask, JSON and picture; DICOM SEG and SR where the study came as DICOM.

        Parameters
        ----------
        folder : path
            New or empty; it appears whole or not at all.
        probability : bool
            Also write the probability map.
        keep_empty_frames : bool
            Write frames without tumour in the DICOM SEG too, for viewers that need them.

        Returns
        -------
        Path
            The folder; ``result.json`` in it says what was not written and why.

        Raises
        ------
        UserError
            If the folder holds something already.
        """
        from uteroseg.model.prediction_folder import Outputs, write_prediction  # pillow

        folder = Path(folder)
        outputs = Outputs(probability, keep_empty_frames)
        write_prediction(folder, self, case=folder.resolve().name, outputs=outputs)
        return folder

    def plot(self, *, tiles: int = 6) -> Image:
        """Slices with the mask's outline, as a picture: notebooks show it, ``.save(path)`` keeps it.

        Parameters
        ----------
        tiles : int
            At most this many slices: those with most mask.
        """
        from uteroseg.imaging.overlay import overlay  # pillow

        caption = f"tumour {self.volume_ml:.1f} mL · model {self.card.id}"
        return overlay(self.prepared.high_b, self.mask, caption=caption, tiles=tiles)

    def _repr_png_(self) -> bytes:
        from uteroseg.imaging.overlay import png

        return png(self.plot())

    def __repr__(self) -> str:
        expected = "" if self.expected_dsc is None else f", expected DSC {self.expected_dsc:.2f}"
        flags = f", flags: {', '.join(dict.fromkeys(flag.name for flag in self.flags))}" if self.flags else ""
        return f"Prediction(tumour {self.volume_ml:.1f} mL{expected}, model {self.card.id}{flags})"


def predict_study(study: DwiStudy, engine: Engine) -> Prediction:
    """Predict the tumour mask of a study; raises as `segment` does."""
    prepared = PreparedStudy(study)
    mask, probability = segment(prepared, engine)
    members = tuple(engine.members) if len(engine.members) > 1 else ()
    return Prediction(mask, probability, prepared, (engine.card, *members))


def predict(study: DwiStudy, *, model: str | Path | Engine | Sequence[str | Path]) -> Prediction:
    """Segment the tumour in a study.

    Parameters
    ----------
    study : DwiStudy
        Its signal has the shape (b-values, slices, rows, columns).
    model : path, sequence of path or Engine
        A model folder; several as one; or what `uteroseg.open_model` gave, for many studies.

    Returns
    -------
    Prediction
        Its ``mask`` and ``probability`` lie on the study's grid.

    Raises
    ------
    UserError
        If the model is not whole, or the study is none that it can take.

    Examples
    --------
    >>> geometry = uteroseg.Geometry.from_nifti(shape, affine)  # doctest: +SKIP
    >>> study = uteroseg.DwiStudy(signal, (0, 1000), geometry)  # doctest: +SKIP
    >>> found = uteroseg.predict(study, model="models/virtual-universal")  # doctest: +SKIP
    >>> found.volume_ml, found.mask  # doctest: +SKIP
    """
    return predict_study(study, open_model(model))
