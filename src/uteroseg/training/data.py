"""Cases as tensors: prepared once, held on the device, sampled there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Plane
from uteroseg.model.prepare import network_input, network_target
from uteroseg.model.spec import ModelSpec

FOREGROUND_SHARE = 0.5
"""Share of a batch that is drawn from slices with tumour."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The slices of some cases.

    Parameters
    ----------
    images : Tensor of float32, shape (slices, 3, height, width)
    targets : Tensor of float32, shape (slices, 1, height, width)
    with_tumour : Tensor of int64
        Which slices hold tumour.
    fingerprint : str
        SHA-256 of images and targets.
    plane : str
        The plane of all cases.
    b_values, slice_spacing_mm : list of float
        What occurs, ascending.
    """

    images: Tensor
    targets: Tensor
    with_tumour: Tensor
    fingerprint: str
    plane: Plane
    b_values: list[float]
    slice_spacing_mm: list[float]

    def sample(self, batch_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch, half of it from slices with tumour; a function of the generator's state alone."""
        foreground = round(batch_size * FOREGROUND_SHARE)
        tumour = torch.randint(len(self.with_tumour), (foreground,), generator=generator)
        anywhere = torch.randint(len(self.images), (batch_size - foreground,), generator=generator)
        chosen = torch.cat([self.with_tumour[tumour], anywhere]).to(self.images.device)
        return self.images[chosen], self.targets[chosen]

    def to(self, device: torch.device) -> TrainingData:
        """The same data on a device."""
        return replace(self, images=self.images.to(device), targets=self.targets.to(device))


def load_training_data(
    dataset: Dataset,
    cases: Iterable[CaseId],
    spec: ModelSpec,
    on_case: Callable[[CaseId], None] = lambda case: None,
) -> TrainingData:
    """Read and prepare cases.

    Raises
    ------
    UserError
        If a case cannot be used (it is named), or no slice of any case holds tumour.
    """
    images, targets = [], []
    b_values: set[float] = set()
    spacings: set[float] = set()
    planes: dict[Plane, CaseId] = {}
    digest = hashlib.sha256()
    for case in cases:
        study, mask = dataset.load_study(case), dataset.load_mask(case)
        mask.geometry.require_same(
            study.geometry,
            what=f"mask and study of {case}",
            fix="ingest the mask again, so that it is moved to the study's grid.",
        )
        images.append(network_input(study, spec))
        targets.append(network_target(mask, spec))
        digest.update(images[-1].tobytes() + targets[-1].tobytes())
        b_values.update(study.b_values)
        spacings.add(round(study.geometry.spacing[0], 2))
        planes.setdefault(study.geometry.plane, case)
        on_case(case)
    if len(planes) > 1:
        raise UserError(
            "The cases lie in different planes: " + ", ".join(f"{c} is {p}" for p, c in planes.items()) + ".",
            expected="one plane, because the network sees single slices.",
            fix="put the studies of each plane in a cohort of their own.",
        )
    target = torch.from_numpy(np.concatenate(targets)[:, None]).float()
    with_tumour = target.flatten(1).any(dim=1).nonzero()[:, 0]
    if not len(with_tumour):
        raise UserError(
            "No slice of the training cases holds tumour inside the network's field of view.",
            expected="masks with tumour.",
            fix="look at the masks; check that they belong to these studies.",
        )
    return TrainingData(
        images=torch.from_numpy(np.concatenate(images)),
        targets=target,
        with_tumour=with_tumour,
        fingerprint=digest.hexdigest(),
        plane=next(iter(planes)),
        b_values=sorted(b_values),
        slice_spacing_mm=sorted(spacings),
    )
