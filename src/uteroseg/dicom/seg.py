"""`Mask` → DICOM Segmentation. It and `sr` alone import highdicom, which is slow to import.

References
----------
DICOM PS3.3 A.51 Segmentation IOD, C.8.20 Segmentation modules; PS3.16 CID 7150, 7168 (property categories,
types).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from uteroseg import RESEARCH_USE
from uteroseg.dicom.enhanced import is_enhanced
from uteroseg.dicom.examination import examination, uid_of
from uteroseg.dicom.source_images import SourceImages
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
_PIXELS_TURNED = 0.25  # by as much a corner can move where rounded directions are set right
_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "StudyInstanceUID", "SeriesInstanceUID"),
)
_INSTANCE = ("SOPInstanceUID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient")
"""A UID, and what one is made of where it is missing."""
_SERIES = ("SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber")
_FRAME_OF_REFERENCE = ("FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID")


def read_tables() -> None:
    """Have highdicom read its tables of modules, 0.4 s once a process, before the first object needs them."""
    hd.seg.SegmentDescription.from_dataset(_tumour("none", "none", site=None))


def write_seg(
    path: Path,
    mask: Mask,
    source: SourceImages,
    *,
    algorithm_name: str,
    algorithm_version: str,
    site: Site | None = None,
    keep_empty_frames: bool = False,
) -> Dataset:
    """Write a mask as a BINARY segmentation with one segment, the tumour (SCT 108369006, Neoplasm).

    Parameters
    ----------
    path : Path
        Appears whole or not at all; an existing file is replaced.
    mask : Mask
        On the study's grid; can be empty.
    source : SourceImages
        The images that the mask belongs to; the segmentation refers to them.
    algorithm_name, algorithm_version : str
        Of the model, for Segmentation Algorithm Identification.
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
        If the mask is not on the images' grid.
    """
    geometry, first = source.geometry, source.headers[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of UIDs that break a rule, and refer all the same
        mask.geometry.require_same(
            geometry, what="mask and source images", fix="move the mask to the study's grid first."
        )
        planes = _planes(geometry, uid_of(first, *_FRAME_OF_REFERENCE))
        tumour = _tumour(algorithm_name, algorithm_version, site)
        segmentation = _segmentation(mask, planes, tumour, keep_empty_frames)
        _refer(segmentation, planes, source)
        segmentation.update(examination(source.images[0].file, first))
        write_file(path, segmentation.save_as)
    return segmentation


def _segmentation(
    mask: Mask,
    planes: list[Dataset],
    tumour: hd.seg.SegmentDescription,
    keep_empty_frames: bool,
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=planes,
        pixel_array=mask.data.astype(np.uint8),
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


def _planes(geometry: Geometry, frame_of_reference_uid: str) -> list[Dataset]:
    """A plain image for each slice of the grid, of nobody, for highdicom to copy from.

    What the files themselves hold can be rounded, missing, elsewhere (in tiles) or against the rules.
    """
    grid = _rectangular(geometry)
    _, along_rows, along_columns = grid.affine[:3, :3].T / np.array(grid.spacing)[:, None]
    every = Dataset()
    for keyword in _EMPTY:
        setattr(every, keyword, "")
    every.SOPClassUID, every.Modality = MRImageStorage, "MR"
    every.FrameOfReferenceUID = frame_of_reference_uid
    slices, every.Rows, every.Columns = grid.shape
    every.ImageOrientationPatient = _decimals(np.concatenate([along_columns, along_rows]))
    every.PixelSpacing = _decimals(grid.spacing[1:])
    # Of the first, readers know the grid where slices without tumour are left out; of the second, old ones.
    between_slices = float(abs(grid.affine[:3, 0] @ grid.normal))
    every.SpacingBetweenSlices = every.SliceThickness = _decimals([between_slices])[0]
    planes = []
    for index in range(slices):
        plane = Dataset()
        plane.update(every)
        plane.SOPInstanceUID = generate_uid()
        plane.ImagePositionPatient = _decimals(grid.to_patient((index, 0, 0)))
        planes.append(plane)
    return planes


def _rectangular(geometry: Geometry) -> Geometry:
    """The grid with right angles, which others demand and rounded cosines and positions do not have.

    It keeps its centre; one that is skewed by more than rounding explains stays as it is.
    """
    step, rows, columns = geometry.affine[:3, :3].T / np.array(geometry.spacing)[:, None]
    along, across = columns + rows, columns - rows  # at right angles, for both have the length 1
    along, across = along / np.linalg.norm(along), across / np.linalg.norm(across)
    columns, rows = (along + across) / np.sqrt(2), (along - across) / np.sqrt(2)
    normal = np.cross(columns, rows)
    affine = np.eye(4)
    affine[:3, :3] = np.transpose([normal * (normal @ step), rows, columns]) * geometry.spacing
    centre = (np.array(geometry.shape) - 1) / 2
    affine[:3, 3] = geometry.to_patient(centre) - affine[:3, :3] @ centre
    rectangular = Geometry(geometry.shape, affine)
    skewed = rectangular.difference(geometry, tolerance_mm=_PIXELS_TURNED * min(geometry.spacing[1:]))
    return geometry if skewed else rectangular


def _decimals(numbers: Iterable[float]) -> list[str]:
    return [format_number_as_ds(round(float(number), 10) + 0.0) for number in numbers]


def _refer(segmentation: Dataset, planes: Sequence[Dataset], source_images: SourceImages) -> None:
    """Refer to the files that were read, in place of the plain images."""
    images = source_images.images
    image_of = {plane.SOPInstanceUID: image for plane, image in zip(planes, images, strict=True)}
    headers = {image.file: header for image, header in zip(images, source_images.headers, strict=True)}
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        image = image_of[source.ReferencedSOPInstanceUID]
        source.update(_reference(headers[image.file]))
        if is_enhanced(headers[image.file]):
            source.ReferencedFrameNumber = image.index + 1
        elif image.window:  # a tile: the pixels of the file lie elsewhere
            source.SpatialLocationsPreserved = "NO"
    references = {file: _reference(headers[file]) for file in dict.fromkeys(image.file for image in images)}
    by_series: dict[str, list[Dataset]] = {}
    for file, reference in references.items():
        by_series.setdefault(uid_of(headers[file], *_SERIES), []).append(reference)
    segmentation.SourceImageSequence = list(references.values())
    segmentation.ReferencedSeriesSequence = []
    for series_uid, members in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID, item.ReferencedInstanceSequence = series_uid, members
        segmentation.ReferencedSeriesSequence.append(item)


def _reference(header: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = header.SOPClassUID
    reference.ReferencedSOPInstanceUID = uid_of(header, *_INSTANCE)
    return reference
