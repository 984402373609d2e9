"""Annotations of one small real study in every format, what can befall them, and how others read them."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from _damage import KINDS as DICOM_KINDS
from _damage import Files, header_end
from _samples import SLICES, _by_position
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage, generate_uid

from uteroseg.annotations.regions import Choice
from uteroseg.dicom.assemble import load_study, source_images
from uteroseg.dicom.scan import scan_folder
from uteroseg.dicom.seg import write_seg
from uteroseg.dicom.studies import find_studies
from uteroseg.imaging.geometry import Geometry
from uteroseg.imaging.study import Mask
from uteroseg.phantom.outline import outlines

TUMOUR, OTHER = 1, 2
_APART = 0.12  # voxels: SimpleITK may go by the qform where we go by an sform a tenth of a voxel away

_TUMOUR = Choice(number=TUMOUR)


@dataclass(frozen=True)
class Sample:
    """An undamaged annotation.

    Parameters
    ----------
    files : dict of bytes
        The annotation, its name first, and files that belong to it.
    kind : str
        ``DICOM``, ``text`` or ``NIfTI``: which damage fits.
    choice : Choice
    of_study : bool
        Whether it was drawn on the study below `study`.
    """

    files: Files
    kind: str
    choice: Choice = _TUMOUR
    of_study: bool = True


@dataclass(frozen=True)
class Study:
    """A few slices of a real study, and a mask on its grid."""

    files: Files
    uid: str
    mask: Mask
    other: np.ndarray


@cache
def study(data: Path) -> Study:
    by_position = _by_position(data, "prostatex/0000/dwi")
    positions = sorted({position for position, _ in by_position})[8 : 8 + SLICES]
    paths = [path for position, path in by_position if position in positions]
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            (Path(folder) / path.name).write_bytes(path.read_bytes())
        geometry = load_study(scan_folder(Path(folder)).series).geometry
    slices, rows, columns = np.indices(geometry.shape)
    tumour = ((rows - 40) / (9 + 2 * slices)) ** 2 + ((columns - 60 - 3 * slices) / 14) ** 2 < 1
    other = (rows - 60) ** 2 + (columns - 40) ** 2 < 40
    files = {path.name: path.read_bytes() for path in paths}
    uid = pydicom.dcmread(paths[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID
    return Study(files, str(uid), Mask(tumour, geometry), other)


@cache
def samples(data: Path) -> dict[str, list[Sample]]:
    """Samples by format; every format is damaged equally often."""
    of, labels = study(data), {}
    values = of.mask.data * TUMOUR + of.other * OTHER
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, dtype, packed in (
            ("m.nrrd", np.uint8, True),
            ("m16.nrrd", np.int16, False),
            ("h.nhdr", np.int16, True),
            ("m.mha", np.uint8, True),
            ("m16.mha", np.int16, False),
            ("m.mhd", np.uint16, False),
            ("mz.mhd", np.uint8, True),
            ("m.nii", np.uint8, False),
            ("m16.nii", np.int16, False),
            ("m.nii.gz", np.uint8, True),
            ("mf.nii.gz", np.float32, True),
        ):
            before = set(folder.iterdir())
            sitk.WriteImage(_to_itk(values.astype(dtype), of.mask.geometry), str(folder / file), packed)
            written = sorted(set(folder.iterdir()) - before, key=lambda path: path.name != file)
            files = {path.name: path.read_bytes() for path in written}
            labels[file] = Sample(files, "NIfTI" if ".nii" in file else "text")
        (folder / "dwi").mkdir()
        for file, content in of.files.items():
            (folder / "dwi" / file).write_bytes(content)
        scanned = scan_folder(folder / "dwi")
        (found,) = find_studies(scanned)
        write_seg(
            folder / "seg.dcm", of.mask, source_images(found.dwi), algorithm_name="m", algorithm_version="1"
        )
        _write_rtstruct(folder / "rt.dcm", of, found.dwi[0])
        seg, rt = (Sample({f: (folder / f).read_bytes()}, "DICOM") for f in ("seg.dcm", "rt.dcm"))
    real = {
        file: data / "dicom_seg" / file for file in ("liver.dcm", "partial_overlaps.dcm", "liver_seg.nrrd")
    }
    real["mask.nii.gz"] = data / "prostatex" / "masks" / "0000_freehand_on_t2.nii.gz"
    theirs = {
        file: Sample({file: path.read_bytes()}, "DICOM" if file.endswith("dcm") else "text", of_study=False)
        for file, path in real.items()
    }
    nifti = Sample(theirs["mask.nii.gz"].files, "NIfTI", of_study=False)
    layered = Sample({"l.seg.nrrd": _slicer(of)}, "text", Choice(name="Tumour"))
    ending = {"NRRD": (".nrrd", ".nhdr"), "MetaImage": (".mha", ".mhd"), "NIfTI": (".nii", ".gz")}
    found_by = {form: [s for f, s in labels.items() if f.endswith(ends)] for form, ends in ending.items()}
    found_by["NRRD"] += [layered, theirs["liver_seg.nrrd"]]
    found_by["NIfTI"] += [nifti]
    return found_by | {
        "SEG": [seg, seg, theirs["liver.dcm"], theirs["partial_overlaps.dcm"]],
        "RTSTRUCT": [rt],
    }


def damage(sample: Sample, files: Files, random: Random) -> list[str]:
    """Damage once or twice, in place; say what was done."""
    kinds = {"DICOM": _DICOM, "text": _TEXT, "NIfTI": _NIFTI}[sample.kind] | _ANY
    done = []
    for _ in range(random.choice((1, 1, 1, 2))):
        kind = random.choice(sorted(kinds))
        if not files:
            break
        before = dict(files)
        kinds[kind](files, random.choice(sorted(files)), random)
        if files != before:
            done.append(kind)
    return done


MUST_BE_NOTICED = {
    "truncate",
    "truncate the header",
    "append",
    "flip bits of compressed voxels",
    "remove a file",
    "change the length of an element in",
}
"""Damage of which no reader may make another mask."""


def _truncate_header(files: Files, name: str, random: Random) -> None:
    files[name] = files[name][: random.randrange(_header_end(files[name]) + 1)]


def _truncate(files: Files, name: str, random: Random) -> None:
    files[name] = files[name][: random.randrange(len(files[name]) + 1)]


def _append(files: Files, name: str, random: Random) -> None:
    files[name] += random.choice((random.randbytes, bytes))(random.choice((1, 2, 100, 5000)))


def _remove(files: Files, name: str, random: Random) -> None:
    del files[name]


def _flip_packed(files: Files, name: str, random: Random) -> None:
    """Flip bits behind the header, where a checksum can notice it."""
    content = bytearray(files[name])
    start = 10 if content[:2] == b"\x1f\x8b" else _header_end(files[name])
    if start + 10 < len(content) and _is_packed(files[name]):
        for _ in range(random.choice((1, 1, 3, 30))):
            content[random.randrange(start, len(content))] ^= 1 << random.randrange(8)
    files[name] = bytes(content)


def _in_header(change: Callable[[bytes, Random], bytes]) -> Callable[[Files, str, Random], None]:
    """Damage of the header alone, inside a compressed file too; the checksum is right afterwards."""

    def work(files: Files, name: str, random: Random) -> None:
        content = files[name]
        packed = content[:2] == b"\x1f\x8b"
        if packed:
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):  # damaged before
                return
        end = _header_end(content)
        content = change(content[:end], random) + content[end:]
        files[name] = gzip.compress(content, 1) if packed else content

    return work


def _flip(header: bytes, random: Random) -> bytes:
    changed = bytearray(header)
    for _ in range(random.choice((1, 1, 3, 30)) if header else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _delete(header: bytes, random: Random) -> bytes:
    at = random.randrange(len(header) + 1)
    return header[:at] + header[at + random.choice((1, 2, 8, 50)) :]


def _insert(header: bytes, random: Random) -> bytes:
    at = random.randrange(len(header) + 1)
    return header[:at] + random.choice((b"0", b"1", b"-", b" ", b"\n", random.randbytes(4))) + header[at:]


def _zero(header: bytes, random: Random) -> bytes:
    at, count = random.randrange(len(header) + 1), random.choice((1, 4, 64))
    return header[:at] + bytes(min(count, len(header) - at)) + header[at + count :]


def _value(header: bytes, random: Random) -> bytes:
    """Give a line of a text header another value that could stand there."""
    lines = header.split(b"\n")
    at = random.randrange(len(lines))
    key, separator, value = re.match(rb"([^:=]*)(\s*:=\s*|\s*[:=]\s*)?(.*)", lines[at], re.DOTALL).groups()
    numbers = re.findall(rb"-?[\d.]+", value)
    if numbers and random.random() < 0.7:
        new = random.choice((b"0", b"1", b"-1", b"2", b"3", b"7", b"1e9", b"nan", b"99999999999", b"0.5"))
        number = random.choice(numbers)
        value = value.replace(number, new, 1)
    else:
        value = random.choice(_WORDS)
    lines[at] = key + (separator or b"") + value
    return b"\n".join(lines)


def _field(header: bytes, random: Random) -> bytes:
    """Add a field that means something to a text header, in front of its last."""
    lines = header.split(b"\n")
    separator = b": " if header.startswith(b"NRRD") else b" = "
    new = random.choice(_FIELDS) + separator + random.choice((b"0", b"1", b"-1", b"7", *_WORDS))
    lines.insert(random.randrange(1, max(2, len(lines) - 2)), new)
    return b"\n".join(lines)


def _lines(header: bytes, random: Random) -> bytes:
    """Lose, double, or exchange lines of a text header."""
    lines = header.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    work = random.choice(("lose", "double", "exchange", "capitals"))
    if work == "lose":
        del lines[one]
    elif work == "double":
        lines.insert(other, lines[one])
    elif work == "exchange":
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one] = lines[one].upper()
    return b"\n".join(lines)


def _nifti_field(header: bytes, random: Random) -> bytes:
    """Give a field of a NIfTI header another value that could stand there."""
    if len(header) < 348:
        return header
    parsed = nib.Nifti1Header(header[:348], "<", check=False)
    name = random.choice(_NIFTI_FIELDS)
    values = parsed[name]
    new = random.choice((0, 1, 2, 3, 4, 5, 7, 16, 64, 128, 351, 360, 1007, -1, 0.5, float("nan"), 1e9))
    with np.errstate(all="ignore"):
        try:
            if values.ndim:
                values[random.randrange(len(values))] = new
            else:
                parsed[name] = new
        except (ValueError, OverflowError):
            return header
    return parsed.binaryblock + header[348:]


_WORDS = (b"", b"True", b"False", b"LOCAL", b"LIST", b"big", b"gzip", b"raw", b"float", b"MET_FLOAT", b"RAS")
_FIELDS = (
    *(b"HeaderSize", b"ElementByteOrderMSB", b"Origin", b"ElementNumberOfChannels", b"DistanceUnits"),
    *(b"byte skip", b"line skip", b"Byte Skip", b"spacings", b"space units", b"old min", b"Comment", b"xyz"),
)
_NIFTI_FIELDS = (
    *("dim", "datatype", "bitpix", "pixdim", "vox_offset", "scl_slope", "scl_inter", "xyzt_units"),
    *("qform_code", "sform_code", "quatern_b", "qoffset_x", "srow_x", "srow_y", "intent_code", "sizeof_hdr"),
)
_ANY: dict[str, Callable[[Files, str, Random], None]] = {
    "truncate": _truncate,
    "truncate the header": _truncate_header,
    "append": _append,
    "remove a file": _remove,
    "flip bits of compressed voxels": _flip_packed,
    "flip bits of the header": _in_header(_flip),
    "delete bytes of the header": _in_header(_delete),
    "insert bytes into the header": _in_header(_insert),
    "zero bytes of the header": _in_header(_zero),
}
_TEXT = {
    "change a value": _in_header(_value),
    "add a field": _in_header(_field),
    "change lines": _in_header(_lines),
}
_NIFTI = {"change a field": _in_header(_nifti_field), "change another field": _in_header(_nifti_field)}
_DICOM = {kind: work for kind, work in DICOM_KINDS if kind.endswith("an element in")}


def _header_end(content: bytes) -> int:
    """Where the voxels begin."""
    if content[128:132] == b"DICM":
        return header_end(content)
    if content.startswith(b"NRRD"):
        return content.find(b"\n\n") + 2 or len(content)
    if content[344:347] == b"n+1":
        return 352
    match = re.search(rb"ElementDataFile[^\n]*\n", content)
    return match.end() if match else 0


def _is_packed(content: bytes) -> bool:
    head = content[: _header_end(content)]
    return content[:2] in (b"\x1f\x8b", b"\x78\x5e", b"\x78\x9c", b"\x78\x01") or (
        b"encoding: gzip" in head or b"CompressedData = True" in head
    )


def as_others_read(path: Path, sample: Sample, mask: Mask) -> bool:
    """Whether SimpleITK, nibabel or, for a SEG, pydicom sees the tumour where we do (RTSTRUCT: always)."""
    if sample.kind == "DICOM":
        dataset = pydicom.dcmread(path)
        if dataset.SOPClassUID == RTStructureSetStorage:
            return True
    readers: dict[str, list[Callable[[], np.ndarray]]] = {
        "DICOM": [lambda: _of_seg(dataset)],
        "text": [lambda: _of_itk(path, layer=1 if sample.choice.name else None)],
        "NIfTI": [lambda: _of_itk(path, layer=None), lambda: _of_nibabel(path)],
    }
    return any(_agrees(reader, mask) for reader in readers[sample.kind])


def _agrees(reader: Callable[[], np.ndarray], mask: Mask) -> bool:
    """Whether a reader's points (LPS, mm) are the centres of the mask's voxels."""
    try:
        index = mask.geometry.to_index(reader())
    except Exception:  # a file that it refuses
        return False
    whole = np.rint(index).astype(int)
    if len(index) != np.count_nonzero(mask.data) or np.abs(index - whole).max(initial=0) > _APART:
        return False
    theirs = np.zeros_like(mask.data)
    try:
        theirs[tuple(whole.T)] = (whole >= 0).all(axis=1)
    except IndexError:
        return False
    return np.array_equal(theirs, mask.data)


def _of_nibabel(path: Path) -> np.ndarray:
    image = nib.load(path)
    found = np.argwhere(np.asarray(image.dataobj).reshape(image.shape[:3]) == TUMOUR)
    return nib.affines.apply_affine(image.affine, found) * [-1, -1, 1]


def _of_itk(path: Path, *, layer: int | None) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    data = sitk.GetArrayFromImage(image)
    if layer is not None:
        data = data[..., layer]
    while data.ndim > 3:
        data = data[0]
    n = image.GetDimension()
    axes = (np.reshape(image.GetDirection(), (n, n)) * image.GetSpacing())[:3, :3]
    return np.argwhere(data == TUMOUR)[:, ::-1] @ axes.T + image.GetOrigin()[:3]


def _of_seg(dataset: Dataset) -> np.ndarray:
    frames = np.reshape(dataset.pixel_array, (-1, dataset.Rows, dataset.Columns))
    shared = dataset.SharedFunctionalGroupsSequence[0]
    found = [np.zeros((0, 3))]
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber) != TUMOUR:
            continue

        def of(name: str, group: Dataset = group) -> Dataset:
            return (group.get(name) or shared[name].value)[0]

        along = np.reshape(np.array(of("PlaneOrientationSequence").ImageOrientationPatient, float), (2, 3))
        spacing = np.array(of("PixelMeasuresSequence").PixelSpacing, float)
        rows, columns = np.nonzero(frame)
        points = np.outer(columns * spacing[1], along[0]) + np.outer(rows * spacing[0], along[1])
        found.append(points + np.array(of("PlanePositionSequence").ImagePositionPatient, float))
    return np.concatenate(found)


def _to_itk(data: np.ndarray, geometry: Geometry) -> sitk.Image:
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetDirection((geometry.affine[:3, [2, 1, 0]] / geometry.spacing[::-1]).ravel().tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    return image


def _slicer(of: Study) -> bytes:
    """Two layers, as 3D Slicer writes segments that may overlap."""
    affine = of.mask.geometry.affine
    vectors = [f"({','.join(f'{v:.9g}' for v in affine[:3, axis])})" for axis in (2, 1, 0)]
    columns, rows, slices = of.mask.geometry.shape[::-1]
    header = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 4",
        "space: left-posterior-superior",
        f"sizes: 2 {columns} {rows} {slices}",
        f"space directions: none {' '.join(vectors)}",
        "kinds: list domain domain domain",
        "encoding: gzip",
        f"space origin: ({','.join(f'{v:.9g}' for v in affine[:3, 3])})",
        *(f"Segment{n}_{k}:={v}" for n, name in enumerate(("Other", "Tumour")) for k, v in _keys(n, name)),
    ]
    layers = np.stack([of.other, of.mask.data], axis=-1).astype(np.uint8)
    return ("\n".join(header) + "\n\n").encode() + gzip.compress(layers.tobytes())


def _keys(layer: int, name: str) -> list[tuple[str, object]]:
    return [("ID", f"Segment_{layer}"), ("LabelValue", TUMOUR), ("Layer", layer), ("Name", name)]


def _write_rtstruct(path: Path, of: Study, series: object) -> None:
    """The outlines of the mask, drawn on the images of the lowest b-value."""
    first = [
        pydicom.dcmread(pydicom.filebase.DicomBytesIO(c), stop_before_pixels=True) for c in of.files.values()
    ]
    geometry = of.mask.geometry
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = RTStructureSetStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["rt"])
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.StudyInstanceUID = first[0].PatientID, first[0].StudyInstanceUID
    dataset.SeriesInstanceUID, dataset.Modality = generate_uid(entropy_srcs=["rts"]), "RTSTRUCT"
    frame = first[0].FrameOfReferenceUID
    contours = []
    for number, plane in enumerate(of.mask.data):
        position = geometry.to_patient((number, 0, 0))
        near = [h for h in first if np.allclose(np.array(h.ImagePositionPatient, float), position, atol=0.1)]
        image = _item(ReferencedSOPClassUID=MRImageStorage, ReferencedSOPInstanceUID=near[0].SOPInstanceUID)
        for outline in outlines(plane.astype(float)):
            points = geometry.to_patient(np.column_stack([np.full(len(outline), number), outline]))
            contour = _item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(outline))
            contour.ContourImageSequence = [image]
            contour.ContourData = [f"{mm:.3f}" for mm in points.ravel()]
            contours.append(contour)
    images = [contour.ContourImageSequence[0] for contour in contours]
    drawn_on = _item(SeriesInstanceUID=first[0].SeriesInstanceUID, ContourImageSequence=images)
    examination = _item(
        ReferencedSOPInstanceUID=first[0].StudyInstanceUID, RTReferencedSeriesSequence=[drawn_on]
    )
    dataset.ReferencedFrameOfReferenceSequence = [
        _item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[examination])
    ]
    roi = _item(ROINumber=TUMOUR, ROIName="Tumour", ReferencedFrameOfReferenceUID=frame)
    dataset.StructureSetROISequence = [roi]
    dataset.ROIContourSequence = [_item(ReferencedROINumber=TUMOUR, ContourSequence=contours)]
    dataset.save_as(path, enforce_file_format=True)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
