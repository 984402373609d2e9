"""What values of patients say: intervals, paired comparisons, and their correction for several tests.

References
----------
Efron B, Tibshirani RJ, An Introduction to the Bootstrap, 1993, chapters 13 (percentile) and 14 (BCa).
Pratt JW, Journal of the American Statistical Association 1959;54:655–667, zeros in the signed-rank test.
Kerby DS, Comprehensive Psychology 2014;3:1, the matched-pairs rank-biserial correlation.
Holm S, Scandinavian Journal of Statistics 1979;6:65–70.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 20230114
_CELLS_AT_ONCE = 1_000_000
_EXACT_PATIENTS = 500
"""Most patients with whom the signed-rank test is exact; with more the normal approximation is as good."""

_DECIMALS = 12
"""Differences that agree to this many decimals are ties; rounding errors of means are smaller."""

INTERVAL_RULE = (
    f"95 % bootstrap intervals of the mean over patients, {RESAMPLES:,} resamples: BCa (bias-corrected and "
    "accelerated), or percentile (marked *) where BCa is not defined, as where all values are equal; "
    "none with fewer than two patients. They describe the spread between test patients, not between "
    "trainings."
)
COMPARISON_RULE = (
    "Two models are compared within the same patients: mean and median difference, two-sided Wilcoxon "
    "signed-rank test (zero differences are ranked and then left out, after Pratt), and as effect size the "
    "matched-pairs rank-biserial correlation, from −1 (lower in every patient) to 1 (higher in every "
    "patient)."
)
HOLM_RULE = "p-values are adjusted after Holm over the whole family."
"""These rules in words, for every report."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval and how it was found.

    Parameters
    ----------
    low, high : float
        Not a number where there is none.
    method : {"BCa", "percentile", "none"}
        Percentile where BCa is not defined, for example where all values are equal; none with fewer than two
        patients, who say nothing about the spread.
    """

    low: float
    high: float
    method: Literal["BCa", "percentile", "none"]


@dataclass(frozen=True)
class Description:
    """Values of patients in short.

    Parameters
    ----------
    patients : int
    mean, median : float
        Not a number without patients.
    interval : Interval
        Of the mean.
    """

    patients: int
    mean: float
    median: float
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """Two models on the same patients, first − second.

    Parameters
    ----------
    patients : int
    difference : float
        Mean difference.
    interval : Interval
        Of the mean difference.
    median_difference : float
    p : float
        Wilcoxon's signed-rank test, two-sided.
    effect : float
        Matched-pairs rank-biserial correlation, −1 to 1: the share of the rank sum in which the first is
        higher, less the share in which the second is. 1: the first is higher in every patient.
    """

    patients: int
    difference: float
    interval: Interval
    median_difference: float
    p: float
    effect: float


def describe(values: npt.ArrayLike) -> Description:
    """Mean with its interval, and median.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One finite value per patient.
    """
    sample = _one_per_patient(values)
    if not len(sample):
        return Description(0, float("nan"), float("nan"), mean_interval(sample))
    return Description(len(sample), float(sample.mean()), float(np.median(sample)), mean_interval(sample))


def mean_interval(
    values: npt.ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """Bias-corrected and accelerated (BCa) bootstrap interval of a mean over patients.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One finite value per patient.
    level : float
        Coverage that is aimed at.
    resamples : int
    seed : int
        The same seed and values give the same interval.

    Raises
    ------
    ValueError
        If the values are not one finite number per patient.
    """
    sample = _one_per_patient(values)
    if len(sample) < 2:
        return Interval(float("nan"), float("nan"), "none")
    if np.ptp(sample) == 0:  # every resample is the sample
        return Interval(float(sample[0]), float(sample[0]), "percentile")
    means = _resampled_means(sample, resamples, seed)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    adjusted = _bca_tails(sample, means, tails)
    bca = bool(np.isfinite(adjusted).all())
    low, high = np.quantile(means, adjusted if bca else tails)
    return Interval(float(low), float(high), "BCa" if bca else "percentile")


def compare(first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """Compare two models that were measured on the same patients.

    Parameters
    ----------
    first, second : array_like, shape (patients,)
        One finite value per patient, patients in the same order; at least one patient.

    Raises
    ------
    ValueError
        If the values are not paired and finite.

    Notes
    -----
    Differences of zero are ranked and then left out of the sums (Pratt 1959). Leaving them out before
    ranking, as Wilcoxon did, would drop the patients in whom nothing changed, such as a tumour that both
    models missed. The effect is relative to the sum of all ranks, so that these patients count for neither
    model; without zeros it is Kerby's. If all differences are zero, p is 1 and the effect 0. The p-value is
    exact for the ties and zeros that there are, up to 500 patients, beyond whom it is the normal
    approximation.
    """
    pairs = _one_per_patient(first), _one_per_patient(second)
    n = len(pairs[0])
    if not n or len(pairs[1]) != n:
        raise ValueError(f"a comparison needs the same patients twice, got {n} and {len(pairs[1])}")
    differences = np.round(pairs[0] - pairs[1], _DECIMALS)
    ranks = _ranks(np.abs(differences))
    return Comparison(
        patients=n,
        difference=float(differences.mean()),
        interval=mean_interval(differences),
        median_difference=float(np.median(differences)),
        p=_signed_rank_p(differences, ranks),
        effect=float((np.sign(differences) * ranks).sum() / ranks.sum()),
    )


def holm(p_values: npt.ArrayLike) -> Values:
    """Adjust p-values of one family after Holm: step-down, holds the family-wise error rate.

    Parameters
    ----------
    p_values : array_like, shape (tests,)

    Returns
    -------
    ndarray
        Adjusted p-values, in the order of the tests.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _ranks(values: Values) -> Values:
    """Ranks from 1; ties get the mean of theirs."""
    _, place, number = np.unique(values, return_inverse=True, return_counts=True)
    last: Values = np.cumsum(number)[place] - (number[place] - 1) / 2
    return last


