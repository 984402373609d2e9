"""Volumes in one file: Siemens mosaic, United Imaging VFRAME, enhanced multi-frame; and other encodings."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from .build import (
    COLUMNS,
    ORIENTATIONS,
    PIXEL_SPACING,
    ROWS,
    SLICE_STEP,
    Recipe,
    add_csa,
    image,
    position,
    voxels,
)

SYNTAXES = {
    "JPEG lossless": JPEGLosslessSV1,
    "JPEG lossless, process 14": JPEGLossless,
    "JPEG-LS lossless": JPEGLSLossless,
    "JPEG 2000 lossless": JPEG2000Lossless,
    "RLE": RLELossless,
    "deflated": DeflatedExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
}
_BY_GDCM = {
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
}


def write_mosaics(
    folder: Path,
    recipe: Recipe,
    *,
    reverse: bool = False,
    csa: Callable[[dict[str, tuple[str, Sequence[str]]]], None] = lambda tags: None,
) -> list[Path]:
    """Write one mosaic per b-value; ``reverse``: slices and stated normal run against the cross product."""
    folder.mkdir(parents=True, exist_ok=True)
    side = math.ceil(math.sqrt(recipe.slices))
    order = list(reversed(range(recipe.slices))) if reverse else list(range(recipe.slices))
    cosines = np.reshape(ORIENTATIONS[recipe.orientation], (2, 3))
    normal = np.cross(*cosines) * (-1 if reverse else 1)
    uid, paths = generate_uid(), []
    for b in recipe.b_values:
        ds = image(recipe, b=b, slice_index=order[0], series_uid=uid, instance=len(paths) + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND", "MOSAIC"]
        # Siemens places the plane as if one slice of the mosaic's size lay around the same centre.
        shift = (
            cosines[0] * PIXEL_SPACING[1] * (side - 1) * COLUMNS / 2
            + cosines[1] * PIXEL_SPACING[0] * (side - 1) * ROWS / 2
        )
        corner = position(recipe.orientation, order[0]) - shift
        ds.ImagePositionPatient = [f"{v:.8f}" for v in corner]
        _put_tiles(ds, [voxels(b, s) for s in order], down=side, across=side)
        tags: dict[str, tuple[str, Sequence[str]]] = {
            "EchoLinePosition": ("IS", ["6"]),
            "NumberOfImagesInMosaic": ("US", [str(recipe.slices)]),
            "SliceNormalVector": ("FD", [f"{v:.8f}" for v in normal]),
            "B_value": ("IS", [f"{b:g}"]),
            "DiffusionDirectionality": ("CS", ["ISOTROPIC" if b else "NONE"]),
        }
        csa(tags)
        if tags:
            add_csa(ds, tags)
        recipe.adjust(ds)
        paths.append(folder / f"{len(paths):04d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def write_vframes(folder: Path, recipe: Recipe) -> list[Path]:
    """Write one United Imaging file per b-value."""
    folder.mkdir(parents=True, exist_ok=True)
    across = math.ceil(math.sqrt(recipe.slices))
    uid, paths = generate_uid(), []
    for b in recipe.b_values:
        ds = image(recipe, b=b, slice_index=0, series_uid=uid, instance=len(paths) + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
        _put_tiles(
            ds,
            [voxels(b, s) for s in range(recipe.slices)],
            down=math.ceil(recipe.slices / across),
            across=across,
        )
        block = ds.private_block(0x0065, "Image Private Header", create=True)
        block.add_new(0x50, "DS", str(recipe.slices))
        items = []
        for s in range(recipe.slices):
            item = Dataset()
            item.AcquisitionDateTime = f"20200102101112.{s:03d}"
            item.ImagePositionPatient = [f"{v:.8f}" for v in position(recipe.orientation, s)]
            items.append(item)
        block.add_new(0x51, "SQ", items)
        recipe.adjust(ds)
        paths.append(folder / f"{len(paths):04d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def _put_tiles(ds: Dataset, slices: Sequence[np.ndarray], *, down: int, across: int) -> None:
    plane = np.zeros((down * ROWS, across * COLUMNS), np.uint16)
    for number, pixels in enumerate(slices):
        row, column = number // across * ROWS, number % across * COLUMNS
        plane[row : row + ROWS, column : column + COLUMNS] = pixels
    ds.Rows, ds.Columns = plane.shape
    ds.PixelData = plane.tobytes()


def write_enhanced(
    path: Path, recipe: Recipe, frame: Callable[[Dataset, float, int], None] = lambda group, b, s: None
) -> Path:
    """Write one enhanced file; ``frame`` may change each frame's functional groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds: FileDataset = image(recipe, b=0, slice_index=0, series_uid=generate_uid(), instance=1)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "DiffusionBValue"):
        ds.pop(keyword, None)
    places = [(b, s) for b in recipe.b_values for s in range(recipe.slices)]
    groups = []
    for b, s in places:
        group = Dataset()
        group.PlanePositionSequence = [Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = [
            f"{v:.8f}" for v in position(recipe.orientation, s)
        ]
        group.MRDiffusionSequence = [Dataset()]
        group.MRDiffusionSequence[0].DiffusionBValue = float(b)
        frame(group, b, s)
        groups.append(group)
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = list(PIXEL_SPACING)
    shared.PixelMeasuresSequence[0].SpacingBetweenSlices = SLICE_STEP
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [
        f"{v:.10f}" for v in ORIENTATIONS[recipe.orientation]
    ]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], groups
    ds.NumberOfFrames = len(places)
    ds.PixelData = np.stack([voxels(b, s) for b, s in places]).tobytes()
    recipe.adjust(ds)
    ds.save_as(path, enforce_file_format=True)
    return path


def reencode(path: Path, syntax: str) -> None:
    """Write a file in another transfer syntax, in place."""
    ds = pydicom.dcmread(path)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = syntax
        for _ in ds.iterall():  # converts values that pydicom still holds as little-endian bytes
            pass
        pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=False, force_encoding=True)
        return
    if syntax == DeflatedExplicitVRLittleEndian:
        ds.file_meta.TransferSyntaxUID = syntax
    elif syntax in _BY_GDCM:
        ds.PixelData, ds.file_meta.TransferSyntaxUID = _compressed_by_gdcm(path, syntax), syntax
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    else:
        ds.compress(syntax, generate_instance_uid=False)
    ds.save_as(path, enforce_file_format=True)


def _compressed_by_gdcm(path: Path, syntax: str) -> bytes:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(_BY_GDCM[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    copy = path.with_suffix(".gdcm")
    writer.SetFileName(str(copy))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    pixels: bytes = pydicom.dcmread(copy).PixelData
    copy.unlink()
    return pixels
