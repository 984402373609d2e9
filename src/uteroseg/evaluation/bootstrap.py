"""Bootstrap intervals over patients.

References
----------
Efron B, Tibshirani RJ, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20230114
_CELLS_AT_ONCE = 4_000_000


def percentile_interval(
    values: npt.ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float]:
    """Percentile-bootstrap interval of a mean.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One value per patient, finite.
    level : float
        Coverage that is aimed at.
    resamples : int
    seed : int
        The same seed and values give the same interval.

    Returns
    -------
    low, high : float
        Not a number with fewer than two patients: one patient says nothing about the spread.

    Raises
    ------
    ValueError
        If the values are not one finite number per patient.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise ValueError(f"a bootstrap needs one finite value per patient, got {sample!r}")
    if len(sample) < 2:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    rows = max(1, _CELLS_AT_ONCE // len(sample))
    means = np.concatenate(
        [
            sample[random.integers(0, len(sample), size=(min(rows, resamples - start), len(sample)))].mean(
                axis=1
            )
            for start in range(0, resamples, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
