"""How a model is adapted: what it starts from, which layers train, what keeps it from forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from uteroseg.errors import UserError


class Strategy(BaseModel):
    """A way to adapt a model.

    Parameters
    ----------
    name, summary : str
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str = ""
    start: Literal["source", "beginning"] = "source"
    trains: tuple[str, ...] = ("all",)
    source_share: Annotated[float, Field(ge=0, lt=1)] | Literal["pooled"] = 0.0
    interpolation: Annotated[float, Field(gt=0, le=1)] | None = None
    without_source: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Strategy:
        if self.interpolation is not None and self.start == "beginning":
            raise ValueError("interpolation needs a model that started from the source model")
        if not self.trains and (self.start == "beginning" or self.interpolation is not None):
            raise ValueError("without layers that train, only the source model itself is left")
        return self

    @property
    def needs_source_cases(self) -> bool:
        """Whether source cases take part in training."""
        return self.source_share != 0


_EARLY = ("stem", "stage1", "stage2")

STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy(name="source", summary="the source model as it is", trains=()),
        Strategy(name="scratch", summary="target cases alone, from the beginning", start="beginning"),
        Strategy(
            name="joint",
            summary="source and target cases together, from the beginning",
            start="beginning",
            source_share="pooled",
        ),
        Strategy(name="all", summary="every layer"),
        Strategy(name="encoder-early", summary="stem and first two encoder stages", trains=_EARLY),
        Strategy(name="encoder", summary="the whole encoder", trains=("encoder",)),
        Strategy(name="decoder", summary="ASPP, decoder and head", trains=("aspp", "decoder", "head")),
        Strategy(name="head", summary="the last layer only", trains=("head",)),
        Strategy(name="norm", summary="normalisation only", trains=("norm-affine", "norm-statistics")),
        Strategy(name="replay", summary="every layer, half of each batch source cases", source_share=0.5),
        Strategy(
            name="interpolate",
            summary="every layer, then half-way back to the source model",
            interpolation=0.5,
        ),
        Strategy(
            name="default",
            summary="both cohorts from the beginning, half of each batch target cases; interpolate where "
            "source cases are not at hand",
            start="beginning",
            source_share=0.5,
            without_source="interpolate",
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
