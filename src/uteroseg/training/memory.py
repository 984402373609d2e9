"""When a batch is too large for the device: say which would fit."""

from __future__ import annotations

from collections.abc import Callable

import torch

from uteroseg.errors import UserError


def out_of_memory(batch_size: int, attempt: Callable[[int], object]) -> UserError:
    """The error to raise after a batch did not fit.

    Parameters
    ----------
    batch_size : int
        That did not fit.
    attempt : callable
        Makes a step with fewer slices; raises ``torch.OutOfMemoryError`` where they do not fit either.
    """
    fits = batch_size // 2
    while fits >= 2 and not _does(attempt, fits):
        fits //= 2
    return UserError(
        f"A batch of {batch_size} slices does not fit into the device's memory.",
        expected=f"a batch of at most {fits} slices, which was tried and fits."
        if fits >= 2
        else "a device with more memory: not even 2 slices fit.",
        fix=f"set `batch_size` to {fits}."
        if fits >= 2
        else "close what else uses the device, or take a smaller encoder or matrix.",
    )


def _does(attempt: Callable[[int], object], slices: int) -> bool:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        attempt(slices)
    except torch.OutOfMemoryError:
        return False
    return True
