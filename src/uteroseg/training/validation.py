"""Validation cases: taken out of the training cases, where there are enough of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import nn

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.metrics import dice
from uteroseg.model.calibration import Calibration, fit_calibration, soft_dice
from uteroseg.model.prepare import mask_from_output, network_input
from uteroseg.model.spec import ModelSpec

MIN_PATIENTS = 26
"""With fewer, every case is needed to train on."""
SHARE = 0.2


def hold_out(cases: Sequence[CaseId], *, seed: int) -> tuple[list[CaseId], list[CaseId]]:
    """Divide cases, by patient, into those to train on and those to validate on.

    A fifth of the patients are held out, none where there are fewer than `MIN_PATIENTS`.
    """
    patients = sorted(
        {case.participant for case in cases},
        key=lambda name: hashlib.sha256(f"validation {seed}:{name}".encode()).digest(),
    )
    held_out = set(patients[: round(SHARE * len(patients))]) if len(patients) >= MIN_PATIENTS else set()
    return (
        [case for case in cases if case.participant not in held_out],
        [case for case in cases if case.participant in held_out],
    )


def calibrate(
    network: nn.Module, spec: ModelSpec, dataset: Dataset, cases: Sequence[CaseId]
) -> Calibration | None:
    """Fit the calibration of the expected DSC on validation cases; None where there are too few."""
    soft, reached = [], []
    network.eval()
    device = next(network.parameters()).device
    for case in cases:
        study = dataset.load_study(case)
        with torch.no_grad():
            output = torch.sigmoid(network(torch.from_numpy(network_input(study, spec)).to(device)))[:, 0]
        mask, probability = mask_from_output(output.cpu().numpy(), study.geometry, spec)
        soft.append(soft_dice(probability, mask.data))
        reached.append(dice(mask.data, dataset.load_mask(case).data))
    return fit_calibration(soft, reached)
