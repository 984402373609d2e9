"""DICOM Segmentation → voxels, on the grid that the file states or that of the images it was drawn on.

References
----------
DICOM PS3.3 A.51 Segmentation IOD, C.8.20 Segmentation modules, C.7.6.16.2 functional group macros.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import numpy as np
from pydicom.dataset import Dataset

from uteroseg.annotations.regions import OFF_MM, GridOf, Region, algorithm
from uteroseg.dicom.enhanced import frame_count, functional_group
from uteroseg.errors import UserError
from uteroseg.imaging.geometry import SQUARE, Array, Geometry
from uteroseg.imaging.study import Mask

_SAME_PLANE = 1e-3
_MOST_SLICES = 5000


def segments(dataset: Dataset, beside: str) -> list[Region]:
    """What a file says of its segments; the background of a label map is none.

    From here on its pixels are held compressed: many such files can be open at once.
    """
    found = []
    for one in dataset.get("SegmentSequence") or ():
        stated = (one.get("SegmentationAlgorithmIdentificationSequence") or [Dataset()])[0]
        name = one.get("SegmentAlgorithmName") or stated.get("AlgorithmName")
        drawn_by = algorithm(one.get("SegmentAlgorithmType"), name, beside)
        found.append(Region(int(one.SegmentNumber), str(one.get("SegmentLabel") or ""), None, drawn_by))
    dataset["PixelData"].value = zlib.compress(dataset["PixelData"].value, 1)
    return [region for region in found if region.number]


def draw_segment(dataset: Dataset, region: Region, grid_of: GridOf, what: str) -> Mask | None:
    """The voxels of a segment; None where it has no frames.

    Raises
    ------
    UserError
        If its frames do not lie on one grid, or two of them at one place.
    """
    count, only = frame_count(dataset), "BINARY" if dataset.BitsAllocated == 1 else ""
    kind = str(dataset.get("SegmentationType") or only)
    largest = {"BINARY": 1, "LABELMAP": 1, "FRACTIONAL": dataset.get("MaximumFractionalValue")}.get(kind)
    if not largest:
        raise ValueError(f"SegmentationType is {kind}, and the largest value of a pixel {largest}")
    if dataset.get("NumberOfFrames") not in (None, count):
        raise _off(what, f"it says of {count} frames where they lie, and has {dataset.NumberOfFrames}")
    frames = np.array([_place(dataset, index) for index in range(count)])
    is_label_map = kind == "LABELMAP"
    own = [i for i in range(count) if is_label_map or _segment(dataset, i) == region.number]
    if not own:
        return None
    alike = np.abs(frames[:, 3:12] - frames[own[0], 3:12]).max(axis=1) <= _SAME_PLANE
    if not alike[own].all():
        raise _off(what, f"frame {own[int(alike[own].argmin())] + 1} has another orientation or spacing")
    slices = np.full(count, -1)
    slices[alike], position, step = _grid(frames[alike], grid_of, what)
    if len(np.unique(slices[own])) < len(own):
        raise _off(what, f"{len(own)} frames lie at {len(np.unique(slices[own]))} places, some at one")
    geometry = Geometry.from_dicom(
        (int(slices.max()) + 1, int(dataset.Rows), int(dataset.Columns)),
        position=position.tolist(),
        orientation=frames[own[0], 3:9].tolist(),
        pixel_spacing=frames[own[0], 9:11].tolist(),
        slice_step=step.tolist(),
    )
    pixels, data = _pixels(dataset)[own], np.zeros(geometry.shape, bool)
    data[slices[own]] = pixels == region.number if is_label_map else pixels >= largest / 2
    return Mask(data, geometry)


def _segment(dataset: Dataset, index: int) -> int:
    """The number of a frame's segment; one alone need not be named."""
    group = functional_group(dataset, "SegmentIdentificationSequence", index)
    every = [one.SegmentNumber for one in dataset.SegmentSequence]
    return int(every[0] if len(every) == 1 and not group else group.ReferencedSegmentNumber)


def _pixels(dataset: Dataset) -> Array:
    whole, element = dataset.group_dataset(0x0028), dataset["PixelData"]
    whole.file_meta = dataset.file_meta
    whole.add_new(element.tag, element.VR, zlib.decompress(element.value))
    pixels: Array = whole.pixel_array
    return pixels.reshape(-1, *pixels.shape[-2:])


