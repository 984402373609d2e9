"""How fast a structure set that was drawn on T2 is read and moved to the diffusion grid.

    python benchmarks/annotations.py > annotations.json

``rtstruct_s`` is the median of reading one RTSTRUCT of 30 contours and moving it from a T2 grid of 0.6 mm to
a DWI grid of 2 mm, ``contours_s`` that of filling the contours alone. ``seg_s`` is the median of reading a
segmentation of 30 slices, ``seg_opens`` how often its file is opened from finding its study by what it refers
to until its mask lies on the study's grid, by whatever library: once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from _common import machine, median_s, versions
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from uteroseg.annotations.file import open_annotation
from uteroseg.annotations.matching import match
from uteroseg.annotations.placement import place_annotation
from uteroseg.annotations.regions import Choice
from uteroseg.dicom.assemble import load_study
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.studies import find_studies
from uteroseg.imaging.contours import fill
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.resample import resample_mask
from uteroseg.imaging.study import DwiStudy, Mask
from uteroseg.phantom.dicom_files import write_dicom

CONTOURS, POINTS = 30, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    t2 = _grid((36, 512, 512), (3.5, 0.6, 0.6))
    dwi = _grid((30, 128, 128), (4.0, 2.0, 2.0))
    contours = _contours(t2)
    with tempfile.TemporaryDirectory() as folder:
        path = _write(Path(folder) / "rt.dcm", contours)

        def move() -> object:
            return resample_mask(open_annotation(path).mask(grid_of=lambda instances, points: t2), dwi)

        result = {
            "rtstruct_s": round(median_s(move, runs), 4),
            "contours_s": round(median_s(lambda: fill(contours, t2, what="contours"), runs), 4),
            **_seg(Path(folder) / "patient", dwi, runs),
            "contours": CONTOURS,
            "points_each": POINTS,
            "machine": machine(),
            "versions": versions("uteroseg", "pydicom", "numpy", "scipy"),
            "runs": runs,
        }
    print(json.dumps(result, indent=2))


def _seg(folder: Path, grid: Geometry, runs: int) -> dict[str, float]:
    """Write a patient with a segmentation; read it, and count how often it is opened on its way."""
    points = np.moveaxis(np.indices(grid.shape), 0, -1)
    tumour = np.linalg.norm((grid.to_patient(points)) / (55, 35, 35), axis=-1) < 1
    b0 = 100 + 400 * tumour
    signal = np.stack([b0, b0 // 3]).astype(np.float32)
    study = DwiStudy(signal, (0.0, 800.0), grid, acquisition={"EchoTime": 0.06})
    write_dicom(study, folder, patient_id="p", seed=1, mask=Mask(tumour, grid), adc=False)
    path = folder / "seg.dcm"
    (found,) = find_studies(scan_folder(folder))
    opens: list[object] = []
    sys.addaudithook(lambda event, what: opens.append(what[0]) if event == "open" else None)
    annotation = match(path, [found], folder, Choice()).of(found)
    placed = place_annotation(annotation, load_study(found.used), found=found)
    seg_opens = sum(str(one) == str(path) for one in opens)
    assert np.array_equal(placed.mask.data, tumour)
    seg_s = median_s(lambda: open_annotation(path).mask(), runs)
    return {"seg_s": round(seg_s, 4), "seg_opens": seg_opens}


def _grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
    """A sagittal grid around the origin."""
    half = [(n - 1) / 2 * mm for n, mm in zip(shape, spacing, strict=True)]
    return Geometry.from_dicom(
        shape,
        position=(half[0], -half[2], half[1]),
        orientation=(0, 1, 0, 0, 0, -1),
        pixel_spacing=spacing[1:],
        slice_step=(-spacing[0], 0, 0),
    )


def _contours(t2: Geometry) -> list[np.ndarray]:
    """Outlines of a large tumour, a wavy ellipsoid, one on each slice."""
    turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    found = []
    for number in range(CONTOURS):
        depth = (number - (CONTOURS - 1) / 2) * t2.spacing[0]
        radius = 35 * np.sqrt(1 - (depth / 55) ** 2) * (1 + 0.1 * np.sin(5 * turn))
        plane = np.full(POINTS, (number + (t2.shape[0] - CONTOURS) // 2))
        rows, columns = radius * np.sin(turn) / 0.6 + 255, radius * np.cos(turn) / 0.6 + 255
        found.append(t2.to_patient(np.column_stack([plane, rows, columns])))
    return found


def _write(path: Path, contours: list[np.ndarray]) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = RTStructureSetStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    dataset.Modality = "RTSTRUCT"
    structure, roi = Dataset(), Dataset()
    structure.ROINumber, structure.ROIName = 1, "GTV"
    roi.ReferencedROINumber = 1
    roi.ContourSequence = [_item(points) for points in contours]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [structure], [roi]
    dataset.save_as(path, enforce_file_format=True)
    return path


def _item(points: np.ndarray) -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    contour.ContourData = [f"{mm:.3f}" for mm in points.ravel()]
    return contour


if __name__ == "__main__":
    main()
