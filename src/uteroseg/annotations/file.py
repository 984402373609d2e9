"""An annotation file of any kind, opened once: what regions it holds, whose it is, and its mask."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from uteroseg.annotations.belonging import Reference
from uteroseg.annotations.regions import Choice, GridOf, Region, choose
from uteroseg.annotations.rtstruct import draw_roi, rois
from uteroseg.annotations.segmentation import draw_segment, segments
from uteroseg.dicom.classify import LABEL_MAP_SEGMENTATION
from uteroseg.errors import UserError
from uteroseg.imaging.formats import METAIMAGE, NIFTI, NRRD
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.labels import label_values
from uteroseg.imaging.metaimage import read_metaimage
from uteroseg.imaging.nifti import Form, read_image
from uteroseg.imaging.nrrd import Segment, read_nrrd
from uteroseg.imaging.study import Mask

_KINDS = {
    SegmentationStorage: (segments, draw_segment),
    LABEL_MAP_SEGMENTATION: (segments, draw_segment),
    RTStructureSetStorage: (rois, draw_roi),
}
_HEAD = 4096  # bytes of a file that hold its SOP class
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class AnnotationFile:
    """An open annotation file.

    Parameters
    ----------
    path : Path
    regions : tuple of Region
        What the file says of its regions; in a label map, those that only its voxels have come last.
    drawing : callable
        Gives the voxels of a region.
    dataset : Dataset, optional
        Of a DICOM file.
    notes : tuple of str
        What must be said of the file.
    """

    path: Path
    regions: tuple[Region, ...]
    drawing: Callable[[Region, GridOf, str], Mask | None]
    dataset: Dataset | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def reference(self) -> Reference | None:
        """What the file says it belongs to; None in formats that cannot say it."""
        with shown(self.path):
            return Reference.of(self.dataset) if self.dataset else None

    def drawn_by(self, choice: Choice) -> str:
        """The model or algorithm that drew what fits, empty where a person drew any of it."""
        names = [region.drawn_by for region in self.regions if choice.fits(region)]
        return names[0] if names and all(names) else ""

    def draw(self, region: Region, grid_of: GridOf = lambda instances, points: None) -> Mask | None:
        """The voxels of a region; None where there is not even a grid to draw it on.

        Raises
        ------
        UserError
            If they are damaged, or it cannot be told where they lie.
        """
        with shown(self.path):
            return self.drawing(region, grid_of, f"{self.path}, region {region}")

    def mask(self, choice: Choice | None = None, grid_of: GridOf = lambda instances, points: None) -> Mask:
        """The tumour, on the grid that it was drawn on.

        Parameters
        ----------
        choice : Choice, optional
            Which region is the tumour.
        grid_of : callable
            Gives the grid of the images that were drawn on, from their SOP Instance UIDs, or None where it
            is unknown; contours need it, and segmentations that do not state their own.

        Raises
        ------
        UserError
            If the choice fits none or several regions, or one that is empty or damaged.
        """
        region = choose(self.regions, choice or Choice(), self.path)
        mask = self.draw(region, grid_of)
        if mask is None or not mask.data.any():
            raise UserError(
                f"{self.path}, region {region} is empty.",
                expected="a region with voxels.",
                fix="choose another region; where there is no tumour, write 'none' in the column mask of the "
                "annotation table.",
            )
        return mask

    def require_empty(self) -> None:
        """Raise a UserError unless every region is empty."""
        for region in self.regions:
            mask = self.draw(region)
            if mask is not None and mask.data.any():
                raise UserError(
                    f"{self.path} is said to hold no tumour, and region {region} of it is not empty.",
                    expected="a file of zeros where the column label of the annotation table is 'none'.",
                    fix="correct the table; 'none' in its column mask needs no file.",
                )


def open_annotation(path: Path, *, nifti_form: Form | None = None) -> AnnotationFile:
    """Open an annotation file.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage by its name; a DICOM Segmentation or RT Structure Set by its content.
    nifti_form : {"qform", "sform"}, optional
        Where a NIfTI image lies, if its header says two things.

    Raises
    ------
    UserError
        If the file is of another kind or cannot be read.
    """
    opened = open_if_annotation(path, nifti_form=nifti_form)
    if opened is None:
        raise UserError(
            f"{path} is not a segmentation in a format that is read.",
            expected="NIfTI, NRRD (.nrrd), MetaImage (.mha), DICOM Segmentation or RT Structure Set.",
            fix="export the mask in one of these formats.",
        )
    return opened


def open_if_annotation(path: Path, *, nifti_form: Form | None = None) -> AnnotationFile | None:
    """Open a file as `open_annotation` does; None where it is of another kind."""
    beside = model_beside(path)
    if is_label_map(path):
        return _open_label_map(path, beside, nifti_form)
    dataset = _read_object(path)
    if dataset is None:
        return None
    regions_of, draw = _KINDS[_kind(dataset)]
    with shown(path):
        regions = tuple(regions_of(dataset, beside))
        if not regions:
            raise ValueError("it holds no region")
    return AnnotationFile(path, regions, partial(draw, dataset), dataset)


def is_label_map(path: Path) -> bool:
    """Whether a file is named as one of the formats of label maps that are read."""
    return path.name.lower().endswith((*NIFTI, *NRRD, *METAIMAGE))


def model_beside(path: Path) -> str:
    """The model that a file's folder is of, where it is as `uteroseg predict` leaves it; else empty."""
    try:
        result = json.loads(path.with_name("result.json").read_text("utf-8"))
        return str(result["model"]["id"]) if "model" in result else ""
    except OSError:
        return ""
    except (ValueError, LookupError, TypeError):  # damaged: whose it was can no longer be told
        return "a model that result.json beside it does not name"


