"""What a model is: what it wants to see, how its output becomes a mask, and how it was trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from uteroseg import RESEARCH_USE
from uteroseg.imaging.geometry import Plane
from uteroseg.model.calibration import Calibration

FORMAT_VERSION = 1

Channel = Literal["b0", "b1000", "adc"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
"""What a network can see of a study, in the order in which it sees them."""

_NORMALISATION: dict[str | None, dict[Channel, float]] = {
    "channel_mean": {"b0": 0.9, "b1000": 0.3, "adc": 1.2},
    "channel_std": {"b0": 0.9, "b1000": 0.25, "adc": 0.8},
}
_TIMM = "tu-"
"""How segmentation_models_pytorch marks encoders of timm."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(_Value):
    """The network's input and output.

    Slices are resampled in plane to ``spacing_mm`` and cropped or padded to ``matrix``. The channels are some
    of the image at the lowest b-value (``b0``) and at b 1000 s/mm² (``b1000``), both divided by the median of
    the former inside the body, and ADC in 10⁻³ mm²/s (``adc``); each is then normalised as
    ``(value − mean) / standard deviation``.

    Parameters
    ----------
    architecture : str
    encoder : str
        An encoder of timm by its name, ``resnet50`` or ``tu-resnet50``; kept as the latter.
    plane : str
        That slices are acquired in.
    spacing_mm : float
    matrix : tuple of int
        Height and width.
    channels : tuple of str
        Some of `CHANNELS`, in that order.
    channel_mean, channel_std : tuple of float
        One for each channel; where none are given, constants that suit pelvic studies.
    threshold : float
        Of the probability, from which on a voxel is tumour.
    min_component_ml : float
        Smaller components are dropped from the mask.
    """

    architecture: Literal["DeepLabV3Plus"] = "DeepLabV3Plus"
    encoder: str = "tu-tf_efficientnet_lite0"
    plane: Plane = "sagittal"
    spacing_mm: float = Field(default=2.5, gt=0)
    matrix: tuple[int, int] = (96, 96)
    channels: tuple[Channel, ...] = CHANNELS
    channel_mean: tuple[float, ...] = Field(default=(), validate_default=True)
    channel_std: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), validate_default=True)
    threshold: float = Field(default=0.5, gt=0, lt=1)
    min_component_ml: float = Field(default=0.2, ge=0)

    @field_validator("encoder")
    @classmethod
    def _of_timm(cls, name: str) -> str:
        return _TIMM + name.removeprefix(_TIMM)

    @field_validator("channels")
    @classmethod
    def _in_order(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        if not channels or channels != tuple(name for name in CHANNELS if name in channels):
            raise ValueError(
                f"channels are some of {', '.join(CHANNELS)}, each once and in this order, "
                f"not {', '.join(channels) or 'none'}"
            )
        return channels

    @field_validator("channel_mean", "channel_std")
    @classmethod
    def _one_per_channel(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if "channels" not in info.data:  # they were refused
            return values
        channels = info.data["channels"]
        values = values or tuple(_NORMALISATION[info.field_name][name] for name in channels)
        if len(values) != len(channels):
            raise ValueError(f"{len(values)} values for the {len(channels)} channels {', '.join(channels)}")
        return values


class Distribution(_Value):
    """How a number was spread over training studies.

    Parameters
    ----------
    studies : int
        How many had it.
    quantiles : tuple of float
        At `uteroseg.model.study_statistics.QUANTILES`.
    """

    studies: int
    quantiles: tuple[float, ...]


class TrainingRecord(_Value):
    """What the model saw and how it was trained.

    What has a default was not recorded by the first versions.
    """

    strategy: str
    cases: dict[str, int]
    """Number of training cases by cohort, those of the source model included."""
    validation_cases: int = 0
    """Of the cases of this training, those that were held out to validate on."""
    unannotated_cases: int = 0
    """Cases of the target cohort that taught without a mask; those of its ancestors are not counted."""
    left_out: dict[str, str] = {}
    """Unannotated cases that could not be used, and why."""
    virtual: bool
    """Whether any training case was a virtual patient."""
    data_fingerprint: str
    seed: int
    start_seed: int = 1
    """Of the random weights that the first of its ancestors began with."""
    imagenet: bool = True
    """Whether that one's encoder began with ImageNet weights."""
    steps: int
    total_steps: int = 0
    """Those of its ancestors included."""
    batch_size: int
    learning_rate: float = 0.0
    seconds: float
    final_loss: float
    validation_dsc: float | None = None
    """Mean over validation patients; null where there were none."""
    interpolation: float | None = None
    """Share of the adapted weights, where the strategy interpolates between them and the source model's."""
    b_values: list[float]
    slice_spacing_mm: list[float]
    seen: dict[str, Distribution] = {}
    """Distributions of `uteroseg.model.study_statistics.StudyStatistics` over the training studies."""
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
