"""What a model is: what it wants to see, how its output becomes a mask, and how it was trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from uteroseg import RESEARCH_USE
from uteroseg.imaging.geometry import Plane
from uteroseg.model.calibration import Calibration

FORMAT_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(_Value):
    """The network's input and output.

    Slices are resampled in plane to ``spacing_mm`` and cropped or padded to ``matrix``. The channels are the
    image at the lowest b-value and at b 1000 s/mm², both divided by the median of the former inside the body,
    and ADC in 10⁻³ mm²/s; each is then normalised as ``(value − mean) / standard deviation``.
    """

    architecture: Literal["DeepLabV3Plus"] = "DeepLabV3Plus"
    encoder: str = "tu-tf_efficientnet_lite0"
    plane: Plane = "sagittal"
    spacing_mm: float = Field(default=2.5, gt=0)
    matrix: tuple[int, int] = (96, 96)
    channels: tuple[Literal["b0"], Literal["b1000"], Literal["adc"]] = ("b0", "b1000", "adc")
    channel_mean: tuple[float, float, float] = (0.9, 0.3, 1.2)
    channel_std: tuple[float, float, float] = (0.9, 0.25, 0.8)
    threshold: float = Field(default=0.5, gt=0, lt=1)
    min_component_ml: float = Field(default=0.2, ge=0)


class TrainingRecord(_Value):
    """What the model saw and how it was trained."""

    strategy: str
    cases: dict[str, int]
    """Number of training cases by cohort, those of the source model included."""
    validation_cases: int = 0
    """Of the cases of this training, those that were held out to validate on."""
    virtual: bool
    """Whether any training case was a virtual patient."""
    data_fingerprint: str
    seed: int
    steps: int
    batch_size: int
    seconds: float
    final_loss: float
    b_values: list[float]
    slice_spacing_mm: list[float]
    source_model: str | None = None
    software: dict[str, str]
    expected_dsc: Calibration | None = None
    """Calibration of the expected DSC, fitted on validation cases; null where there were none."""


class ModelCard(_Value):
    """``model.json``."""

    format_version: int = FORMAT_VERSION
    id: str
    spec: ModelSpec
    training: TrainingRecord
    licence: str = "Apache-2.0"
    intended_use: str = RESEARCH_USE

    def describe(self) -> dict[str, Any]:
        """What a result says about the model that made it."""
        return {
            "id": self.id,
            "training_cases": self.training.cases,
            "strategy": self.training.strategy,
            "virtual_patients": self.training.virtual,
        }
