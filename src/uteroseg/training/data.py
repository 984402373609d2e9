"""The slices of many cases in one tensor on the device, and batches drawn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Plane
from uteroseg.model.spec import ModelSpec
from uteroseg.model.study_statistics import StudyStatistics
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

    Without tumour anywhere, as in unannotated cases, every slice is as likely as any other.
    """

    share: float
    slices: Tensor
    with_tumour: Tensor
    chances: Tensor

    def draw(self, number: int, generator: torch.Generator) -> Tensor:
        """Numbers of slices, half of which hold tumour."""
        foreground = round(number * FOREGROUND_SHARE) if len(self.with_tumour) else 0
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
        Of labelled cases, target cases first. Their shares add up to 1.
    statistics : list of StudyStatistics
    fingerprint : str
        SHA-256 of all cases, their order and the shares.
    unannotated : Pool, optional
        Of cases without a mask; its share is of the whole batch.
    tumour_share : float
        Of all pixels of the first pool's slices.
    left_out : dict of str to str
        Unannotated cases that cannot be used, and why.
    """

    slices: Tensor
    low_b: Tensor
    pools: tuple[Pool, ...]
    statistics: list[StudyStatistics]
    fingerprint: str
    unannotated: Pool | None = None
    tumour_share: float = 0.0
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def plane(self) -> Plane:
        """The plane of all cases."""
        return self.statistics[0].plane

    def sample(
        self, batch_size: int, generator: torch.Generator, *, unannotated: int = 0
    ) -> tuple[Tensor, Tensor]:
        """A batch's slices (float32) and their lowest b-values; a function of the generator's state alone.

        Parameters
        ----------
        batch_size : int
        generator : torch.Generator
        unannotated : int
            How many of the slices are of unannotated cases; they are the last.
        """
        batch_size -= unannotated
        numbers, left = [], batch_size
        for pool in self.pools[1:]:
            numbers.append(pool.draw(round(pool.share * batch_size), generator))
            left -= len(numbers[-1])
        numbers.insert(0, self.pools[0].draw(left, generator))
        if self.unannotated is not None:
            numbers.append(self.unannotated.draw(unannotated, generator))
        chosen = torch.cat(numbers).to(self.slices.device)
        return self.slices[chosen].float(), self.low_b[chosen]

    def to(self, device: torch.device) -> TrainingData:
        """The same data on a device."""
        return replace(self, slices=self.slices.to(device), low_b=self.low_b.to(device))


def load_training_data(
    groups: Sequence[tuple[Dataset, Sequence[CaseId], float]],
    spec: ModelSpec,
    on_case: OnCase = lambda done, total: None,
    *,
    unannotated: tuple[Dataset, Sequence[CaseId], float] | None = None,
) -> TrainingData:
    """Read and prepare cases.

    Parameters
    ----------
    groups : sequence of (Dataset, sequence of CaseId, float)
        Labelled cases and their share. The first group takes what rounding leaves.
    spec : ModelSpec
    on_case : callable
    unannotated : (Dataset, sequence of CaseId, float), optional
        Cases whose masks are not looked at, and their share of every batch. What cannot be used is left out.

    Raises
    ------
    UserError
        If a labelled case cannot be used (it is named), or no slice of a group's cases holds tumour.
    """
    total = sum(len(cases) for _, cases, _ in (*groups, *([unannotated] if unannotated else [])))
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
        _require_tumour(pools[-1])
        start += len(pools[-1].slices)
    left_out: dict[str, str] = {}
    more: list[PreparedCase] = []
    for dataset, cases, share in [unannotated] if unannotated else []:
        for case in cases:
            try:
                more.append(_unannotated(dataset, case, spec, prepared[0].statistics.plane))
                digest.update(f"unannotated {share} {more[-1].key}".encode())
            except UserError as error:
                left_out[str(case)] = error.found
            on_case(len(prepared) + len(more) + len(left_out), total)
    own = [case.slices[:, 3] for case in prepared[: len(groups[0][1])]] if more else []
    prepared += more
    return TrainingData(
        slices=torch.from_numpy(np.concatenate([case.slices for case in prepared])),
        low_b=torch.cat([torch.full((len(c.slices),), c.statistics.b_values[0]) for c in prepared]),
        pools=tuple(pools),
        statistics=[case.statistics for case in prepared],
        fingerprint=digest.hexdigest(),
        unannotated=_pool(more, unannotated[2], start) if unannotated and more else None,
        tumour_share=float(np.concatenate(own).mean(dtype=np.float64)) if own else 0.0,
        left_out=left_out,
    )


def _unannotated(dataset: Dataset, case: CaseId, spec: ModelSpec, plane: Plane) -> PreparedCase:
    prepared = prepare_case(dataset, case, spec, annotated=False)
    if prepared.statistics.plane != plane:
        raise UserError(
            f"It is {prepared.statistics.plane}, and the labelled cases are {plane}.",
            expected="one plane, because the network sees single slices.",
            fix="put the studies of each plane in a cohort of their own.",
        )
    return prepared


def _require_one_plane(planes: dict[str, CaseId]) -> None:
    if len(planes) > 1:
        raise UserError(
            "The cases lie in different planes: " + ", ".join(f"{c} is {p}" for p, c in planes.items()) + ".",
            expected="one plane, because the network sees single slices.",
            fix="put the studies of each plane in a cohort of their own.",
        )


def _require_tumour(pool: Pool) -> None:
    if not len(pool.with_tumour):
        raise UserError(
            "No slice of the training cases holds tumour inside the network's field of view.",
            expected="masks with tumour.",
            fix="look at the masks; check that they belong to these studies.",
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
    chances = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    with_tumour = torch.tensor(numbers, dtype=torch.int64)
    return Pool(share, torch.arange(start, end), with_tumour, chances / chances[-1:])
