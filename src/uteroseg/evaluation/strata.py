"""Divide patients: by histology, by scanner, by the volume of the tumour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

NOT_STATED = "not stated"


def volume_tertiles_ml(volumes: Iterable[float]) -> tuple[float, float] | None:
    """Cut points of the tertiles of the true volume, mL.

    Parameters
    ----------
    volumes : iterable of float
        Of each patient; those without a tumour (0) do not count.

    Returns
    -------
    tuple of float, or None
        None with fewer than three patients with a tumour.
    """
    tumours = [volume for volume in volumes if volume > 0]
    if len(tumours) < 3:
        return None
    return tertiles(tumours)


def tertiles(values: Sequence[float]) -> tuple[float, float]:
    """The two numbers that divide values into thirds."""
    lower, upper = np.quantile(values, [1 / 3, 2 / 3])
    return float(lower), float(upper)


def volume_names(cuts: tuple[float, float]) -> tuple[str, str, str, str]:
    """Names of the strata by volume, in their order."""
    low, high = (f"{cut:.1f}" for cut in cuts)
    return ("no tumour", f"up to {low} mL", f"{low} to {high} mL", f"over {high} mL")


def volume_places(volumes: Sequence[float], cuts: tuple[float, float]) -> list[int]:
    """Number of each volume's stratum in `volume_names`."""
    return [int(place) for place in np.searchsorted([0.0, *cuts], volumes)]
