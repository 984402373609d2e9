"""How a model is adapted: which layer groups train."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from uteroseg.errors import UserError
from uteroseg.network.layers import layer_groups


@dataclass(frozen=True)
class Strategy:
    """A way to adapt a model.

    Parameters
    ----------
    name, summary : str
    trains : tuple of str
        Layer groups that train; ``encoder`` means the stem and all of the encoder's stages.
    """

    name: str
    summary: str
    trains: tuple[str, ...]

    def groups(self, network: nn.Module) -> tuple[str, ...]:
        """The network's own names of the groups that train."""
        return tuple(
            group
            for group in layer_groups(network)
            if group in self.trains or ("encoder" in self.trains and group.startswith(("stem", "stage")))
        )


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy("all", "every layer", ("encoder", "aspp", "decoder", "head")),
        Strategy("encoder-early", "stem and first two encoder stages", ("stem", "stage1", "stage2")),
        Strategy("encoder", "the whole encoder", ("encoder",)),
        Strategy("decoder", "ASPP, decoder and head", ("aspp", "decoder", "head")),
        Strategy("head", "the last layer only", ("head",)),
    )
}


def strategy_named(name: str) -> Strategy:
    """Look a strategy up.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    if name not in STRATEGIES:
        raise UserError(
            f"There is no strategy {name!r}.",
            expected=f"one of {', '.join(STRATEGIES)}.",
            fix="correct --strategy.",
        )
    return STRATEGIES[name]
