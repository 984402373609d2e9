"""Measure a network in training on validation cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.evaluation.metrics import dice
from uteroseg.imaging.geometry import Array
from uteroseg.imaging.study import Mask
from uteroseg.model.calibration import Calibration, fit_calibration, soft_dice
from uteroseg.model.prediction import segment
from uteroseg.model.spec import ModelSpec
from uteroseg.network.forward import NetworkForward
from uteroseg.training.cache import prepare_case


class Validation:
    """Validation cases, ready to be measured as often as wanted.

    Parameters
    ----------
    dataset : Dataset
    cases : sequence of CaseId
    spec : ModelSpec
    """

    def __init__(self, dataset: Dataset, cases: Sequence[CaseId], spec: ModelSpec) -> None:
        self._spec = spec
        self._cases = [
            (case.participant, prepare_case(dataset, case, spec), dataset.load_mask(case)) for case in cases
        ]

    def mean_dsc(self, network: nn.Module) -> float:
        """Mean DSC over patients, each the mean of its cases."""
        of_patient = defaultdict(list)
        for (patient, _, truth), (mask, _) in zip(self._cases, self._predict(network), strict=True):
            of_patient[patient].append(dice(mask.data, truth.data))
        return float(np.mean([np.mean(values) for values in of_patient.values()]))

    def calibrate(self, network: nn.Module) -> Calibration | None:
        """Fit the calibration of the expected DSC; None where there are too few cases."""
        soft, reached = [], []
        for (_, _, truth), (mask, probability) in zip(self._cases, self._predict(network), strict=True):
            soft.append(soft_dice(probability, mask.data))
            reached.append(dice(mask.data, truth.data))
        return fit_calibration(soft, reached)

    def _predict(self, network: nn.Module) -> Iterator[tuple[Mask, Array]]:
        forward = NetworkForward(network, self._spec)
        return (segment(prepared, forward) for _, prepared, _ in self._cases)
