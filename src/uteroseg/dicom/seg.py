"""`Mask` ↔ DICOM Segmentation. It and `sr` alone import highdicom, which is slow to import.

References
----------
DICOM PS3.3 A.51 Segmentation IOD, C.8.20 Segmentation modules; PS3.16 CID 7150, 7168 (property categories,
types).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from uteroseg import RESEARCH_USE
from uteroseg.dicom.assemble import stack_of
from uteroseg.dicom.choices import Reading
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.enhanced import is_enhanced, share_constant_groups
from uteroseg.dicom.frames import Frame, frames_of
from uteroseg.dicom.scan import Series
from uteroseg.dicom.stack import arrange_map
from uteroseg.files import write_file
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import Mask

Site = Literal["cervix", "uterus"]
"""Where a tumour can be."""
_SITES: dict[Site, Code] = {
    "cervix": Code("71252005", "SCT", "Cervix uteri"),
    "uterus": codes.SCT.Uterus,
}
_NOTICE = RESEARCH_USE.removesuffix(".")

_SERIES_NUMBER = 9100  # high, so that it sorts after the scanner's series
_EMPTY_IF_ABSENT = (  # type 2: present, may be empty (PS3.3 C.7.1.1, C.7.2.1)
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)


def read_tables() -> None:
    """Have highdicom read its tables of modules, 0.4 s once a process, before the first object needs them."""
    hd.seg.SegmentDescription.from_dataset(_tumour("none", "none", site=None))


def write_seg(
    path: Path,
    mask: Mask,
    series: Sequence[Series],
    *,
    algorithm_name: str,
    algorithm_version: str,
    reading: Reading | None = None,
    site: Site | None = None,
    keep_empty_frames: bool = False,
) -> Dataset:
    """Write a mask as a BINARY segmentation with one segment, the tumour (SCT 108369006, Neoplasm).

    It references the images of the lowest b-value: those of several b-values would share positions, which
    the standard's derivation macros and viewers do not tell apart.

    Parameters
    ----------
    path : Path
        Appears whole or not at all; an existing file is replaced.
    mask : Mask
        On the study's grid; can be empty.
    series : sequence of Series
        The diffusion images that the mask belongs to; or one series without b-values, such as T2.
    algorithm_name, algorithm_version : str
        Of the model, for Segmentation Algorithm Identification.
    reading : Reading, optional
        How the study was read.
    site : {"cervix", "uterus"}, optional
        Where the tumour is.
    keep_empty_frames : bool
        Write frames of slices without tumour too, for viewers that misplace a segmentation without them. An
        empty mask always has them.

    Returns
    -------
    Dataset
        What was written.

    Raises
    ------
    UserError
        If the mask is not on the study's grid, or the series cannot be read.
    """
    geometry, referenced = _images_of(series, reading or Reading())
    mask.geometry.require_same(
        geometry, what="mask and source images", fix="move the mask to the study's grid first."
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # highdicom quotes patient names in its warnings
        tumour = _tumour(algorithm_name, algorithm_version, site)
        segmentation = _segmentation(mask, geometry, referenced, tumour, keep_empty_frames)
    _keep_references(segmentation, referenced)
    write_file(path, segmentation.save_as)
    return segmentation


def _images_of(series: Sequence[Series], reading: Reading) -> tuple[Geometry, Sequence[Frame]]:
    """The grid, and one image for each slice of it."""
    if series[0].kind is not SeriesKind.DWI:
        return arrange_map(frames_of(series[0]), what=series[0].name)
    stack = stack_of(series, reading)
    return stack.geometry, [cell[0] for cell in stack.cells[0]]


def _segmentation(
    mask: Mask,
    geometry: Geometry,
    referenced: Sequence[Frame],
    tumour: hd.seg.SegmentDescription,
    keep_empty_frames: bool,
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=_source_images(referenced),
        pixel_array=hd.Volume(
            mask.data.astype(np.uint8),
            geometry.affine,
            "PATIENT",
        ),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[tumour],
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="uteroseg",
        manufacturer_model_name="uteroseg",
        software_versions=version("uteroseg"),
        device_serial_number="none",
        content_label="RESEARCH_USE",
        content_description=_NOTICE,
        content_creator_name="uteroseg",
        series_description=f"Tumour, uteroseg. {_NOTICE}",
        omit_empty_frames=bool(mask.data.any()) and not keep_empty_frames,
    )


def _tumour(name: str, model_version: str, site: Site | None) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumour",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        anatomic_regions=[_SITES[site]] if site else None,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=name, family=codes.DCM.ArtificialIntelligence, version=model_version
        ),
        tracking_uid=generate_uid(),
        tracking_id="uteroseg tumour",
    )


def _source_images(frames: Sequence[Frame]) -> list[Dataset]:
    """Read the whole headers again: the scan keeps only what uteroseg needs, highdicom copies more."""
    frame_of_reference_uid = generate_uid()  # where de-identification removed it from every image
    images: list[Dataset] = []
    for file in dict.fromkeys(frame.file for frame in frames):
        image = pydicom.dcmread(file, stop_before_pixels=True)
        if is_enhanced(image):
            share_constant_groups(image, ("PixelMeasuresSequence", "PlaneOrientationSequence"))
        for keyword in _EMPTY_IF_ABSENT:
            if keyword not in image:
                setattr(image, keyword, "")
        if not image.get("FrameOfReferenceUID"):
            image.FrameOfReferenceUID = frame_of_reference_uid
        images.append(image)
    return images


def _keep_references(segmentation: Dataset, referenced: Sequence[Frame]) -> None:
    """Drop references to other frames of an enhanced source: highdicom names all at a frame's position."""
    numbers = {frame.index + 1 for frame in referenced}
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in frame.get("DerivationImageSequence") or ():
            derivation.SourceImageSequence = [
                image
                for image in derivation.SourceImageSequence
                if int(image.get("ReferencedFrameNumber") or 0) in numbers
                or "ReferencedFrameNumber" not in image
            ]
