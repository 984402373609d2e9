"""How a model is adapted: what it starts from, which layers train, what keeps it from forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from uteroseg.errors import UserError


class Unannotated(BaseModel):
    """How target cases without a mask teach.

    A teacher, made of the network's own earlier weights, draws masks on their slices as they are. The network
    learns these masks on the same slices varied.

    Parameters
    ----------
    share : float
        Of every batch. Labelled and source cases divide the rest as they would divide the whole.
    teacher : str
        ``average``: the moving average of the weights, as it is at each step. ``drawn``: as it was when
        teaching began, so that each mask is drawn once. ``redrawn``: that, and anew half-way to the end.
    begins : float
        The share of the steps after which they teach. Before, labelled cases have their place.
    unsure : (float, float)
        Pixels with a probability between these count for nothing. On cases that it has not seen a network is
        too sure that there is no tumour, so that the lower one lies far lower than the upper one lies high.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.35, gt=0, lt=1)
    teacher: Literal["average", "drawn", "redrawn"] = "average"
    begins: float = Field(default=0.3, ge=0, lt=1)
    unsure: tuple[float, float] = (0.02, 0.5)

    @model_validator(mode="after")
    def _around_a_half(self) -> Unannotated:
        low, high = self.unsure
        if not 0 <= low <= 0.5 <= high <= 1:
            raise ValueError("unsure must lie around 0.5, such as [0.02, 0.5]")
        return self


class Strategy(BaseModel):
    """A way to adapt a model.

    Parameters
    ----------
    name : str
    summary : str
        What it does; where it is empty, `in_words` says what its settings do.
    start : str
        ``source``: the source model; ``beginning``: the weights that the source model itself began from.
    trains : tuple of str
        Layer groups that train (`uteroseg.network.layers`); none: the source model stays as it is.
    source_share : float or "pooled"
        Share of source cases in every batch; ``pooled``: every case of both cohorts counts alike.
    interpolation : float, optional
        Share of the adapted weights in the model, the rest are the source's. With validation cases the best
        of a few shares is taken instead.
    without_source : str, optional
        The strategy to take where source cases are not at hand.
    unannotated : Unannotated, optional
        How target cases without a mask teach, where there are any; by default they do not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str = ""
    start: Literal["source", "beginning"] = "source"
    trains: tuple[str, ...] = ("all",)
    source_share: Annotated[float, Field(ge=0, lt=1)] | Literal["pooled"] = 0.0
    interpolation: Annotated[float, Field(gt=0, le=1)] | None = None
    without_source: str | None = None
    unannotated: Unannotated | None = None

    @model_validator(mode="after")
    def _fits(self) -> Strategy:
        if self.interpolation is not None and self.start == "beginning":
            raise ValueError("interpolation needs a model that started from the source model")
        more = self.start == "beginning" or self.interpolation is not None or self.unannotated is not None
        if not self.trains and more:
            raise ValueError("without layers that train, only the source model itself is left")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``unannotated`` where it is not used: runs of before there was such keep their hash."""
        values: dict[str, Any] = plain(self)
        return values if self.unannotated else {k: v for k, v in values.items() if k != "unannotated"}

    @property
    def needs_source_cases(self) -> bool:
        """Whether source cases take part in training."""
        return self.source_share != 0

    @property
    def is_joint(self) -> bool:
        """Whether it trains on both cohorts from the beginning."""
        return self.start == "beginning" and self.needs_source_cases

    @property
    def tunes_layers_alone(self) -> bool:
        """Whether only the layers that it tunes make it what it is: target cases, from the source model."""
        plain = not self.needs_source_cases and self.interpolation is None and self.unannotated is None
        return self.start == "source" and plain and bool(self.trains)

    @property
    def tunes_early_layers(self) -> bool:
        """Whether it tunes no layers but the early ones of the encoder."""
        return bool(self.trains) and set(self.trains) <= set(_EARLY)

    @property
    def in_words(self) -> str:
        """What it does, in a few words: its own summary, else what follows from its settings."""
        if self.summary:
            return self.summary
        words = [_LAYERS.get(self.trains, ", ".join(self.trains))]
        if self.start == "beginning":
            words = ["both cohorts from the beginning" if self.is_joint else "target cases alone"]
        elif self.source_share == "pooled":
            words.append("source cases pooled in")
        if self.needs_source_cases and self.source_share != "pooled":
            words.append(f"{100 * self.source_share:.0f} % source cases")
        if self.interpolation is not None:
            words.append("interpolated")
        if self.unannotated is not None:
            words.append(f"{100 * self.unannotated.share:.0f} % unannotated cases")
        return ", ".join(words)


_EARLY = ("stem", "stage1", "stage2")
_LAYERS = {
    (): "the source model as it is",
    ("all",): "every layer",
    _EARLY: "stem and first two encoder stages",
    ("encoder",): "the whole encoder",
    ("aspp", "decoder", "head"): "ASPP, decoder and head",
    ("head",): "the last layer only",
    ("norm-affine", "norm-statistics"): "normalisation only",
}

STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy(name="source", trains=()),
        Strategy(name="scratch", start="beginning"),
        Strategy(name="joint", start="beginning", source_share="pooled"),
        Strategy(name="all"),
        Strategy(name="encoder-early", trains=_EARLY),
        Strategy(name="encoder", trains=("encoder",)),
        Strategy(name="decoder", trains=("aspp", "decoder", "head")),
        Strategy(name="head", trains=("head",)),
        Strategy(name="norm", trains=("norm-affine", "norm-statistics")),
        Strategy(name="replay", source_share=0.5),
        Strategy(name="interpolate", interpolation=0.5),
        Strategy(
            name="default",
            start="beginning",
            source_share=0.5,
            without_source="interpolate",
            unannotated=Unannotated(),
        ),
    )
}


def strategy_named(name: str) -> Strategy:
    """Look a strategy up by its name, or read it from a YAML file.

    Raises
    ------
    UserError
        If there is none of this name, or the file does not describe one.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    if name.lower().endswith((".yaml", ".yml")):
        return _read(Path(name))
    raise UserError(
        f"There is no strategy {name!r}.",
        expected=f"one of {', '.join(STRATEGIES)}, or a YAML file.",
        fix="correct `strategy`.",
    )


def _read(path: Path) -> Strategy:
    import yaml

    try:
        values = yaml.safe_load(path.read_text("utf-8"))
        return Strategy.model_validate({"name": path.stem, **values})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error).splitlines()[0]
        raise UserError(
            f"{path} is no strategy ({where.strip(': ')}).",
            expected=f"a YAML file with some of the fields {', '.join(Strategy.model_fields)}.",
            fix="correct the file.",
        ) from error