@contextmanager
def shown(path: Path) -> Iterator[None]:
    """Turn what pydicom raises of damaged files into an error that names them; its warnings quote headers."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split())}).",
            expected="a whole DICOM Segmentation or RT Structure Set.",
            fix="copy or export the file again, or export it as NIfTI.",
        ) from error


def _open_label_map(path: Path, drawn_by: str, nifti_form: Form | None) -> AnnotationFile:
    name = path.name.lower()
    stated: tuple[Segment, ...] = ()
    if name.endswith(NRRD):
        image, geometry, stated = read_nrrd(path)
    elif name.endswith(METAIMAGE):
        image, geometry = read_metaimage(path)
    else:
        image, geometry = read_image(path, form=nifti_form)
    layers = image if image.ndim == 4 and name.endswith(NRRD) else image[None]
    found = [(number, value) for number, layer in enumerate(layers) for value in label_values(layer, path)]
    alone = found[0][1] if len(found) == len(stated) == 1 else None
    named = [(s.layer, alone if s.value is None else s.value, s.name) for s in stated if s.value != 0]
    if any(value is None for _, value, _ in named) or (len(layers) > 1 and not named):
        raise UserError(
            f"{path} does not say which label of which of its layers ({len(layers)}) each segment is.",
            expected="SegmentN_Layer and SegmentN_LabelValue in the header.",
            fix="save it again with 3D Slicer 4.11 or later, or export each segment as a label map.",
        )
    known = {(layer, value) for layer, value, _ in named}
    named += [(layer, value, "") for layer, value in found if (layer, value) not in known]
    regions = tuple(Region(value or 0, name, None, drawn_by, layer) for layer, value, name in named)
    scaled = len(found) == 1 and found[0][1] != 1 and not stated
    notes = (f"every voxel of the mask holds {found[0][1]:g}, not 1",) if scaled else ()
    return AnnotationFile(path, regions, partial(_draw_label, layers, geometry), notes=notes)


def _draw_label(layers: Array, geometry: Geometry, region: Region, grid_of: GridOf, what: str) -> Mask | None:
    if region.layer >= len(layers):  # of a header that says more than is there
        return None
    layer, whole = layers[region.layer], region.number == round(region.number)
    return Mask(layer == region.number if whole else layer != 0, geometry)


def _read_object(path: Path) -> Dataset | None:
    """Read a DICOM SEG or RTSTRUCT; None where the file is something else."""
    with shown(path), path.open("rb") as file:
        head = file.read(_HEAD)
        cut = len(head) <= 132 and path.suffix.lower() == ".dcm"
        if not cut and not any(kind.encode() in head for kind in _KINDS):
            return None
        file.seek(0)
        dataset = pydicom.dcmread(file, force=True)
        elements: list[Any] = [dataset.get_item(tag) for tag in list(dataset.keys())]
        raw = [one for one in elements if isinstance(one, RawDataElement) and one.length != _UNDEFINED]
        if not raw or any(len(element.value or b"") < element.length for element in raw):
            raise ValueError("it ends early")
    return dataset if _kind(dataset) in _KINDS else None


def _kind(dataset: Dataset) -> str:
    return str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID"))
