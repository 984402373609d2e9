"""Lesion-wise detection.

A lesion is a connected component of a mask; voxels that share a face, an edge or a corner are connected
(26 neighbours). A true lesion is detected where one predicted component overlaps it with an intersection
over union of at least `MINIMUM_IOU`. A predicted component that shares no voxel with the truth is a false
positive.

References
----------
Saha A et al., PI-CAI, Lancet Oncology 2024;25:879–887: detection at an intersection over union of 0.1. Unlike
there, one predicted component can detect several lesions that it covers, and a fragment beside the one that
detects a lesion is no false positive: lesions are matched one by one, not paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uteroseg.imaging.geometry import Array

MINIMUM_IOU = 0.1
"""Intersection over union from which on a predicted component detects a lesion."""

LESION_RULE = (
    "A lesion is a connected component of a mask (26 neighbours). It is detected where one predicted "
    f"component overlaps it with an intersection over union of at least {MINIMUM_IOU:g}; a predicted "
    "component that shares no voxel with the truth is a false positive."
)
"""These rules in words, for every report."""

_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Detection:
    """Counts of lesions in one case.

    Parameters
    ----------
    lesions : int
        Lesions of the truth.
    detected_lesions : int
        Those that a predicted component detects.
    false_positive_components : int
        Components of the prediction that share no voxel with the truth.
    """

    lesions: int
    detected_lesions: int
    false_positive_components: int


def detect(prediction: Array, truth: Array) -> Detection:
    """Count lesions, detected ones and false positives in two boolean arrays of one shape, 3-D."""
    predicted, components = _components(prediction)
    true, lesions = _components(truth)
    both = prediction & truth
    pairs = true[both] * (components + 1) + predicted[both]
    table = np.bincount(pairs, minlength=(lesions + 1) * (components + 1))
    shared = table.reshape(lesions + 1, components + 1)[1:, 1:]
    of_lesion = np.bincount(true.ravel(), minlength=lesions + 1)[1:, None]
    of_component = np.bincount(predicted.ravel(), minlength=components + 1)[None, 1:]
    iou = shared / (of_lesion + of_component - shared)
    return Detection(
        lesions=lesions,
        detected_lesions=int(np.count_nonzero((iou >= MINIMUM_IOU).any(axis=1))),
        false_positive_components=int(np.count_nonzero(~shared.any(axis=0))),
    )


def _components(mask: Array) -> tuple[Array, int]:
    """Number the connected components, from 1."""
    labels, count = ndimage.label(mask, _NEIGHBOURS)
    return labels, int(count)
