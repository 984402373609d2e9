"""The slices of many cases in one tensor on the device, and batches drawn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Plane
from uteroseg.model.seen import StudyStatistics
from uteroseg.model.spec import ModelSpec
from uteroseg.training.cache import PreparedCase, prepare_case

FOREGROUND_SHARE = 0.5
"""Share of a batch that is drawn from slices with tumour."""

OnCase = Callable[[int, int], None]
"""Told how many cases are prepared and how many there are."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Slices to draw from.

    Parameters
    ----------
    share : float
        Of every batch.
    slices, with_tumour : Tensor of int64
        Their numbers; of those with tumour.
    chances : Tensor of float64
        For each of ``with_tumour``, the chance that it or one before it is drawn: every case with tumour is
        as likely as any other, however many slices its tumour has.
    """

    share: float
    slices: Tensor
    with_tumour: Tensor
    chances: Tensor

    def draw(self, number: int, generator: torch.Generator) -> Tensor:
        """Numbers of slices, half of which hold tumour."""
        foreground = round(number * FOREGROUND_SHARE)
        chance = torch.rand(foreground, generator=generator, dtype=torch.float64)
        tumour = torch.searchsorted(self.chances, chance).clamp(max=len(self.with_tumour) - 1)
        anywhere = torch.randint(len(self.slices), (number - foreground,), generator=generator)
        return torch.cat([self.with_tumour[tumour], self.slices[anywhere]])


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The slices of some cases.

    Parameters
    ----------
    slices : Tensor of float16, shape (slices, 4, height, width)
        As `PreparedCase.slices`.
    low_b : Tensor of float32, shape (slices,)
        Each slice's lowest b-value, s/mm².
    pools : tuple of Pool
        Their shares add up to 1.
    statistics : list of StudyStatistics
    fingerprint : str
        SHA-256 of all cases, their order and the shares.
    """

    slices: Tensor
    low_b: Tensor
    pools: tuple[Pool, ...]
    statistics: list[StudyStatistics]
    fingerprint: str

    @property
    def plane(self) -> Plane:
        """The plane of all cases."""
        return self.statistics[0].plane

    def sample(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch's slices (float32) and their lowest b-values; a function of the generator's state alone."""
        numbers, left = [], batch_size
        for pool in self.pools[1:]:
            numbers.append(pool.draw(round(pool.share * batch_size), generator))
            left -= len(numbers[-1])
        chosen = torch.cat([self.pools[0].draw(left, generator), *numbers]).to(self.slices.device)
        return self.slices[chosen].float(), self.low_b[chosen]

    def to(self, device: torch.device) -> TrainingData:
        """The same data on a device."""
        return replace(self, slices=self.slices.to(device), low_b=self.low_b.to(device))


def load_training_data(
    groups: Sequence[tuple[Dataset, Sequence[CaseId], float]],
    spec: ModelSpec,
    on_case: OnCase = lambda done, total: None,
) -> TrainingData:
    """Read and prepare cases.

    Parameters
    ----------
    groups : sequence of (Dataset, sequence of CaseId, float)
        Cases and their share of every batch. The first group takes what rounding leaves.
    spec : ModelSpec
    on_case : callable

    Raises
    ------
    UserError
        If a case cannot be used (it is named), or no slice of a group's cases holds tumour.
    """
    total = sum(len(cases) for _, cases, _ in groups)
    prepared: list[PreparedCase] = []
    pools, planes, start = [], dict[str, CaseId](), 0
    digest = hashlib.sha256()
    for dataset, cases, share in groups:
        first = len(prepared)
        for case in cases:
            prepared.append(prepare_case(dataset, case, spec))
            planes.setdefault(prepared[-1].statistics.plane, case)
            digest.update(f"{share} {prepared[-1].key}".encode())
            on_case(len(prepared), total)
        _require_one_plane(planes)
        pools.append(_pool(prepared[first:], share, start))
        start += len(pools[-1].slices)
    return TrainingData(
        slices=torch.from_numpy(np.concatenate([case.slices for case in prepared])),
        low_b=torch.cat([torch.full((len(c.slices),), c.statistics.b_values[0]) for c in prepared]),
        pools=tuple(pools),
        statistics=[case.statistics for case in prepared],
        fingerprint=digest.hexdigest(),
    )


def _require_one_plane(planes: dict[str, CaseId]) -> None:
    if len(planes) > 1:
        raise UserError(
            "The cases lie in different planes: " + ", ".join(f"{c} is {p}" for p, c in planes.items()) + ".",
            expected="one plane, because the network sees single slices.",
            fix="put the studies of each plane in a cohort of their own.",
        )


def _pool(cases: Sequence[PreparedCase], share: float, start: int) -> Pool:
    """The pool of cases whose slices stand one after the other from ``start``."""
    numbers: list[int] = []
    weights: list[float] = []
    end = start
    for case in cases:
        tumour = np.flatnonzero(case.slices[:, 3].any(axis=(1, 2)))
        numbers += [end + int(i) for i in tumour]
        weights += [1 / len(tumour) for _ in tumour]
        end += len(case.slices)
    if not numbers:
        raise UserError(
            "No slice of the training cases holds tumour inside the network's field of view.",
            expected="masks with tumour.",
            fix="look at the masks; check that they belong to these studies.",
        )
    chances = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    return Pool(share, torch.arange(start, end), torch.tensor(numbers), chances / chances[-1])