def _signed_rank_p(differences: Values, ranks: Values) -> float:
    """Two-sided p of the sum of the ranks of positive differences, were each sign as likely as the other."""
    if not differences.any():
        return 1.0
    doubled = np.rint(2 * ranks[differences != 0]).astype(np.int64)  # ranks of ties can be halves
    total, positive = int(doubled.sum()), int(np.rint(2 * ranks[differences > 0].sum()))
    least = min(positive, total - positive)
    if len(differences) > _EXACT_PATIENTS:
        z = (least - total / 2) / np.sqrt((doubled.astype(np.float64) ** 2).sum() / 4)
        return float(2 * special.ndtr(z))
    probability = np.zeros(total + 1)
    probability[0] = 0.5 ** len(doubled)
    for rank in doubled:
        probability[rank:] += probability[:-rank].copy()
    return min(1.0, 2 * float(probability[: least + 1].sum()))


def _resampled_means(sample: Values, resamples: int, seed: int) -> Values:
    random = np.random.default_rng(seed)
    n = len(sample)
    rows = max(1, _CELLS_AT_ONCE // n)
    return np.concatenate(
        [
            sample[random.integers(0, n, size=(min(rows, resamples - start), n))].mean(axis=1)
            for start in range(0, resamples, rows)
        ]
    )


def _bca_tails(sample: Values, means: Values, tails: Values) -> Values:
    """Which quantiles of the resampled means bound the interval; not a number where BCa is not defined."""
    mean = sample.mean()
    below = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * len(means))
    bias = special.ndtri(below)
    away = sample - mean  # the jackknife's influence values of a mean
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    with np.errstate(invalid="ignore"):
        shifted = bias + special.ndtri(tails)
        adjusted: Values = special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return adjusted


def _one_per_patient(values: npt.ArrayLike) -> Values:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise ValueError(f"statistics need one finite value per patient, got {values!r}")
    return sample
