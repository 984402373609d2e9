"""The true masks of virtual patients as DICOM, and the table that tells `ingest` whose they are.

References
----------
DICOM PS3.3 A.51 (Segmentation IOD), C.8.20.2 (Segmentation Image).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from uteroseg.dicom.assemble import source_images
from uteroseg.dicom.classify import SeriesKind
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.source_images import SourceImages
from uteroseg.dicom.studies import require_studies
from uteroseg.dicom.virtual import mark_virtual
from uteroseg.errors import UserError
from uteroseg.files import write_text
from uteroseg.imaging.study import Mask
from uteroseg.phantom.dicom_series import DATE, TIME, Identity

MASK_FILE = "seg.dcm"
CONTOUR_FILE = "rtstruct.dcm"
TABLE = "annotations.csv"
NO_MASK = "none"
READER = "simulation"

_LABELS = {MASK_FILE: "1", CONTOUR_FILE: ""}
_COLUMNS = ["study", "mask", "label"]
_OWN_UIDS = ("DimensionOrganizationUID", "TrackingUID")
_WRITTEN_ON = {
    "ContentDate": DATE,
    "ContentTime": TIME,
    "InstanceCreationDate": DATE,
    "InstanceCreationTime": TIME,
    "ContributionDateTime": DATE + TIME,
}


def write_segmentations(mask: Mask, folder: Path, identity: Identity) -> None:
    """Write a mask as ``seg.dcm`` into the folder that holds its series; the same mask gives the same bytes.

    It belongs to the T2 images where there are any, otherwise to the diffusion images.

    Raises
    ------
    UserError
        If the mask is not on the grid of the series.
    """
    from uteroseg.dicom.seg import write_seg  # highdicom takes half a second to import

    (found,) = require_studies(scan_folder(folder), folder)
    t2 = next((series for series in found.others if series.kind is SeriesKind.T2), None)
    source = SourceImages.of_series(t2) if t2 else source_images(found.dwi)
    path = folder / MASK_FILE
    write_seg(path, mask, source, algorithm_name=READER, algorithm_version="1")
    dataset = pydicom.dcmread(path)
    _name_the_reader(dataset)
    mark_virtual(dataset)
    _make_reproducible(dataset, identity)
    dataset.save_as(path, enforce_file_format=True)


def has_mask(folder: Path) -> bool:
    """Whether a patient's folder holds a mask; there is none where no voxel holds tumour."""
    return any((folder / name).exists() for name in _LABELS)


def list_masks(root: Path, without_tumour: Iterable[str] = ()) -> None:
    """Name the mask of every patient's folder below ``root`` in its ``annotations.csv``, whole or not at all.

    Rows that are there already stay as they are, so that it can be called again and again.

    Parameters
    ----------
    root : Path
    without_tumour : iterable of str
        Folders whose scan shows no tumour: their mask is ``none``, whatever an earlier row says.

    Raises
    ------
    UserError
        If there is another table of that name.
    """
    path = root / TABLE
    before, bare = _rows(path), {s: {"mask": NO_MASK, "label": ""} for s in without_tumour}
    rows = [{**row, **bare.get(row["study"], {})} for row in before]
    found = {mask.parent.name: mask.name for name in _LABELS for mask in root.glob(f"[!.]*/{name}")}
    masks = {study: {"mask": f"{study}/{name}", "label": _LABELS[name]} for study, name in found.items()}
    listed = {row["study"] for row in rows}
    rows += [{"study": s, **of} for s, of in sorted({**masks, **bare}.items()) if s not in listed]
    if rows != before:
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if reader.fieldnames != _COLUMNS or any(len(row) > len(_COLUMNS) for row in rows):
        raise UserError(
            f"{path} is another table.",
            expected=f"no such file, or one with the columns {','.join(_COLUMNS)}.",
            fix="choose another folder for the DICOM files, or move the table away.",
        )
    return rows


def _name_the_reader(dataset: Dataset) -> None:
    """Say that the mask is the simulation's truth: no algorithm found it."""
    dataset.ContentCreatorName = READER
    dataset.SeriesDescription = f"Tumour, true mask of the {READER}"
    for segment in dataset.SegmentSequence:
        segment.SegmentAlgorithmType = "MANUAL"
        for keyword in ("SegmentAlgorithmName", "SegmentationAlgorithmIdentificationSequence"):
            segment.pop(keyword, None)


def _make_reproducible(dataset: Dataset, identity: Identity) -> None:
    """Replace what is new in every file: its own UIDs, and the time of writing."""
    for element in dataset.iterall():
        if element.keyword in _OWN_UIDS:
            element.value = identity.uid(f"mask {element.keyword}")
        elif element.keyword in _WRITTEN_ON:
            element.value = _WRITTEN_ON[element.keyword]
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = identity.uid("mask"), identity.uid("mask series")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
