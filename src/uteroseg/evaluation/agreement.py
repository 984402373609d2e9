"""How well two or more ways to measure the same patients agree: ICC and Bland–Altman.

References
----------
McGraw KO, Wong SP, Psychological Methods 1996;1:30–46 (correction 1:390): ICC(A,1), its interval in table 7.
Shrout PE, Fleiss JL, Psychological Bulletin 1979;86:420–428: the same coefficient as ICC(2,1).
Bland JM, Altman DG, Lancet 1986;327:307–310, and Stat Methods Med Res 1999;8:135–160: limits of agreement.
Carkeet A, Optometry and Vision Science 2015;92:e71–e80: exact intervals of the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from uteroseg.imaging.geometry import Array

LEVEL = 0.95
FEWEST_PATIENTS = 3
"""With fewer, agreement cannot be told from chance, and spread and intervals are not a number."""


@dataclass(frozen=True)
class IntraclassCorrelation:
    """ICC(A,1): two-way model, absolute agreement, single measurement.

    Parameters
    ----------
    patients : int
    value : float
        At most 1; negative where readings of one patient differ more than patients do. Not a number with
        fewer than `FEWEST_PATIENTS`, or where each reader's readings are the same for every patient.
    low, high : float
        Limits of the 95 % interval; not a number where the value is.
    """

    patients: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BlandAltman:
    """Bias and limits of agreement of two measurements, in their unit; all intervals are 95 %.

    Parameters
    ----------
    patients : int
    bias : float
        Mean difference, first − second.
    bias_low, bias_high : float
        Interval of the bias, after Student's t distribution.
    sd : float
        Standard deviation of the differences, with n − 1.
    lower, upper : float
        Limits of agreement, bias ∓ 1.96 · sd: between them 95 % of differences are expected.
    lower_low, lower_high, upper_low, upper_high : float
        Intervals of the limits, each on its own, exact for normal differences (Carkeet 2015).

    Notes
    -----
    With fewer than `FEWEST_PATIENTS`, everything but the bias is not a number. Where all differences are
    equal, limits and intervals have no width.
    """

    patients: int
    bias: float
    bias_low: float
    bias_high: float
    sd: float
    lower: float
    lower_low: float
    lower_high: float
    upper: float
    upper_low: float
    upper_high: float


def intraclass_correlation(readings: npt.ArrayLike) -> IntraclassCorrelation:
    """ICC(A,1) of readings, with its interval after McGraw and Wong.

    Parameters
    ----------
    readings : array_like, shape (patients, readers)
        Finite values of at least two readers, for example the volume from the manual and the automatic mask.

    Raises
    ------
    ValueError
        If the readings are not one finite value per patient and reader.
    """
    table = _table(readings)
    n, k = table.shape
    if n < FEWEST_PATIENTS or not np.ptp(table, axis=0).any():
        return IntraclassCorrelation(n, float("nan"), float("nan"), float("nan"))
    rows, columns, error = _mean_squares(table)
    if columns == 0 and error == 0:
        return IntraclassCorrelation(n, 1.0, 1.0, 1.0)
    value = (rows - error) / (rows + (k - 1) * error + k / n * (columns - error))
    a = k * value / (n * (1 - value))
    b = 1 + a * (n - 1)
    weight = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    freedom = (a * columns + b * error) ** 2 / weight if weight > 0 else 0.0
    freedom = max(freedom, k - 1)  # less, which means nothing, comes out for negative values only
    tail = (1 + LEVEL) / 2
    above, below = special.fdtri(n - 1, freedom, tail), special.fdtri(freedom, n - 1, tail)
    spread = k * columns + (k * n - k - n) * error
    return IntraclassCorrelation(
        patients=n,
        value=float(value),
        low=float(n * (rows - above * error) / (above * spread + n * rows)),
        high=float(n * (below * rows - error) / (spread + n * below * rows)),
    )


def bland_altman(first: npt.ArrayLike, second: npt.ArrayLike) -> BlandAltman:
    """Bias and limits of agreement of paired measurements.

    Parameters
    ----------
    first, second : array_like, shape (patients,)
        Finite values, for example of the automatic and of the manual mask.

    Raises
    ------
    ValueError
        If the values are not paired and finite.
    """
    pairs = _table(np.column_stack([np.atleast_1d(first), np.atleast_1d(second)]))
    differences = pairs[:, 0] - pairs[:, 1]
    n = len(differences)
    bias = float(differences.mean())
    if n < FEWEST_PATIENTS:
        return BlandAltman(n, bias, *[float("nan")] * 9)
    sd = float(differences.std(ddof=1)) if np.ptp(differences) > 0 else 0.0
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    z = float(special.ndtri(tails[1]))
    of_bias = special.stdtrit(n - 1, tails) * sd / np.sqrt(n)
    of_upper = special.nctdtrit(n - 1, z * np.sqrt(n), tails) * sd / np.sqrt(n)
    return BlandAltman(
        patients=n,
        bias=bias,
        bias_low=bias + float(of_bias[0]),
        bias_high=bias + float(of_bias[1]),
        sd=sd,
        lower=bias - z * sd,
        lower_low=bias - float(of_upper[1]),
        lower_high=bias - float(of_upper[0]),
        upper=bias + z * sd,
        upper_low=bias + float(of_upper[0]),
        upper_high=bias + float(of_upper[1]),
    )


def _mean_squares(table: Array) -> tuple[float, float, float]:
    """Mean squares of a two-way analysis of variance: of patients (rows), readers (columns) and the rest."""
    n, k = table.shape
    centred = table - table.mean()
    row, column = centred.mean(axis=1, keepdims=True), centred.mean(axis=0, keepdims=True)
    squares = np.array([k * (row**2).sum(), n * (column**2).sum(), ((centred - row - column) ** 2).sum()])
    # What rounding leaves where a square should be 0.
    squares[squares < table.size * (4 * np.finfo(np.float64).eps * np.abs(table).max()) ** 2] = 0
    rows, columns, error = squares / (n - 1, k - 1, (n - 1) * (k - 1))
    return float(rows), float(columns), float(error)


def _table(readings: npt.ArrayLike) -> Array:
    table = np.asarray(readings, np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(f"agreement needs one finite value per patient and reader, got {readings!r}")
    return table
