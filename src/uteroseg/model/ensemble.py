"""Several models as one, and how a model is opened whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.spec import ModelCard, ModelSpec


class Forward(Protocol):
    """What gives probabilities: an open model, or a network in training."""

    @property
    def spec(self) -> ModelSpec:
        """What it sees, and how its output becomes a mask."""

    def probability(self, slices: Array) -> Array:
        """Tumour probability, shape (slices, height, width), of (slices, channels, height, width)."""


class Engine(Forward, Protocol):
    """What predicts: one model, or several."""

    @property
    def card(self) -> ModelCard:
        """What it is."""

    @property
    def members(self) -> Sequence[ModelCard]:
        """The models that it is made of."""


class Ensemble:
    """Several models that see the same and answer with the mean of their probabilities.

    Its card is the first one's, without a calibration: that of one model does not hold for a mean of several.

    Parameters
    ----------
    engines : sequence of OnnxEngine

    Raises
    ------
    UserError
        If their ModelSpecs differ in more than the encoder.
    """

    def __init__(self, engines: Sequence[OnnxEngine]) -> None:
        self._engines = engines
        self.members = [engine.card for engine in engines]
        _require_one_spec(self.members)
        first = self.members[0]
        virtual = any(card.training.virtual for card in self.members)
        training = first.training.model_copy(update={"expected_dsc": None, "virtual": virtual})
        name = "+".join(card.id for card in self.members)
        self.card = first.model_copy(update={"id": name, "training": training})
        self.spec = self.card.spec

    def probability(self, slices: Array) -> Array:
        """Mean tumour probability of every pixel; shapes as in `OnnxEngine.probability`."""
        return np.asarray(np.mean([engine.probability(slices) for engine in self._engines], axis=0))


def open_model(model: str | Path | Engine | Sequence[str | Path]) -> Engine:
    """Open a model folder, or several as one; a model that is open already stays as it is.

    Raises
    ------
    UserError
        If a folder is not a whole model, or several do not fit together.
    """
    if isinstance(model, str | Path):
        return OnnxEngine(Path(model))
    if not isinstance(model, Sequence):
        return model
    if len(model) == 1:
        return OnnxEngine(Path(model[0]))
    return Ensemble([OnnxEngine(Path(folder)) for folder in model])


def _require_one_spec(cards: Sequence[ModelCard]) -> None:
    first = cards[0].spec.model_dump(exclude={"encoder"})
    for card in cards[1:]:
        spec = card.spec.model_dump(exclude={"encoder"})
        for name in first:
            if spec[name] != first[name]:
                raise UserError(
                    f"The models {cards[0].id} and {card.id} differ in {name}: "
                    f"{first[name]} and {spec[name]}.",
                    expected="models that see the same and have the same threshold and rule for components; "
                    "encoders and training may differ.",
                    fix="predict with them separately, or train them with the same options.",
                )
