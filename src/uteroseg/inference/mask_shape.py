"""How a mask lies in its study: in one piece or many, inside or at the edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from uteroseg.imaging.components import label_components
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.measure import bounding_box, volume_ml
from uteroseg.imaging.study import Mask
from uteroseg.imaging.view import View
from uteroseg.model.spec import ModelSpec


@dataclass(frozen=True)
class MaskShape:
    """What tells a tumour's mask from a stray one.

    Parameters
    ----------
    volume_ml : float
    components : int
        Parts that touch nowhere, not even at a corner.
    outside_largest : float
        Share of the volume outside the largest part, 0 to 1.
    end_area : float
        Area in the first or last slice, the larger one, over the largest area in any slice, 0 to 1.
    touches_edge : bool
        Whether it reaches the edge in plane.
    """

    volume_ml: float
    components: int
    outside_largest: float
    end_area: float
    touches_edge: bool


def shape_of(mask: Mask, field: tuple[slice, slice]) -> MaskShape:
    """Measure how a mask lies in its study.

    Parameters
    ----------
    mask : Mask
        Not empty.
    field : tuple of slice
        The rows and columns in which a mask can be; their borders are the edge.
    """
    area = mask.data.sum(axis=(1, 2))
    labels, components = label_components(mask.data[bounding_box(mask.data)])
    largest = np.bincount(labels.ravel())[1:].max()
    return MaskShape(
        volume_ml=volume_ml(mask),
        components=components,
        outside_largest=float(1 - largest / area.sum()),
        end_area=float(max(area[0], area[-1]) / area.max()),
        touches_edge=_touches_edge(np.asarray(mask.data.any(axis=0))[field]),
    )


def seen_by_network(geometry: Geometry, spec: ModelSpec) -> tuple[slice, slice]:
    """The rows and columns of a study that lie on the network's matrix."""
    height, width = reversed(spec.matrix) if View.of(geometry).transpose else spec.matrix
    _, rows, columns = geometry.shape
    _, row_mm, column_mm = geometry.spacing
    return (
        _middle(rows, height * spec.spacing_mm / row_mm),
        _middle(columns, width * spec.spacing_mm / column_mm),
    )


def _middle(size: int, wanted: float) -> slice:
    """The pixels of an axis whose centres lie in its middle ``wanted`` pixels."""
    cut = max(0, math.ceil((size - wanted) / 2 - 0.5 + 1e-6))
    return slice(cut, size - cut)


def _touches_edge(shadow: Array) -> bool:
    return bool(shadow[[0, -1]].any() or shadow[:, [0, -1]].any())
