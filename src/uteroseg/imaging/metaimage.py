"""Read MetaImage, the format of ITK: a text header, then voxels in the same file or in another.

A field that changes what voxels mean is obeyed or refused, as is one that is not known.

References
----------
MetaIO documentation, itk.org/Wiki/ITK/MetaIO/Documentation. Coordinates are those of DICOM (LPS, mm).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from uteroseg.errors import UserError
from uteroseg.imaging.geometry import Array, Geometry
from uteroseg.imaging.voxels import as_array, as_text, byte_count, file_beside, unexpected, unknown

_LONGEST_HEADER = 2**16
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_ORIGIN = ("Offset", "Position", "Origin")
_AXES = ("TransformMatrix", "Rotation", "Orientation")
_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_HAS_ONE_VALUE = {  # any other would change what voxels mean
    "ObjectType": ("Image",),
    "ElementNumberOfChannels": ("1",),
    "DistanceUnits": ("mm", "?", ""),
    "ElementToIntensityFunctionSlope": ("1",),
    "ElementToIntensityFunctionOffset": ("0",),
}
_OBEYED = {
    *("NDims", "DimSize", "ElementType", "ElementSpacing", "ElementSize", "ElementDataFile", "HeaderSize"),
    *("BinaryData", "CompressedData", "CompressedDataSize", *_ORIGIN, *_AXES, *_BIG_ENDIAN),
}
_WITHOUT_EFFECT = {  # ITK too reads CenterOfRotation and AnatomicalOrientation without using them
    *("Comment", "ObjectSubType", "Name", "ID", "ParentID", "AcquisitionDate", "Color", "Modality"),
    *("CenterOfRotation", "AnatomicalOrientation", "CompressionLevel", "ElementMin", "ElementMax"),
}
_NOTES = re.compile(
    r"[0-9a-fA-F]{4}\|[0-9a-fA-F]{4}|ITK_\w+|nifti_type|(?:dim|pixdim)\[\d\]|dim_info|bitpix|datatype|sizeof_hdr|magic"
    r"|(?:cal|glm)_(?:max|min)|descrip|aux_file|intent_\w+|qfac|[qs]form_code(?:_name)?|qoffset_[xyz]|quatern_[bcd]"
    r"|qto_\w+|sto_\w+|srow_[xyz]|scl_(?:inter|slope)|slice_\w+|toffset|vox_offset|xyzt_units"
)
"""Keys that ITK copies from headers of DICOM and NIfTI, which it has obeyed, or adds."""


def read_metaimage(path: Path) -> tuple[Array, Geometry]:
    """Read a 3-D image.

    Returns
    -------
    image : ndarray, shape (slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    UserError
        If the file cannot be read, has another number of dimensions or several channels, does not say where
        it lies, or has a field that is not known.
    """
    try:
        with path.open("rb") as file:
            header = _header(file)
            begin = file.tell()
        shape, geometry = _grid(header)
        name = header["ElementDataFile"]
        if name.lower() != "local":
            path_of_voxels, begin = file_beside(path, "ElementDataFile", name), 0
        else:
            path_of_voxels = path
        return as_array(*_voxels(header, path_of_voxels.read_bytes(), begin, shape), shape), geometry
    except Exception as error:  # of a damaged file
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split()) or type(error).__name__}).",
            expected="a whole 3-D MetaImage (.mha, or .mhd with its voxels beside it).",
            fix="export it again, or as NIfTI.",
        ) from error


def _header(file: IO[bytes]) -> dict[str, str]:
    """Keys and values; the file stands behind them."""
    header: dict[str, str] = {}
    while file.tell() < _LONGEST_HEADER and (line := file.readline(_LONGEST_HEADER)):
        key, _, value = (part.strip() for part in as_text(line).partition("="))
        if key in header:
            raise ValueError(f"{key} stands twice in its header")
        header[key] = value
        if key == "ElementDataFile":
            _require_known(header)
            return header
    raise ValueError("its header has no end, which is the line ElementDataFile")


def _require_known(header: Mapping[str, str]) -> None:
    for key, value in header.items():
        if key in _HAS_ONE_VALUE:
            if value not in _HAS_ONE_VALUE[key] and _number(value) != _number(_HAS_ONE_VALUE[key][0]):
                raise unexpected(key, value, f"{_HAS_ONE_VALUE[key][0]} is")
        elif key not in _OBEYED | _WITHOUT_EFFECT and not _NOTES.fullmatch(key):
            raise unknown(key, value)
    if not _flag(header, ("BinaryData",), default="True"):
        raise unexpected("BinaryData", header["BinaryData"], "True is")


def _grid(header: Mapping[str, str]) -> tuple[tuple[int, int, int], Geometry]:
    dimensions = header.get("NDims", "")
    if dimensions not in ("3", "4"):
        raise unexpected("NDims", dimensions, "3 is")
    n = int(dimensions)
    size = _numbers(header, ("DimSize",), n)
    if (size != size.astype(int)).any() or (size < 1).any() or size[3:].tolist() not in ([], [1]):
        raise unexpected("DimSize", header["DimSize"], "the lengths of three dimensions are")
    axes = _numbers(header, _AXES, n * n).reshape(n, n)
    if axes[3:, :3].any() or axes[:3, 3:].any():
        raise unexpected(_AXES[0], axes.tolist(), "a fourth dimension outside space is")
    spacing = _numbers(header, ("ElementSpacing",) if "ElementSpacing" in header else ("ElementSize",), n)
    affine = np.eye(4)
    affine[:3, :3] = (axes[:3, :3] * spacing[:3, None])[::-1].T
    affine[:3, 3] = _numbers(header, _ORIGIN, n)[:3]
    columns, rows, slices = (int(length) for length in size[:3])
    return (slices, rows, columns), Geometry((slices, rows, columns), affine)


def _voxels(
    header: Mapping[str, str], content: bytes, begin: int, shape: tuple[int, ...]
) -> tuple[bytes, np.dtype]:
    """The bytes of the voxels, which begin at a place or where the header says, and their type."""
    kind = header.get("ElementType", "")
    if kind not in _TYPES:
        raise unexpected("ElementType", kind, f"one of {', '.join(_TYPES)} is")
    dtype = np.dtype(_TYPES[kind]).newbyteorder(">" if _flag(header, _BIG_ENDIAN) else "<")
    compressed = _flag(header, ("CompressedData",))
    skip = int(header.get("HeaderSize", 0))
    if skip == -1 and not compressed:  # the voxels are what the file ends with
        begin = max(begin, len(content) - byte_count(dtype, shape))
    elif skip and skip >= begin:  # counted from the beginning of the file
        begin = skip
    elif skip:
        raise unexpected("HeaderSize", skip, "the number of bytes before the voxels is")
    voxels = content[begin:]
    if not compressed:
        return voxels, dtype
    if int(header.get("CompressedDataSize", len(voxels))) != len(voxels):
        raise unexpected("CompressedDataSize", header["CompressedDataSize"], f"{len(voxels)} is")
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
    voxels = stream.decompress(voxels, byte_count(dtype, shape) + 1)
    if not stream.eof or stream.unused_data:
        raise ValueError("its compressed voxels do not end where the file does")
    return voxels, dtype


def _numbers(header: Mapping[str, str], keys: tuple[str, ...], count: int) -> Array:
    """The numbers under the one of several keys that stands in the header."""
    key, value = _one(header, keys)
    numbers = np.array([_number(part) for part in value.split()])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise unexpected(key, value, f"{count} numbers are")
    return numbers


def _flag(header: Mapping[str, str], keys: tuple[str, ...], default: str = "False") -> bool:
    key, value = _one({keys[0]: default} if not set(keys) & set(header) else header, keys)
    if value.lower() not in ("true", "false"):
        raise unexpected(key, value, "True or False is")
    return value.lower() == "true"


def _one(header: Mapping[str, str], keys: tuple[str, ...]) -> tuple[str, str]:
    found = [(key, header[key]) for key in keys if key in header]
    if len({value.lower() for _, value in found}) != 1:
        told = " and ".join(f"{key} = {value}" for key, value in found) or f"no {' or '.join(keys)}"
        raise ValueError(f"its header has {told}, one is expected")
    return found[0]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
