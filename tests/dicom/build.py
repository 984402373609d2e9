"""Synthetic diffusion series written with pydicom: any orientation, any vendor's dialect, any defect."""

import struct
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage, generate_uid

ROWS, COLUMNS, SLICES = 12, 10, 5
PIXEL_SPACING = (2.0, 1.5)
SLICE_STEP = 4.0
ORIGIN = np.array([-30.0, 20.0, -55.0])


def _unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def _oblique() -> tuple[float, ...]:
    along_columns = _unit(0.9, 0.3, -0.2)
    along_rows = np.cross(_unit(0.1, 0.4, 0.8), along_columns)
    return (*along_columns, *_unit(*along_rows))


ORIENTATIONS: dict[str, tuple[float, ...]] = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": _oblique(),
    "negated columns": (-1, 0, 0, 0, 1, 0),
}


@dataclass(frozen=True)
class Recipe:
    """What to build; every slice holds ``signal(b, slice)``, which tells where each image came from."""

    b_values: Sequence[float] = (0, 500, 1000)
    orientation: str = "axial"
    slices: int = SLICES
    descending: bool = False  # files and instance numbers run against the normal
    dialect: Callable[[FileDataset, float], None] = field(default=lambda ds, b: standard(ds, b))
    description: str = "DWI"
    image_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE")
    manufacturer: str = "SIEMENS"
    directions: Sequence[Sequence[float]] = ()
    number: int = 3
    study_uid: str = field(default_factory=generate_uid)
    frame_of_reference_uid: str = field(default_factory=generate_uid)
    implicit: bool = False
    series_of: Callable[[float, int], object] = lambda b, slice_index: 0  # one Series Instance UID for each
    adjust: Callable[[FileDataset], None] = lambda ds: None


def voxels(b: float, slice_index: int) -> np.ndarray:
    """Stored values of an image: unique per b-value and slice, asymmetric in the plane."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray(2000 - b + 100 * slice_index + 3 * rows + columns, np.uint16)


def position(orientation: str, slice_index: int) -> np.ndarray:
    """Image Position (Patient) of a slice, numbered along the normal."""
    cosines = np.array(ORIENTATIONS[orientation], float)
    return ORIGIN + slice_index * SLICE_STEP * np.cross(cosines[:3], cosines[3:])


def write_series(folder: Path, recipe: Recipe) -> list[Path]:
    """Write one file per b-value, direction and slice; return their paths in that order."""
    folder.mkdir(parents=True, exist_ok=True)
    uids: dict[object, str] = defaultdict(generate_uid)
    paths = []
    for b in recipe.b_values:
        for direction in recipe.directions if b > 0 and recipe.directions else (None,):
            order = range(recipe.slices)
            for s in reversed(order) if recipe.descending else order:
                path = folder / f"{len(paths):04d}"
                uid = uids[recipe.series_of(b, s)]
                ds = image(recipe, b=b, slice_index=s, series_uid=uid, instance=len(paths) + 1)
                if direction is not None:
                    ds.DiffusionDirectionality = "DIRECTIONAL"
                    ds.DiffusionGradientOrientation = list(direction)
                recipe.adjust(ds)
                ds.save_as(path, enforce_file_format=True)
                paths.append(path)
    return paths


def image(recipe: Recipe, *, b: float, slice_index: int, series_uid: str, instance: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if recipe.implicit else ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = recipe.study_uid, series_uid
    ds.FrameOfReferenceUID = recipe.frame_of_reference_uid
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = (
        "SECRET-ID",
        "Secret^Name",
        "19500101",
        "F",
    )
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20200102", "101112", "SECRET-ACC", "1"
    ds.ReferringPhysicianName = "Secret^Doctor"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "MR", recipe.manufacturer, "Aera Secret"
    ds.SeriesDescription, ds.SeriesNumber = recipe.description, recipe.number
    ds.InstanceNumber, ds.AcquisitionNumber = instance, 1
    ds.ImageType = list(recipe.image_type)
    ds.EchoTime, ds.RepetitionTime, ds.MagneticFieldStrength = 63, 2700, 3
    ds.PixelBandwidth, ds.SliceThickness, ds.SpacingBetweenSlices = 1500, 3, SLICE_STEP
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "EP", "SK", "", "2D"
    ds.EchoTrainLength, ds.PositionReferenceIndicator, ds.PatientPosition = 48, "", "HFS"
    ds.ImagePositionPatient = [f"{v:.8f}" for v in position(recipe.orientation, slice_index)]
    ds.ImageOrientationPatient = [f"{v:.10f}" for v in ORIENTATIONS[recipe.orientation]]
    ds.PixelSpacing = list(PIXEL_SPACING)
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = voxels(b, slice_index).tobytes()
    recipe.dialect(ds, b)
    return ds


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    """Read a file, change it, write it back."""
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def truncate(path: Path, keep: int) -> None:
    """Keep the first bytes of a file; a negative number drops bytes at the end."""
    path.write_bytes(path.read_bytes()[:keep])


def csa_header(tags: Mapping[str, tuple[str, Sequence[str]]]) -> bytes:
    """A CSA2 header ("SV10") as Siemens lays it out: every tag with six items or none, four-byte aligned."""
    blob = b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77)
    for name, (vr, values) in tags.items():
        items = [f"{value}\0".encode() for value in values]
        items += [b""] * (6 - len(items)) if items else []
        vm = len(values) or 1
        blob += struct.pack("<64si4s3i", name.encode(), vm, vr.encode(), 6, len(items), 77)
        for item in items:
            blob += struct.pack("<4i", len(item), len(item), 77, len(item)) + item + b"\0" * (-len(item) % 4)
    return blob + bytes(4)


def add_csa(ds: Dataset, tags: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Put a CSA image header into a file."""
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa_header(tags))


