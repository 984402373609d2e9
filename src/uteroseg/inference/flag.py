"""A reason not to trust a prediction."""

from __future__ import annotations

from dataclasses import dataclass

CERTAIN = 3.0
"""Severity of what is so or not, without a degree."""


@dataclass(frozen=True)
class Flag:
    """A reason not to trust a prediction.

    Parameters
    ----------
    name : str
        Such as ``low-expected-dsc``.
    why : str
        What was found and what was expected, in words with numbers.
    severity : float
        How far past the limit: 1 is on it, 2 twice as far.
    """

    name: str
    why: str
    severity: float