def _place(dataset: Dataset, index: int) -> Array:
    """A frame's position, orientation, pixel spacing, spacing between slices and thickness; 0: not stated."""
    measures = functional_group(dataset, "PixelMeasuresSequence", index)
    orientation = functional_group(dataset, "PlaneOrientationSequence", index).ImageOrientationPatient
    spacings = [abs(float(measures.get(name) or 0)) for name in ("SpacingBetweenSlices", "SliceThickness")]
    position = functional_group(dataset, "PlanePositionSequence", index).ImagePositionPatient
    place = np.array([*position, *orientation, *measures.PixelSpacing, *spacings], float).reshape(13)
    axes = place[3:9].reshape(2, 3)
    square = np.abs(axes @ axes.T - np.eye(2)).max() <= SQUARE
    if not np.isfinite(place).all() or not square or place[9:11].min() <= 0:
        raise ValueError(f"frame {index + 1} does not say where it lies")
    return place


def _grid(frames: Array, grid_of: GridOf, what: str) -> tuple[Array, Array, Array]:
    """Each frame's slice, ascending along the normal; where the first slice lies; the step to the next."""
    positions, stated = frames[:, :3], frames[0, 11:]
    normal = np.cross(frames[0, 3:6], frames[0, 6:9])
    normal /= np.linalg.norm(normal)
    depths = positions @ normal
    gaps = np.diff(np.sort(depths))
    off = 0.0
    for step in _steps(frames, normal, gaps[gaps > OFF_MM], grid_of):
        if (numbers := _numbers(depths, float(step @ normal))) is None:
            continue
        offsets = numbers - numbers.mean()
        measured = offsets @ positions / max(float(offsets @ offsets), 1)
        for vector in (step, measured):  # what is stated may be rounded
            places = positions.mean(axis=0) + np.outer(offsets, vector)
            apart = np.linalg.norm(positions - places, axis=1).max() + np.linalg.norm(vector - step)
            if apart <= OFF_MM:
                return numbers, places[numbers.argmin()], vector
        off = off or apart
    if off:
        raise _off(what, f"a frame lies {off:.2f} mm beside the grid of the others")
    listed = ", ".join(f"{mm:.2f}" for mm in sorted(depths - depths.min())[:6])
    raise UserError(
        f"{what}: its frames lie {listed} mm along their normal, which fits no distance between slices "
        f"that is stated (spacing {stated[0]:g}, thickness {stated[1]:g} mm; 0 if none).",
        expected="frames at multiples of the spacing between slices, or the images they were drawn on.",
        fix="put the series that it was drawn on into the source, or export the mask as NIfTI.",
    )


def _steps(frames: Array, normal: Array, gaps: Array, grid_of: GridOf) -> Iterator[Array]:
    """What the step from slice to slice can be, the most certain first."""
    spacing, thickness = frames[0, 11:]
    images = None
    with suppress(UserError) if spacing else nullcontext():
        images = grid_of(frozenset(), frames[:, :3])
    if images and _are_slices_of(images, frames):
        step = images.affine[:3, 0]  # whatever its direction: stacks can be skewed
        yield step * np.sign(step @ normal)
    if spacing:
        yield normal * spacing
    if images and (along := _along(images, normal)) is not None:
        yield along
    if thickness:
        yield normal * thickness
        if gaps.size and gaps.min() < 2 * thickness:  # no slice fits between the nearest
            yield normal * gaps.min()


def _along(images: Geometry, normal: Array) -> Array | None:
    """The step of images along a normal, where one of their axes is that."""
    axes = images.affine[:3, :3].T
    axis = axes[np.argmax(np.abs(axes @ normal))]
    is_axis = abs(axis @ normal) > (1 - _SAME_PLANE) * np.linalg.norm(axis)
    return axis * np.sign(axis @ normal) if is_axis else None


def _are_slices_of(images: Geometry, frames: Array) -> bool:
    """Whether every frame begins where a slice of the images does, with pixels of their size."""
    index = images.to_index(frames[:, :3])
    off = np.abs(index - np.rint(index) * (1, 0, 0)) * images.spacing
    return bool(off.max() <= OFF_MM and np.allclose(frames[:, 9:11], images.spacing[1:], atol=_SAME_PLANE))


def _numbers(depths: Array, step: float) -> Array | None:
    """The slice of every frame; None where their distances are no multiples of a step."""
    order = np.argsort(depths)
    gaps = np.diff(depths[order], prepend=depths[order[0]])
    steps = np.rint(gaps / step)
    if np.abs(gaps - steps * step).max() > min(OFF_MM, step / 4) or steps.sum() > _MOST_SLICES:
        return None
    numbers = np.empty(len(depths), int)
    numbers[order] = np.cumsum(steps)
    return numbers


def _off(what: str, problem: str) -> UserError:
    return UserError(
        f"{what}: {problem}.",
        expected="parallel frames of one size on one regular grid, each place once.",
        fix="export the segmentation again, or as NIfTI.",
    )