# The dialects of b-values: each writes a value as its vendor does.


def standard(ds: Dataset, b: float) -> None:
    ds.DiffusionBValue = float(b)


def siemens(ds: Dataset, b: float) -> None:
    text = f"{b:g}"
    value = (text + " " * (len(text) % 2)).encode()
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "OB", value)


def siemens_raw_bytes(ds: Dataset, b: float) -> None:
    ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "UN", f"{b:>6g}".encode())


def siemens_csa(ds: Dataset, b: float) -> None:
    """Only the CSA image header, without B_value at b 0, as some software versions write it."""
    add_csa(ds, {"DiffusionDirectionality": ("CS", ["DIRECTIONAL" if b else "NONE"]), **_csa_b(b)})


def _csa_b(b: float) -> dict[str, tuple[str, Sequence[str]]]:
    return {"B_value": ("IS", [f"{b:g}"] if b else [])}


def siemens_sequence_name(ds: Dataset, b: float) -> None:
    ds.SequenceName = f"*ep_b{b:g}t"


def ge(ds: Dataset, b: float) -> None:
    value = [1_000_000_000 + int(b), 8, 0, 0]
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", value)


def ge_without_offset(ds: Dataset, b: float) -> None:
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [int(b), 8, 0, 0])


def ge_raw_bytes(ds: Dataset, b: float) -> None:
    value = f"{1_000_000_000 + int(b)}\\8\\0\\0"
    block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x39, "UN", (value + " " * (len(value) % 2)).encode())


def philips(ds: Dataset, b: float) -> None:
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", b or 0.001)


def philips_raw_bytes(ds: Dataset, b: float) -> None:
    block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "UN", struct.pack("<f", b))


def united_imaging(ds: Dataset, b: float) -> None:
    block = ds.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x09, "FD", b - 0.25 if b else 1.25)


def united_imaging_raw_bytes(ds: Dataset, b: float) -> None:
    block = ds.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x09, "UN", struct.pack("<d", b - 0.25 if b else 1.25))


def canon(ds: Dataset, b: float) -> None:
    if b:
        ds.DiffusionBValue = float(b)


DIALECTS: dict[str, tuple[str, Callable[[Dataset, float], None], str]] = {
    "standard": ("SIEMENS", standard, "standard (0018,9087)"),
    "Siemens": ("SIEMENS", siemens, "Siemens private (0019,100C)"),
    "Siemens raw bytes": ("SIEMENS", siemens_raw_bytes, "Siemens private (0019,100C)"),
    "Siemens CSA": ("SIEMENS", siemens_csa, "Siemens CSA header (0029,1010) B_value"),
    "Siemens SequenceName": ("SIEMENS", siemens_sequence_name, "Siemens SequenceName (0018,0024)"),
    "GE": ("GE MEDICAL SYSTEMS", ge, "GE private (0043,1039)"),
    "GE without offset": ("GE MEDICAL SYSTEMS", ge_without_offset, "GE private (0043,1039)"),
    "GE raw bytes": ("GE MEDICAL SYSTEMS", ge_raw_bytes, "GE private (0043,1039)"),
    "Philips": ("Philips Medical Systems", philips, "Philips private (2001,1003)"),
    "Philips raw bytes": ("Philips Medical Systems", philips_raw_bytes, "Philips private (2001,1003)"),
    "United Imaging": ("UIH", united_imaging, "United Imaging private (0065,1009)"),
    "United Imaging raw bytes": (
        "UIH",
        united_imaging_raw_bytes,
        "United Imaging private (0065,1009)",
    ),
    "Canon": ("CANON_MEC", canon, "Canon: b 0 images carry no b-value; standard (0018,9087)"),
}
