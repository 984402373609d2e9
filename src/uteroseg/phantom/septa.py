"""Fat and muscle as they are: parted by thin sheets of connective tissue, run through by fine vessels.

Where a smooth random field is zero it forms curved sheets; where two are zero, winding threads. Both fill all
of space; an organ has them as far as it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.geometry import Array
from uteroseg.phantom.shapes import Points, Waves

_WAVES = 10


@dataclass(frozen=True, eq=False)
class Sheets:
    """Curved sheets.

    Parameters
    ----------
    tissue : str
    waves : Waves
    length_mm : float
        Of the waves: sheets are about half as far apart.
    thickness_mm : float
        On average.
    """

    tissue: str
    waves: Waves
    length_mm: float
    thickness_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, tissue: str, *, length_mm: float, thickness_mm: float) -> Sheets:
        """Draw sheets."""
        return cls(tissue, Waves.draw(rng, length_mm=length_mm, count=_WAVES), length_mm, thickness_mm)

    def distance(self, points: Points) -> Array:
        """Signed distance to the nearest sheet's surface (mm), to first order on average."""
        away = np.abs(self.waves.at(points)) * np.float32(self.length_mm / (2 * np.pi))
        return np.asarray(away - np.float32(self.thickness_mm / 2))


@dataclass(frozen=True, eq=False)
class Threads:
    """Winding threads, where the sheets of two fields meet.

    Parameters
    ----------
    tissue : str
    waves : tuple of Waves
    length_mm : float
        Of the waves.
    radius_mm : float
        On average; it varies along a thread.
    """

    tissue: str
    waves: tuple[Waves, Waves]
    length_mm: float
    radius_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, tissue: str, *, length_mm: float, radius_mm: float) -> Threads:
        """Draw threads."""
        first, second = (Waves.draw(rng, length_mm=length_mm, count=_WAVES) for _ in range(2))
        return cls(tissue, (first, second), length_mm, radius_mm)

    def distance(self, points: Points) -> Array:
        """Signed distance to the nearest thread's surface (mm), to first order on average."""
        first, second = (waves.at(points) for waves in self.waves)
        away = np.sqrt(first * first + second * second) * np.float32(self.length_mm / (2 * np.pi))
        return np.asarray(away - np.float32(self.radius_mm))
