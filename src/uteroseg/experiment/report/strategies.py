"""The strategies of an experiment as a report tells of them: what each tunes, its colour, its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EARLY = "encoder-early"
"""The early encoder layers, which the paper found best."""
ALL = "all"
JOINT = "joint"
DEFAULT = "default"

_SUMMARIES = {
    ALL: "every layer",
    EARLY: "stem and first two encoder stages",
    "encoder": "the whole encoder",
    "decoder": "ASPP, decoder and head",
    "head": "the last layer only",
    "norm": "normalisation only",
    "replay": "every layer, source cases in each batch",
    "interpolate": "every layer, then half-way back",
    "scratch": "target cases alone",
    JOINT: "both cohorts from the beginning",
}
_LAYERS = (ALL, EARLY, "encoder", "decoder", "head", "norm")
_NAMED_LAYERS = {
    ("stem", "stage1", "stage2"): _SUMMARIES[EARLY],
    ("all",): _SUMMARIES[ALL],
    ("encoder",): _SUMMARIES["encoder"],
    ("aspp", "decoder", "head"): _SUMMARIES["decoder"],
    ("head",): _SUMMARIES["head"],
    ("norm-affine", "norm-statistics"): _SUMMARIES["norm"],
}
_COLOURS = {
    ALL: "#332288",
    EARLY: "#CC6677",
    DEFAULT: "#117733",
    JOINT: "#1a1a1a",
    "head": "#88A0C8",
    "decoder": "#999933",
    "encoder": "#882255",
    "norm": "#44AA99",
    "replay": "#AA4499",
    "interpolate": "#661100",
    "scratch": "#777777",
}
"""After Paul Tol's muted scheme; line and marker tell strategies apart as well."""
_MARKERS = ("o", "^", "D", "s", "v", "P", "X", "<", ">", "p", "h")
_DASHED = (0, (5, 1.6))
_SHOWN = 6


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn."""

    colour: str
    marker: str
    dash: Any


@dataclass(frozen=True)
class StrategySet:
    """The strategies that adapt a model in an experiment.

    Parameters
    ----------
    names : tuple of str
        In alphabetical order.
    settings : mapping
        What each does, as its runs recorded it; empty where they did not, and then its name tells.
    """

    names: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str], records: Iterable[Any]) -> StrategySet:
        """The strategies of some curves, with what the records of their runs say about them."""
        known = tuple(names)
        settings = {
            record.strategy: record.settings["strategy"]
            for record in records
            if record.strategy in known and isinstance(record.settings.get("strategy"), dict)
        }
        return cls(known, settings)

    @property
    def layers(self) -> tuple[str, ...]:
        """Those that differ in the layers that they tune alone: target cases only, from the source model."""
        return tuple(name for name in self.names if self._tunes_layers(name))

    @property
    def joint(self) -> tuple[str, ...]:
        """Those that train on both cohorts from the beginning."""
        return tuple(name for name in self.names if self._is_joint(name))

    @property
    def adapting(self) -> tuple[str, ...]:
        """Those that start from the source model."""
        return tuple(name for name in self.names if self._start(name) == "source")

    @property
    def early(self) -> str | None:
        """The one that tunes the early encoder layers alone."""
        return next((name for name in self.layers if self._is_early(name)), None)

    def summary(self, name: str) -> str:
        """What a strategy does, in a few words; empty where that is not known."""
        own = self.settings.get(name)
        if own is None:
            return _SUMMARIES.get(name, "")
        trains = tuple(own.get("trains", ("all",)))
        words = [_NAMED_LAYERS.get(trains, ", ".join(trains))]
        share = own.get("source_share", 0)
        if self._start(name) == "beginning":
            words = [_SUMMARIES[JOINT] if share else _SUMMARIES["scratch"]]
        elif share == "pooled":
            words.append("source cases pooled in")
        elif share:
            words.append(f"{100 * share:.0f} % source cases")
        if own.get("interpolation") is not None:
            words.append("interpolated")
        return ", ".join(words)

    def look(self, name: str) -> Look:
        """How a strategy is drawn: the same in every figure."""
        place = self.names.index(name)
        free = [c for known, c in _COLOURS.items() if known not in self.names]
        unknown = [other for other in self.names if other not in _COLOURS]
        colour = (
            _COLOURS.get(name)
            or (free or list(_COLOURS.values()))[unknown.index(name) % (len(free) or len(_COLOURS))]
        )
        dash = _DASHED if name in self.joint else "solid"
        return Look(colour, _MARKERS[place % len(_MARKERS)], dash)

    def highlighted(self, reached: Mapping[str, float]) -> tuple[str, ...]:
        """At most six to draw in colour: those that the questions are about, then the best.

        Parameters
        ----------
        reached : mapping
            What each strategy reached.
        """
        best = sorted(self.names, key=lambda name: (-reached.get(name, 0.0), name))
        asked = [name for name in (DEFAULT, ALL, self.early, *self.joint) if name in self.names]
        chosen = list(dict.fromkeys([*best[:1], *asked, *best]))[:_SHOWN]
        return tuple(name for name in self.names if name in chosen)

    def _start(self, name: str) -> str:
        own = self.settings.get(name)
        if own is None:
            return "beginning" if name in (JOINT, "scratch") else "source"
        return str(own.get("start", "source"))

    def _is_joint(self, name: str) -> bool:
        own = self.settings.get(name)
        if own is None:
            return name == JOINT
        return self._start(name) == "beginning" and bool(own.get("source_share", 0))

    def _tunes_layers(self, name: str) -> bool:
        own = self.settings.get(name)
        if own is None:
            return name in _LAYERS
        plain = not own.get("source_share", 0) and own.get("interpolation") is None
        return self._start(name) == "source" and plain and bool(own.get("trains", ("all",)))

    def _is_early(self, name: str) -> bool:
        own = self.settings.get(name)
        if own is None:
            return name == EARLY
        trains = set(own.get("trains", ()))
        return bool(trains) and trains <= {"stem", "stage1", "stage2"}
